"""Terms as a small table of whole numbers that rows are joined with, and the pools of tokens that they tell apart.

A weight is laid out as whole and part, see `billing_core.exact`. Where the bounds of the counts prove that sums stay
small it is one number: that of a parent for all of its tokens, and for each part that some term weighs apart what a
token of it costs beyond that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import polars as pl

from billing_core.charges import POOLS, TierCharge, TokenCharge, Unit, UnitCharge
from billing_core.money import INT64_MAX, PPM

if TYPE_CHECKING:
    from collections.abc import Sequence

    from billing_core.bounds import Bounds
    from billing_core.charges import Charge
    from billing_core.resolution import Term

HELD, TOKENS, UNITS, TIERED, FREE = range(5)
"""How a term charges: not at all yet, by tokens, by images or calls or blocks, by tiers, never."""

TOTAL = "total"
"""The one pool where no term tells kinds of tokens apart."""

PARTS = {
    "input": ("cache_read", "cache_write_5m", "cache_write_1h", "audio_input"),
    "output": ("reasoning", "audio_output"),
}
"""The pools whose tokens are counted in another's too."""

_WORDS = ("settings_version", "rate_id", "rate_version", "charge_type")
_NUMBERS = ("kind", "multiplier_ppm", "fixed_cost", "block_tokens", "block_half", "units_max", "is_per_image")
_ADDENDS = len(POOLS) + 1
"""The most numbers that a small sum adds up: a product per pool, and what rounds it up."""


class TermTable(NamedTuple):
    """`frame` has the term's number in `key` and every other column behind `prefix`.

    `weights` names the columns of weights: `whole_POOL` and `part_POOL` of every pool, or, if `is_small`, `ppm_POOL` of
    the parents and of the parts that some term weighs apart. `has_small_units`: images times any cost stay small.
    """

    frame: pl.DataFrame
    prefix: str
    pools: tuple[str, ...]
    weights: tuple[str, ...]
    is_small: bool
    has_small_units: bool
    kinds: frozenset[int]
    units: frozenset[Unit]


def term_table(terms: Sequence[Term], key: str, prefix: str, bounds: Bounds) -> TermTable:
    """Lay terms out by number; the pools are POOLS where some term tells kinds apart, else TOTAL alone."""
    charges = [term.rule[2] if term.rule else None for term in terms]
    by_tokens = [charge for charge in charges if isinstance(charge, TokenCharge)]
    by_units = [charge for charge in charges if isinstance(charge, UnitCharge)]
    pools = (TOTAL,) if all(charge.is_multiplier for charge in by_tokens) else POOLS
    heaviest = max((ppm for charge in by_tokens for ppm in charge.pools_ppm), default=0)
    is_small = bounds.tokens_fit(_ADDENDS * max(heaviest, PPM))
    weighed = [_small_weights(charge, pools) if is_small else _weights(charge, pools) for charge in charges]
    weights = tuple(name for name in weighed[0] if not _is_idle(name, weighed)) if weighed else ()
    rows = [
        (number, *_words(term), *_numbers(term), *(weight[name] for name in weights))
        for number, (term, weight) in enumerate(zip(terms, weighed, strict=True))
    ]
    schema: dict[str, Any] = {key: pl.Int64, **{f"{prefix}{word}": pl.String for word in _WORDS}}
    schema |= {f"{prefix}{number}": pl.Int64 for number in (*_NUMBERS, *weights)}
    units = frozenset(charge.unit for charge in by_units)
    return TermTable(
        frame=pl.DataFrame(rows, schema=schema, orient="row"),
        prefix=prefix,
        pools=pools,
        weights=weights,
        is_small=is_small,
        has_small_units=Unit.BLOCK not in units and bounds.images_fit(max((one.cost for one in by_units), default=0)),
        kinds=frozenset(kind_of(term) for term in terms),
        units=units,
    )


def kind_of(term: Term) -> int:
    """How it charges: one of the kinds above."""
    kinds = {TokenCharge: TOKENS, UnitCharge: UNITS, TierCharge: TIERED}
    return FREE if term.is_free else HELD if term.rule is None else kinds[type(term.rule[2])]


def _words(term: Term) -> tuple[str | None, ...]:
    rate_id, rate_version, charge = term.rule or (None, None, None)
    return (term.settings.settings_version, rate_id, rate_version, charge.charge_type.value if charge else None)


def _numbers(term: Term) -> tuple[int | None, ...]:
    """The columns of _NUMBERS."""
    kind, charge = kind_of(term), term.rule[2] if term.rule else None
    if isinstance(charge, TokenCharge):
        return (kind, charge.multiplier_ppm, None, None, None, None, 0)
    if isinstance(charge, UnitCharge):
        size, cost = charge.block_tokens, charge.cost
        half = None if size is None else (size + 1) // 2
        most = INT64_MAX // cost if cost else INT64_MAX
        return (kind, None, cost, size, half, most, int(charge.unit is Unit.IMAGE))
    return (kind, None, None, None, None, None, 0)


def _weights(charge: Charge | None, pools: Sequence[str]) -> dict[str, int]:
    """Each pool's weight as whole and part; 0 for a term that does not charge by tokens."""
    return {
        f"{half}_{pool}": number
        for pool, ppm in _ppm(charge, pools).items()
        for half, number in zip(("whole", "part"), divmod(ppm, PPM), strict=True)
    }


def _small_weights(charge: Charge | None, pools: Sequence[str]) -> dict[str, int]:
    """Each parent's weight, and each part's less its parent's."""
    ppm = _ppm(charge, pools)
    parents = {part: parent for parent, parts in PARTS.items() for part in parts}
    return {f"ppm_{pool}": ppm[pool] - (ppm[parents[pool]] if pool in parents else 0) for pool in pools}


def _ppm(charge: Charge | None, pools: Sequence[str]) -> dict[str, int]:
    if not isinstance(charge, TokenCharge):
        return dict.fromkeys(pools, 0)
    by_pool = dict(zip(POOLS, charge.pools_ppm, strict=True))
    return {pool: by_pool["input" if pool == TOTAL else pool] for pool in pools}


def _is_idle(name: str, weighed: Sequence[dict[str, int]]) -> bool:
    """Whether it is a part that no term weighs apart."""
    is_part = any(name == f"ppm_{part}" for parts in PARTS.values() for part in parts)
    return is_part and all(weight[name] == 0 for weight in weighed)
