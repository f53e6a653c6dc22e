"""Rating against exact fractions: random books and calls of every kind on two engines, and their largest volume."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import Any

import narwhals as nw
import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from billing_core.bounds import Bounds, bounds_of
from billing_core.exact import divided
from billing_core.tiers import price_tiers, tier_charges
from tests.core import price_oracle
from tests.core.price_dice import Dice, book_of
from tests.core.rating_support import events_of, in_duckdb, rated_frame

INT64_MAX = 2**63 - 1


class DividesAsDouble(int):
    """A count on an engine that divides integers through a double, as Spark does."""

    def __add__(self, other: int) -> DividesAsDouble:
        return DividesAsDouble(int(self) + int(other))

    def __sub__(self, other: int) -> DividesAsDouble:
        return DividesAsDouble(int(self) - int(other))

    def __mod__(self, other: int) -> DividesAsDouble:
        return DividesAsDouble(int(self) % int(other))

    def __floordiv__(self, other: int) -> DividesAsDouble:
        return DividesAsDouble(math.floor(float(self) / float(other)))

    def cast(self, dtype: object) -> DividesAsDouble:
        return self


@given(st.integers(0, INT64_MAX) | st.integers(0, 9 * 10**12).map(lambda millions: millions * 10**6))
@example(INT64_MAX)
@example(9_223_372_036_853_999_999)
def test_division_is_exact_even_where_it_goes_through_a_double(tokens: int) -> None:
    """Plain division would return a neighbour of some quotients there; and no step leaves Int64."""
    division: Any = divided
    assert int(division(DividesAsDouble(tokens))) == tokens // 10**6


def expected(call: dict[str, Any], settings: list[dict[str, Any]], rules: list[dict[str, Any]]) -> Any:
    """What the oracle says of a call under a file."""
    return price_oracle.price(call, settings[call["occurred_us"]], rules)


def said(row: dict[str, Any]) -> Any:
    """What `rate` says of it, in the oracle's words."""
    if row["rating_reason"] is not None:
        return {"amount_out_of_range": "out", "inconsistent_usage": "bad"}[row["rating_reason"]]
    return "tiered" if row["charge_type"] == "tiered" else row["billable_tokens"]


def differences(seed: int, calls_per_book: int, rules_per_book: int) -> int:
    """How many calls of one random file the oracle prices otherwise, tiers included, after two engines agreed.

    Every other seed has small counts and weights, which are priced by a shorter sum.
    """
    dice = Dice(seed, is_small=seed % 2 == 0)
    settings, rules = dice.settings(), dice.rules(rules_per_book)
    calls = [dice.call() for _ in range(calls_per_book)]
    book = book_of(settings, rules)
    rows = rated_frame(events_of(calls), book).to_dicts()
    wrong = sum(bool(said(row) != expected(call, settings, rules)) for row, call in zip(rows, calls, strict=True))
    tiered = [(row, call) for row, call in zip(rows, calls, strict=True) if row["charge_type"] == "tiered"]
    return wrong + tier_differences(tiered, book, {rule["id"]: rule for rule in rules})


def tier_differences(tiered: list[tuple[dict[str, Any], dict[str, Any]]], book: Any, rules: dict[str, Any]) -> int:
    """The same for calls that stand in their account's month one after the other."""
    counts = ("total_tokens", "occurred_us", "account_id")
    columns = {"period": "1970-01", "opening": 0, "known_position": None, "month_tokens": None}
    rows = [
        {**{name: call[name] for name in counts}, **columns, "order_id": f"{row['row_id']:012d}"}
        | {name: row[name] for name in ("row_id", "rate_id", "rate_version")}
        for row, call in tiered
        if call["total_tokens"] <= INT64_MAX // 10**6
    ]
    if not rows:
        return 0
    frame = pl.DataFrame(rows, schema_overrides={"known_position": pl.Int64, "month_tokens": pl.Int64})
    charges = tier_charges(book)
    on_polars = price_tiers(nw.from_native(frame.lazy()), charges).collect().to_native().sort("row_id")
    on_duckdb = price_tiers(in_duckdb(frame), charges, in_duckdb).collect("polars").to_native().sort("row_id")
    assert on_duckdb.equals(on_polars)
    found = {row["row_id"]: (row["position"], row["billable_tokens"]) for row in on_polars.to_dicts()}
    months: dict[tuple[str, str], int] = defaultdict(int)
    wrong = 0
    for row in sorted(rows, key=lambda row: (row["occurred_us"], row["order_id"])):
        month = (row["account_id"], row["rate_id"])
        rule = rules[row["rate_id"]]
        wanted = (months[month], price_oracle.tier_price(row["total_tokens"], months[month], rule))
        wrong += found[row["row_id"]] != wanted
        months[month] += row["total_tokens"]
    return wrong


@pytest.mark.parametrize("seed", [0, 1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (2, 3))])
def test_every_call_is_priced_as_exact_fractions_say(seed: int) -> None:
    """Any rules, counts, multipliers, versions and policies, on both engines: no difference."""
    assert differences(seed, calls_per_book=1_500, rules_per_book=12) == 0


def test_a_huge_call_among_others_changes_none_of_their_prices() -> None:
    """Small counts are priced by a shorter sum, which one call too large for it rules out for all."""
    dice = Dice(77, is_small=True)
    book = book_of(dice.settings(), dice.rules(12))
    calls = [dice.call() for _ in range(2_000)]
    assert bounds_of(nw.from_native(events_of(calls).lazy())).tokens_fit(9 * 10**8)
    alone = rated_frame(events_of(calls), book)
    beside = rated_frame(events_of([*calls, {"total_tokens": INT64_MAX, "image_count": INT64_MAX}]), book)
    assert beside.head(len(calls)).equals(alone)


def test_bounds_are_those_of_every_count_that_the_events_have() -> None:
    """Nulls and absent columns count for nothing; a number below 0 is no count, so nothing is small."""
    frame = pl.DataFrame({"total_tokens": [5, None, 7], "cache_read_tokens": [9, 1, 0], "image_count": [None, 2, 3]})
    bounds = bounds_of(nw.from_native(frame.lazy()))
    assert bounds == Bounds(3, 0, 9, 2, 3)
    assert (bounds.tokens_fit(2**53 // 9), bounds.tokens_fit(2**53 // 9 + 1)) == (True, False)
    assert (bounds.images_fit(2**53 // 3), bounds.images_fit(2**53 // 3 + 1)) == (True, False)
    assert not Bounds(3, -1, 9, 2, 3).tokens_fit(1)
    assert bounds_of(nw.from_native(frame.select("image_count").clear().lazy())) == Bounds(0, 0, 0, 0, 0)


@pytest.mark.large
def test_a_million_random_calls_are_priced_without_a_difference() -> None:
    """Fifty random price files with twenty thousand calls each."""
    assert sum(differences(seed, calls_per_book=20_000, rules_per_book=16) for seed in range(1000, 1050)) == 0
