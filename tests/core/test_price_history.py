"""A refresh of prices: what the table said of the past stands, whatever the new export says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from billing_core.price_history import merged
from billing_core.provider_prices import Period, PricedModel, Rate

if TYPE_CHECKING:
    from collections.abc import Sequence

EXPORTED, FETCHED, LATER = 100, 200, 300


def model(*steps: tuple[int | None, str], source_version: str = "1") -> PricedModel:
    """A model whose one price changes at each step."""
    starts: Sequence[int | None] = [*(start for start, _ in steps[1:]), None]
    periods = [
        Period((Rate("input_tokens", 1_000_000, price),), start, end, source="lib", source_version=source_version)
        for (start, price), end in zip(steps, starts, strict=True)
    ]
    return PricedModel("p", "m", tuple(periods))


def merge(old: PricedModel | None, new: PricedModel | None) -> PricedModel:
    """A refresh at FETCHED over a table of EXPORTED."""
    return merged(old, new, exported_us=EXPORTED, fetched_us=FETCHED)


def price(priced: PricedModel, instant: int) -> str | None:
    """The price at an instant."""
    period = priced.at(instant)
    return period.rates[0].usd if period else None


def prices(priced: PricedModel) -> list[str | None]:
    """The price before the old export, between, on the day of the refresh, and after."""
    return [price(priced, instant) for instant in (50, 150, FETCHED - 1, FETCHED, LATER)]


def test_an_undated_change_holds_from_the_day_of_the_refresh() -> None:
    """Nobody said since when."""
    assert prices(merge(model((None, "3")), model((None, "2")))) == ["3", "3", "3", "2", "2"]


def test_a_change_dated_after_the_last_export_holds_from_its_date() -> None:
    """The cut of day 150 was simply not known before."""
    assert prices(merge(model((None, "3")), model((None, "3"), (150, "2")))) == ["3", "2", "2", "2", "2"]


def test_a_date_before_the_last_export_does_not_reach_back() -> None:
    """The old table spoke for that time and said otherwise."""
    assert prices(merge(model((None, "3")), model((None, "3"), (50, "2")))) == ["3", "3", "3", "2", "2"]


def test_an_announced_change_stays_ahead() -> None:
    """What begins after the refresh begins then."""
    found = merge(model((None, "3")), model((None, "3"), (LATER, "1")))
    assert [price(found, LATER - 1), price(found, LATER)] == ["3", "1"]


def test_a_model_that_is_new_or_dropped_keeps_what_is_known_of_it() -> None:
    """A new one for all time, a dropped one its last price."""
    assert prices(merge(None, model((None, "2")))) == ["2"] * 5
    assert prices(merge(model((None, "3")), None)) == ["3"] * 5


def test_the_same_prices_keep_their_source_and_version() -> None:
    """A later release of the library that changed nothing is no new price list."""
    old = model((None, "3"), (50, "2"))
    assert merge(old, model((None, "3"), (50, "2"), source_version="2")) is old


STEPS = st.lists(
    st.tuples(st.integers(1, 400), st.sampled_from(["1", "2", "3"])), max_size=4, unique_by=lambda step: step[0]
).map(lambda steps: model((None, "9"), *sorted(steps)))


@given(STEPS, STEPS)
def test_no_refresh_rewrites_the_past_or_leaves_a_gap(old: PricedModel, new: PricedModel) -> None:
    """Before the old export the old table, from the refresh on the new one, at each instant exactly one price."""
    found = merge(old, new)
    for instant in range(0, 450, 7):
        assert sum(period.holds_at(instant) for period in found.periods) == 1
        if instant < EXPORTED:
            assert price(found, instant) == price(old, instant)
        if instant >= FETCHED:
            assert price(found, instant) == price(new, instant)
