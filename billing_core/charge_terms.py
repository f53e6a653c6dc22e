"""Terms as a small table of whole numbers that rows are joined with, and the pools of tokens that they tell apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import polars as pl

from billing_core.charges import POOLS, TierCharge, TokenCharge, Unit, UnitCharge
from billing_core.money import INT64_MAX, PPM

if TYPE_CHECKING:
    from collections.abc import Sequence

    from billing_core.resolution import Term

HELD, TOKENS, UNITS, TIERED = range(4)
"""How a term charges: not at all yet, by tokens, by images or calls or blocks, by tiers."""

TOTAL = "total"
"""The one pool where no term tells kinds of tokens apart."""

_WORDS = ("settings_version", "rate_id", "rate_version", "charge_type")
_NUMBERS = ("kind", "multiplier_ppm", "fixed_cost", "block_tokens", "block_half", "units_max", "is_per_image")


class TermTable(NamedTuple):
    """`frame` has the term's number in `key` and every other column behind `prefix`; see `pools` for its weights."""

    frame: pl.DataFrame
    prefix: str
    pools: tuple[str, ...]
    kinds: frozenset[int]
    units: frozenset[Unit]


def term_table(terms: Sequence[Term], key: str, prefix: str) -> TermTable:
    """Lay terms out by number; the pools are POOLS where some term tells kinds apart, else TOTAL alone."""
    charges = [term.rule[2] if term.rule else None for term in terms]
    pools = _pools(charges)
    rows = [_row(number, term, pools) for number, term in enumerate(terms)]
    schema: dict[str, Any] = {key: pl.Int64, **{f"{prefix}{word}": pl.String for word in _WORDS}}
    schema |= {f"{prefix}{number}": pl.Int64 for number in (*_NUMBERS, *_weight_columns(pools))}
    return TermTable(
        frame=pl.DataFrame(rows, schema=schema, orient="row"),
        prefix=prefix,
        pools=pools,
        kinds=frozenset(_kind(charge) for charge in charges),
        units=frozenset(charge.unit for charge in charges if isinstance(charge, UnitCharge)),
    )


def _pools(charges: Sequence[object]) -> tuple[str, ...]:
    is_weighted = any(isinstance(charge, TokenCharge) and not charge.is_multiplier for charge in charges)
    return POOLS if is_weighted else (TOTAL,)


def _weight_columns(pools: Sequence[str]) -> list[str]:
    return [f"{half}_{pool}" for pool in pools for half in ("whole", "part")]


def _row(number: int, term: Term, pools: Sequence[str]) -> tuple[object, ...]:
    settings_version = term.settings.settings_version
    rate_id, rate_version, charge = term.rule or (None, None, None)
    words = (settings_version, rate_id, rate_version, charge.charge_type.value if charge else None)
    return (number, *words, _kind(charge), *_numbers(charge), *_weights(charge, pools))


def _kind(charge: object) -> int:
    kinds = {TokenCharge: TOKENS, UnitCharge: UNITS, TierCharge: TIERED}
    return kinds.get(type(charge), HELD)


def _numbers(charge: object) -> tuple[int | None, ...]:
    """The columns of _NUMBERS after `kind`."""
    if isinstance(charge, TokenCharge):
        return (charge.multiplier_ppm, None, None, None, None, 0)
    if isinstance(charge, UnitCharge):
        size, cost = charge.block_tokens, charge.cost
        half = None if size is None else (size + 1) // 2
        most = INT64_MAX // cost if cost else INT64_MAX
        return (None, cost, size, half, most, int(charge.unit is Unit.IMAGE))
    return (None, None, None, None, None, 0)


def _weights(charge: object, pools: Sequence[str]) -> list[int]:
    """Each pool's weight as whole and part; 0 for a term that does not charge by tokens."""
    if not isinstance(charge, TokenCharge):
        return [0] * (2 * len(pools))
    by_pool = dict(zip(POOLS, charge.pools_ppm, strict=True))
    by_pool[TOTAL] = by_pool["input"]
    return [number for pool in pools for number in divmod(by_pool[pool], PPM)]
