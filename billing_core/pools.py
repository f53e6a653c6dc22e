"""The tokens of a call split into disjoint pools, and what they cost by weight.

A count that is part of another is taken out of it exactly once. What is both cached and heard counts as cached, what
is both thought and spoken as thought: an audio pool holds no more than its parent has left.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import narwhals as nw

from billing_core.charge_terms import PARTS, TOTAL
from billing_core.exact import Part, added, count, no_count, with_wide_sum
from billing_core.money import INT64_MAX, PPM

if TYPE_CHECKING:
    from billing_core.bounds import Bounds
    from billing_core.charge_terms import TermTable

_COLUMNS = {
    "total": "total_tokens",
    "input": "input_tokens",
    "cache_read": "cache_read_tokens",
    "cache_write_5m": "cache_write_5m_tokens",
    "cache_write_1h": "cache_write_1h_tokens",
    "audio_input": "audio_input_tokens",
    "output": "output_tokens",
    "reasoning": "reasoning_tokens",
    "audio_output": "audio_output_tokens",
}
_AUDIO = "audio_"


def with_tokens_figure(calls: nw.LazyFrame[Any], table: TermTable, result: str, bounds: Bounds) -> nw.LazyFrame[Any]:
    """Add `result`: ceil(sum of the pools x their weights); null where counts do not add up or do not fit Int64.

    Where the table tells pools apart, `is_inconsistent` behind its prefix says which calls have counts that do not.
    """
    if table.is_small:
        return _with_small_figure(calls, table, result)
    return _with_wide_figure(calls, table, result, bounds.most_tokens)


def _with_small_figure(calls: nw.LazyFrame[Any], table: TermTable, result: str) -> nw.LazyFrame[Any]:
    """For counts from 0 whose weighed sum surely stays below 2^53: a product each, one division.

    A parent's weight is for all of its tokens, a part's for what it costs beyond that.
    """
    tokens = {name: nw.col(_COLUMNS[name.removeprefix("ppm_")]) for name in table.weights}
    for parent, parts in PARTS.items():
        audio = f"ppm_{_AUDIO}{parent}"
        if audio in tokens:
            left = nw.col(_COLUMNS[parent]) - _added_parts(parts)
            tokens[audio] = nw.when(tokens[audio] > left).then(left).otherwise(tokens[audio])
    # A part that is null is no number for a multiplier, which does not look at it, and ends a weighed sum below.
    products = [
        (amount if name.removeprefix("ppm_") in (TOTAL, *PARTS) else amount.fill_null(0)) * nw.col(table.prefix + name)
        for name, amount in tokens.items()
    ]
    figure = ((added(products) + count(PPM - 1)) // PPM).cast(nw.Int64)
    if table.pools == (TOTAL,):
        return calls.with_columns(figure.alias(result))
    is_broken = nw.col(f"{table.prefix}multiplier_ppm").is_null() & ~_is_consistent()
    calls = calls.with_columns(is_broken.alias(f"{table.prefix}is_inconsistent"), figure.alias(result))
    is_sound = ~nw.col(f"{table.prefix}is_inconsistent")
    return calls.with_columns(nw.when(is_sound).then(nw.col(result)).otherwise(no_count()).alias(result))


def _is_consistent() -> nw.Expr:
    """Whether no part is larger than its whole; null where a count is."""
    columns = {name: nw.col(column) for name, column in _COLUMNS.items()}
    return nw.all_horizontal(
        *(columns[f"{_AUDIO}{parent}"] <= columns[parent] for parent in PARTS),
        *(_added_parts(parts) <= columns[parent] for parent, parts in PARTS.items()),
        ignore_nulls=False,
    )


def _added_parts(parts: tuple[str, ...]) -> nw.Expr:
    """The tokens that are cached, or thought: all parts but the audio."""
    return added([nw.col(_COLUMNS[part]) for part in parts if not part.startswith(_AUDIO)])


def _with_wide_figure(calls: nw.LazyFrame[Any], table: TermTable, result: str, widest: int) -> nw.LazyFrame[Any]:
    """For any counts, of which the largest is `widest`."""
    prefix = table.prefix
    if table.pools == (TOTAL,):
        total = nw.col("total_tokens")
        is_sound, pools = total >= 0, {TOTAL: total}
    else:
        calls = _with_pools(calls, prefix)
        pools = {pool: nw.col(f"{prefix}{pool}") for pool in table.pools}
        total, is_sound = nw.col(f"{prefix}total"), nw.col(f"{prefix}is_sound")
    sound = {pool: nw.when(is_sound).then(tokens).otherwise(count(0)) for pool, tokens in pools.items()}
    parts = [
        Part(tokens, nw.col(f"{prefix}whole_{pool}"), nw.col(f"{prefix}part_{pool}")) for pool, tokens in sound.items()
    ]
    calls = with_wide_sum(calls, parts, nw.when(is_sound).then(total).otherwise(count(0)), result, widest=widest)
    return calls.with_columns(nw.when(is_sound).then(nw.col(result)).otherwise(no_count()).alias(result))


def _with_pools(calls: nw.LazyFrame[Any], prefix: str) -> nw.LazyFrame[Any]:
    """Add a column of tokens per pool, their `total`, and whether they `is_sound`, behind the prefix.

    Not sound are counts that are none, whose sum is no Int64, or with a part larger than its whole: `is_inconsistent`.
    A multiplier looks at input and output alone.
    """
    pools = {pool: column for pool, column in _COLUMNS.items() if pool != TOTAL}
    is_weighed = nw.col(f"{prefix}multiplier_ppm").is_null()
    wholes = nw.all_horizontal(*(nw.col(pools[parent]) >= 0 for parent in PARTS), ignore_nulls=False)
    parts = nw.all_horizontal(
        *(nw.col(pools[pool]) >= 0 for inside in PARTS.values() for pool in inside), ignore_nulls=False
    )
    calls = calls.with_columns((wholes & (parts | ~is_weighed)).alias(f"{prefix}is_counted"))
    safe = nw.col(f"{prefix}is_counted")
    calls = calls.with_columns(
        nw.when(safe if pool in PARTS else safe & is_weighed)
        .then(nw.col(column))
        .otherwise(count(0))
        .alias(f"{prefix}{pool}")
        for pool, column in pools.items()
    )
    for parent, inside in PARTS.items():
        for pool in inside:
            calls = _taken_out(calls, f"{prefix}{parent}", f"{prefix}{pool}", pools[parent])
    is_short = (nw.col(f"{prefix}input") < 0) | (nw.col(f"{prefix}output") < 0)
    read, written = (nw.when(safe).then(nw.col(pools[parent])).otherwise(count(0)) for parent in PARTS)
    fits = written <= count(INT64_MAX) - read
    return calls.with_columns(
        is_short.alias(f"{prefix}is_inconsistent"),
        (safe & ~is_short & fits).alias(f"{prefix}is_sound"),
        (read + nw.when(fits).then(written).otherwise(count(0))).alias(f"{prefix}total"),
    )


def _taken_out(calls: nw.LazyFrame[Any], left: str, part: str, whole: str) -> nw.LazyFrame[Any]:
    """Take a part out of what is left of its parent, which ends below 0 and stays there where the part was larger."""
    rest, taken = nw.col(left), nw.col(part)
    if _AUDIO in part:
        is_cut = (taken > rest) & (rest >= 0) & (taken <= nw.col(whole))
        calls = calls.with_columns(nw.when(is_cut).then(rest).otherwise(taken).alias(part))
    return calls.with_columns(nw.when(rest < 0).then(rest).otherwise(rest - nw.col(part)).alias(left))
