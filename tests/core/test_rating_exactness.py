"""Rating against exact fractions: drawn cases on two engines, and a large seeded volume."""

from __future__ import annotations

import math
import random
from fractions import Fraction
from typing import Any

import narwhals as nw
import polars as pl
from hypothesis import example, given, settings
from hypothesis import strategies as st

from billing_core.rating import ceil_times_ppm, rate
from billing_core.settings import Settings, SettingsBook
from tests.core.rating_support import EVENT_SCHEMA, PLAIN_CALL, rated

INT64_MAX = 2**63 - 1
FAMILIES = {"dall-e-3": "dall_e_3", "dall-e-2": "dall_e_2", "imagen-3": "google", "gpt-image-1": None}
TOKENS = st.one_of(
    st.just(0),
    st.integers(0, 5000),
    st.integers(0, 2 * 10**12),
    st.integers(2**53, 2**53 + 9),
    st.integers(0, INT64_MAX),
)
PPM = st.one_of(
    st.integers(1, 10**12 - 1), st.integers(1, 40).map(lambda tenths: tenths * 100_000), st.integers(999_990, 1_000_010)
)
COST = st.one_of(st.just(0), st.integers(1, 10**5), st.integers(1, INT64_MAX))
POLICY = st.sampled_from(["free", "bill"])
TERMS = st.fixed_dictionaries(
    {
        "multiplier_ppm": PPM,
        "image_generation_cost_dall_e_3": COST,
        "image_generation_cost_dall_e_2": COST,
        "image_generation_cost_google": COST,
        "partial_error": POLICY,
        "gateway_cache_hit": POLICY,
        "cancelled_stream": POLICY,
    }
)
CALL = st.fixed_dictionaries(
    {
        "occurred_us": st.integers(0, 12),
        "operation_type": st.sampled_from(["chat", "image", "prompt"]),
        "model": st.sampled_from(list(FAMILIES)),
        "total_tokens": TOKENS,
        "image_count": TOKENS,
        "success": st.booleans(),
        "gateway_cache_hit": st.booleans(),
        "cancelled": st.booleans(),
    }
)


class DividesAsDouble(int):
    """A count on an engine that divides integers through a double, as Spark does."""

    def __add__(self, other: int) -> DividesAsDouble:
        return DividesAsDouble(int(self) + int(other))

    def __sub__(self, other: int) -> DividesAsDouble:
        return DividesAsDouble(int(self) - int(other))

    def __mul__(self, other: int) -> DividesAsDouble:
        return DividesAsDouble(int(self) * int(other))

    def __mod__(self, other: int) -> DividesAsDouble:
        return DividesAsDouble(int(self) % int(other))

    def __floordiv__(self, other: int) -> DividesAsDouble:
        return DividesAsDouble(math.floor(float(self) / float(other)))

    def cast(self, dtype: object) -> DividesAsDouble:
        return self


@st.composite
def books(draw: st.DrawFn) -> SettingsBook:
    """A book of one to six versions that change at instants from 1 to 12."""
    starts = sorted(draw(st.sets(st.integers(1, 12), max_size=5)))
    terms: list[dict[str, Any]] = draw(st.lists(TERMS, min_size=len(starts) + 1, max_size=len(starts) + 1))
    spans = zip([None, *starts], [*starts, None], terms, strict=True)
    return SettingsBook(tuple(Settings(effective_from=start, effective_to=end, **held) for start, end, held in spans))


def expected(call: dict[str, Any], book: SettingsBook) -> dict[str, Any]:
    """The rule in plain Python with fractions: version, rule and figure of one call."""
    terms = [v for v in book.versions if v.effective_from is None or v.effective_from <= call["occurred_us"]][-1]
    row: dict[str, Any] = {
        "settings_version": terms.settings_version,
        "rate_id": None,
        "billable_tokens": None,
        "rating_reason": None,
    }
    flags = (
        (not call["success"], terms.partial_error),
        (call["gateway_cache_hit"], terms.gateway_cache_hit),
        (call["cancelled"], terms.cancelled_stream),
    )
    if any(raised and policy == "free" for raised, policy in flags):
        return row | {"billable_tokens": 0}
    if call["operation_type"] == "image":
        family = FAMILIES[call["model"]]
        if family is None:
            return row
        rate_id, figure = f"image_{family}", call["image_count"] * getattr(terms, f"image_generation_cost_{family}")
    else:
        rate_id, figure = "default_multiplier", math.ceil(call["total_tokens"] * Fraction(terms.multiplier_ppm, 10**6))
    if figure > INT64_MAX:
        return row | {"rate_id": rate_id, "rating_reason": "amount_out_of_range"}
    return row | {"rate_id": rate_id, "billable_tokens": figure}


@settings(max_examples=40)  # up to 40 calls each; building one plan for DuckDB takes far longer than rating them
@given(st.lists(CALL, min_size=1, max_size=40), books())
def test_every_call_is_rated_as_exact_fractions_say(calls: list[dict[str, Any]], book: SettingsBook) -> None:
    """Any counts, multipliers, versions and policies, on both engines."""
    for row, call in zip(rated(calls, book), calls, strict=True):
        wanted = expected(call, book)
        assert {name: row[name] for name in wanted} == wanted
        assert row["rate_version"] == (row["settings_version"] if row["rate_id"] else None)


@given(st.integers(0, INT64_MAX) | st.integers(0, 10**6).map(lambda n: 10**12 - n), PPM)
@example(500_000, 10**12 - 2)
@example(9_223_372_036_853_999_999, 1)
def test_the_arithmetic_is_exact_even_where_division_goes_through_a_double(tokens: int, ppm: int) -> None:
    """Plain division would return a neighbour of some figures there; and no step leaves Int64."""
    fitting = min(tokens, INT64_MAX * 10**6 // ppm)
    arithmetic: Any = ceil_times_ppm
    assert int(arithmetic(DividesAsDouble(fitting), DividesAsDouble(ppm))) == math.ceil(Fraction(fitting * ppm, 10**6))


def test_two_hundred_thousand_calls_over_fifty_versions_are_exact() -> None:
    """A volume that a figure lost in a double's rounding could not hide in: many products pass 2^53."""
    draw = random.Random(20261122)
    starts = list(range(1, 50))
    ppms = [draw.choice([draw.randrange(1, 10**12), draw.randrange(1, 5_000_000)]) for _ in range(50)]
    spans = zip([None, *starts], [*starts, None], ppms, strict=True)
    book = SettingsBook(tuple(Settings(effective_from=s, effective_to=e, multiplier_ppm=ppm) for s, e, ppm in spans))
    count = 200_000
    tokens = [draw.randrange(10 ** draw.randrange(1, 13)) for _ in range(count)]
    plain = pl.DataFrame([PLAIN_CALL], schema={name: EVENT_SCHEMA[name] for name in PLAIN_CALL})
    events = (
        plain.drop("occurred_us", "total_tokens")
        .join(pl.DataFrame({"row_id": range(count), "total_tokens": tokens}), how="cross")
        .with_columns((pl.col("row_id") % 50).alias("occurred_us"))
    )
    billable = (
        rate(nw.from_native(events.lazy()), book).collect().to_native().sort("row_id")["billable_tokens"].to_list()
    )
    assert billable == [math.ceil(Fraction(t * ppms[row % 50], 10**6)) for row, t in enumerate(tokens)]
