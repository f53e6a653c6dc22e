"""Exact sums of tokens times weights, rounded up once, in 64-bit integers on every engine.

A weight in parts per million is held as two whole numbers, `weight = whole + part / PPM`. No step may leave Int64: some
engines wrap in silence, others raise; so every product is taken on 0 wherever the real one might not fit. Steps are
columns of their own: an engine that is handed SQL would otherwise spell out each of them many times.
"""

from __future__ import annotations

from functools import reduce
from operator import add
from typing import TYPE_CHECKING, Any, NamedTuple

import narwhals as nw

from billing_core.money import INT64_MAX, PPM

if TYPE_CHECKING:
    from collections.abc import Sequence

_TOP, _REST = divmod(INT64_MAX, PPM)
NARROW_MAX = INT64_MAX // PPM
"""Tokens of a call, all parts together, whose weighed sum always fits: weights are below a million."""


class Part(NamedTuple):
    """One of the disjoint parts of a call's tokens, and the two numbers of its weight."""

    tokens: nw.Expr
    whole: nw.Expr
    part: nw.Expr


def count(value: int) -> nw.Expr:
    """A literal of a fixed width, so that no engine picks a narrower or unsigned integer."""
    return nw.lit(value, dtype=nw.Int64)


def no_count() -> nw.Expr:
    """No number."""
    return nw.lit(None, dtype=nw.Int64)


def with_sum(calls: nw.LazyFrame[Any], parts: Sequence[Part], result: str) -> nw.LazyFrame[Any]:
    """Add `result`: ceil(sum of tokens x weight), for parts that come to NARROW_MAX tokens at most, none negative."""
    calls = calls.with_columns(
        added([one.tokens * one.whole for one in parts]).alias(f"{result}_whole"),
        (added([one.tokens * one.part for one in parts]) + count(PPM - 1)).alias(f"{result}_part"),
    )
    return calls.with_columns((nw.col(f"{result}_whole") + divided(nw.col(f"{result}_part"))).alias(result))


def with_wide_sum(
    calls: nw.LazyFrame[Any], parts: Sequence[Part], total: nw.Expr, result: str, *, widest: int
) -> nw.LazyFrame[Any]:
    """The same for parts that come to `total`, any Int64; null where the result does not fit Int64.

    At most 8 parts. `widest` is the largest total of any row: beyond NARROW_MAX, which no call of the world reaches,
    each part has to be divided.
    """
    if widest <= NARROW_MAX:
        return with_sum(calls, parts, result)
    is_narrow = total <= count(NARROW_MAX)
    calls = with_sum(calls, _only(parts, is_narrow), result)
    calls = _with_wide_sum(calls, _only(parts, ~is_narrow), f"{result}_wide")
    return calls.with_columns(nw.when(is_narrow).then(nw.col(result)).otherwise(nw.col(f"{result}_wide")).alias(result))


def _with_wide_sum(calls: nw.LazyFrame[Any], parts: Sequence[Part], result: str) -> nw.LazyFrame[Any]:
    """With tokens = high x PPM + low the sum is top x PPM + rest, and no term of top or of rest can leave Int64."""
    names = [f"{result}_{number}" for number in range(len(parts))]
    calls = calls.with_columns(one.tokens.alias(name) for name, one in zip(names, parts, strict=True))
    calls = calls.with_columns(
        *(divided(nw.col(name)).alias(f"{name}_high") for name in names),
        *((nw.col(name) % PPM).alias(f"{name}_low") for name in names),
    )
    highs, lows = ([nw.col(f"{name}_{half}") for name in names] for half in ("high", "low"))
    crumbs = added([low * one.part for low, one in zip(lows, parts, strict=True)])
    calls = calls.with_columns((crumbs + count(PPM - 1)).alias(f"{result}_crumbs"))
    rest = [high * one.part for high, one in zip(highs, parts, strict=True)]
    rest += [low * one.whole for low, one in zip(lows, parts, strict=True)]
    top = [high * one.whole for high, one in zip(highs, parts, strict=True)]
    calls = calls.with_columns(
        added([*rest, divided(nw.col(f"{result}_crumbs"))]).alias(f"{result}_rest"), added(top).alias(f"{result}_top")
    )
    calls = calls.with_columns(
        (nw.col(f"{result}_top") + divided(nw.col(f"{result}_rest"))).alias(f"{result}_top"),
        (nw.col(f"{result}_rest") % PPM).alias(f"{result}_rest"),
    )
    at_top, at_rest = nw.col(f"{result}_top"), nw.col(f"{result}_rest")
    fits = (at_top < count(_TOP)) | ((at_top == count(_TOP)) & (at_rest <= count(_REST)))
    figure = nw.when(fits).then(at_top).otherwise(count(0)) * PPM + at_rest
    return calls.with_columns(nw.when(fits).then(figure).otherwise(no_count()).alias(result))


def with_blocks(calls: nw.LazyFrame[Any], tokens: nw.Expr, size: str, half: str, result: str) -> nw.LazyFrame[Any]:
    """Add `result`: ceil(tokens / size), for counts from 0 and columns of sizes from 1 and of (size + 1) // 2.

    Null where the size is. Taking half a size off the multiple serves as adding half to it does in `divided`, and
    cannot leave Int64.
    """
    before = nw.col(f"{result}_before")
    calls = calls.with_columns((tokens - count(1)).alias(f"{result}_before"))
    calls = calls.with_columns((before - before % nw.col(size) - nw.col(half)).alias(f"{result}_before"))
    started = (before // nw.col(size)).cast(nw.Int64) + count(2)
    return calls.with_columns(nw.when(tokens > count(0)).then(started).otherwise(count(0)).alias(result))


def _only(parts: Sequence[Part], condition: nw.Expr) -> list[Part]:
    return [one._replace(tokens=nw.when(condition).then(one.tokens).otherwise(count(0))) for one in parts]


def added(terms: Sequence[nw.Expr]) -> nw.Expr:
    """The sum of some columns, null where one is."""
    return reduce(add, terms)


def divided(dividend: nw.Expr) -> nw.Expr:
    """Floor division of a count by PPM; give it a column, not a formula.

    Some engines divide integers through a double. Taking off the remainder first and adding half a divisor puts the
    true quotient in the middle between two integers, far from where a double's rounding could tip it over.
    """
    multiple = dividend - dividend % PPM
    return ((multiple + PPM // 2) // PPM).cast(nw.Int64)
