"""What one rule charges: tokens by weight, units at a fixed cost, or tiers over the month; integers and exact text.

Weights and multipliers are parts per million, costs are billing tokens.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias

from billing_core.money import ppm_to_decimal_text
from billing_core.vocabulary import ChargeType

if TYPE_CHECKING:
    from collections.abc import Mapping

POOLS = (
    "input",
    "cache_read",
    "cache_write_5m",
    "cache_write_1h",
    "audio_input",
    "output",
    "reasoning",
    "audio_output",
)
"""Every token of a call is in exactly one of these: what is cached, heard or thought is taken out of its parent."""

TOKEN_KINDS = ("input", "output", "cache_read", "cache_write_5m", "cache_write_1h", "reasoning", "audio")
"""Keys of `weights`. All but the first two cost what the tokens around them cost unless they say otherwise."""

_KIND_OF_POOL = {pool: "audio" if pool.startswith("audio") else pool for pool in POOLS}
_PARENT_OF_POOL = {pool: "input" if place < POOLS.index("output") else "output" for place, pool in enumerate(POOLS)}


class Unit(StrEnum):
    """What a fixed cost is for."""

    IMAGE = "image"
    CALL = "call"
    BLOCK = "block"


@dataclass(frozen=True)
class TokenCharge:
    """Tokens times a weight per kind, one weight for all being the multiplier; summed exactly and rounded up once.

    `weights` holds the kinds that were stated, always input and output; `above` is the number of input tokens beyond
    which the whole call is charged by `long` instead.
    """

    weights: Mapping[str, int]
    is_multiplier: bool = False
    above: int | None = None
    long: TokenCharge | None = None

    @property
    def charge_type(self) -> ChargeType:
        """Multiplier, or weighted."""
        return ChargeType.MULTIPLIER if self.is_multiplier else ChargeType.WEIGHTED

    @property
    def pools_ppm(self) -> tuple[int, ...]:
        """The weight of each of POOLS."""
        return tuple(self.weights.get(_KIND_OF_POOL[pool], self.weights[_PARENT_OF_POOL[pool]]) for pool in POOLS)

    @property
    def multiplier_ppm(self) -> int | None:
        """The one weight of all tokens, None where kinds differ."""
        return self.weights["input"] if self.is_multiplier else None

    def document(self) -> dict[str, object]:
        """As JSON values, decimals as text."""
        texts = {kind: ppm_to_decimal_text(ppm) for kind, ppm in self.weights.items()}
        said: dict[str, object] = {"multiplier": texts["input"]} if self.is_multiplier else {"weights": texts}
        if self.long is not None:
            inner = self.long.document()
            del inner["per"]
            said["long_context"] = {"above": self.above, **inner}
        return {**said, "per": "token"}

    def integers(self) -> dict[str, object]:
        """The whole numbers that are computed with: parts per million of each pool."""
        said: dict[str, object] = {"ppm": dict(zip(POOLS, self.pools_ppm, strict=True))}
        if self.long is not None:
            said |= {"above": self.above, "long_ppm": self.long.integers()["ppm"]}
        return said


@dataclass(frozen=True)
class UnitCharge:
    """A fixed cost per image, per call, or per started block of `block_tokens` tokens."""

    cost: int
    unit: Unit
    block_tokens: int | None = None

    @property
    def charge_type(self) -> ChargeType:
        """Fixed."""
        return ChargeType.FIXED

    def document(self) -> dict[str, object]:
        """As JSON values."""
        if self.unit is Unit.BLOCK:
            return {"package": {"tokens": self.block_tokens, "cost": self.cost}, "per": "block"}
        return {"fixed": self.cost, "per": self.unit.value}

    def integers(self) -> dict[str, object]:
        """The whole numbers that are computed with."""
        said: dict[str, object] = {"cost": self.cost}
        return said | ({"block_tokens": self.block_tokens} if self.block_tokens else {})


@dataclass(frozen=True)
class Tier:
    """Tokens of the month up to and including `up_to` (None: all further ones) at `ppm`."""

    up_to: int | None
    ppm: int


@dataclass(frozen=True)
class TierCharge:
    """Tiers over the tokens that an account's calls of this rule come to in a calendar month.

    Graduated: each token at the tier that it falls into. Volume: every token at the tier that the month comes to.
    """

    tiers: tuple[Tier, ...]
    is_volume: bool

    @property
    def charge_type(self) -> ChargeType:
        """Tiered."""
        return ChargeType.TIERED

    def document(self) -> dict[str, object]:
        """As JSON values, decimals as text."""
        tiers = [
            ({} if tier.up_to is None else {"up_to": tier.up_to}) | {"multiplier": ppm_to_decimal_text(tier.ppm)}
            for tier in self.tiers
        ]
        return {"volume" if self.is_volume else "graduated": tiers, "per": "token"}

    def integers(self) -> dict[str, object]:
        """The whole numbers that are computed with."""
        return {"tiers": [{"up_to": tier.up_to, "ppm": tier.ppm} for tier in self.tiers]}


Charge: TypeAlias = TokenCharge | UnitCharge | TierCharge


def multiplied(ppm: int, above: int | None = None, long: TokenCharge | None = None) -> TokenCharge:
    """The charge of one multiplier for every token."""
    return TokenCharge({"input": ppm, "output": ppm}, is_multiplier=True, above=above, long=long)
