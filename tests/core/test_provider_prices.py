"""Provider prices: subsets charged once, tiers and windows, figures exact to the last digit."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_core.errors import ConfigurationError
from billing_core.provider_prices import (
    ANY,
    Period,
    PricedModel,
    PriceRefusedError,
    Rate,
    price_images,
    price_tokens,
    usd,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

MTOK = 1_000_000
HOUR = 3_600_000_000


def listed(**prices: str | Mapping[int, str]) -> Period:
    """A price list in dollars per million tokens, tiers by their start."""
    tiers = {unit: {0: price} if isinstance(price, str) else price for unit, price in prices.items()}
    return Period(tuple(Rate(unit, MTOK, text, start) for unit, of in tiers.items() for start, text in of.items()))


def cost(period: Period, **counts: int) -> Decimal:
    """Exact dollars of a call."""
    return usd(price_tokens(period, counts).total)


def test_each_token_is_charged_once_at_its_nearest_price() -> None:
    """1,000 input tokens of which 600 came from a cache: 400 at the full price; reasoning without a price is output."""
    period = listed(input_tokens="3", cache_read_tokens="0.3", output_tokens="15")
    counts = {"input_tokens": 1_000, "cache_read_tokens": 600, "output_tokens": 10, "output_reasoning_tokens": 4}
    assert cost(period, **counts) == Decimal("0.0012") + Decimal("0.00018") + Decimal("0.00015")


def test_a_cache_write_takes_the_price_of_its_lifetime_or_of_any() -> None:
    """An hour's write has its own price; five minutes fall back to the price of a write."""
    period = listed(input_tokens="3", cache_write_tokens="3.75", cache_write_1h_tokens="6")
    counts = {"input_tokens": 100, "cache_write_tokens": 60, "cache_write_1h_tokens": 20}
    assert cost(period, **counts) == Decimal("0.00012") + Decimal("0.00015") + Decimal("0.00012")


@pytest.mark.parametrize(("tokens", "dollars"), [(200_000, "0.6"), (200_001, "1.200006")])
def test_the_whole_request_moves_to_the_tier_that_it_exceeds(tokens: int, dollars: str) -> None:
    """Exactly the threshold is still the lower tier; one token more and every token costs the higher price."""
    period = listed(input_tokens={0: "3", 200_000: "6"}, output_tokens={0: "15", 200_000: "22.5"})
    assert cost(period, input_tokens=tokens) == Decimal(dollars)
    output = Decimal(100) * (Decimal(15) if tokens == 200_000 else Decimal("22.5")) / MTOK
    assert cost(period, input_tokens=tokens, output_tokens=100) == Decimal(dollars) + output


@pytest.mark.parametrize(
    "counts",
    [
        {"input_tokens": 13, "cache_read_tokens": 37},
        {"cache_read_tokens": 37},
        {"input_tokens": 100, "cache_read_tokens": 60, "input_audio_tokens": 60},
        {"output_tokens": 5},
    ],
)
def test_counts_that_cannot_be_told_apart_are_refused(counts: dict[str, int]) -> None:
    """A part above its whole, an overlap that nobody counted, tokens that nothing prices: no figure is invented."""
    period = listed(input_tokens="3", cache_read_tokens="0.3", input_audio_tokens="10", cache_audio_read_tokens="1")
    with pytest.raises(PriceRefusedError):
        price_tokens(period, counts)


def test_a_counted_overlap_is_charged_at_its_own_price() -> None:
    """Cached audio is taken out of both the cached and the audio tokens."""
    period = listed(input_tokens="1", cache_read_tokens="0.1", input_audio_tokens="10", cache_audio_read_tokens="2")
    counts = {"input_tokens": 100, "cache_read_tokens": 50, "input_audio_tokens": 30, "cache_audio_read_tokens": 20}
    dollars = Decimal(40 * 1 + 10 * 10 + 20 * 2) / MTOK + Decimal(30) * Decimal("0.1") / MTOK
    assert cost(period, **counts) == dollars


def test_a_price_of_eighteen_decimals_is_exact_and_only_nano_dollars_round() -> None:
    """Half to even at the ninth decimal of a dollar, nowhere before."""
    period = listed(input_tokens="0.083333333333333333")
    assert cost(period, input_tokens=3) == Decimal("0.000000249999999999999999")
    assert price_tokens(listed(input_tokens="0.0005"), {"input_tokens": 1}).nanousd == 0
    assert price_tokens(listed(input_tokens="0.0005"), {"input_tokens": 3}).nanousd == 2


@pytest.mark.parametrize("text", ["1e3", "-1", "1.", ".5", "0.1234567890123456789", "nan", "01", "4001"])
def test_what_is_no_exact_price_is_refused(text: str) -> None:
    """Floats, signs, more digits than are kept, and prices too large to be one."""
    with pytest.raises(ConfigurationError, match="input_tokens"):
        _ = Rate("input_tokens", MTOK, text).scaled


def test_images_are_priced_by_size_and_quality_as_logged() -> None:
    """A size that has no price is refused; a call that names none has a row of its own."""
    rates = (
        Rate("images", 1, "0.04", 0, "1024x1024", ANY),
        Rate("images", 1, "0.04", 0, None, ANY),
        Rate("images", 1, "0.08", 0, "1792x1024", ANY),
    )
    assert usd(price_images(Period(rates), 3, "1792x1024", "standard").total) == Decimal("0.24")
    assert usd(price_images(Period(rates), 1, None, None).total) == Decimal("0.04")
    with pytest.raises(PriceRefusedError):
        price_images(Period(rates), 1, "64x64", None)


def test_the_list_in_force_is_that_of_the_date_and_the_hour() -> None:
    """From its first microsecond until before its last; a kind of request that no list is for has no price."""
    old, new = listed(input_tokens="3").rates, listed(input_tokens="1").rates
    model = PricedModel(
        "p",
        "m",
        (
            Period(old, None, 10 * 24 * HOUR),
            Period(new, 10 * 24 * HOUR, None, 0, 6 * 3600),
            Period(old, 10 * 24 * HOUR, None, 6 * 3600),
            Period(new, None, None, variant="batch"),
        ),
    )

    def price_at(instant_us: int, variant: str = "standard") -> str | None:
        period = model.at(instant_us, variant)
        return period.rates[0].usd if period else None

    assert [price_at(10 * 24 * HOUR + step) for step in (-1, 0, 6 * HOUR - 1, 6 * HOUR)] == ["3", "1", "1", "3"]
    assert price_at(0, "batch") == "1"
    assert price_at(0, "express") is None


_EDGES = st.sampled_from([None, 0, 1, 2, 3])


@st.composite
def _periods(draw: st.DrawFn, variant: str) -> Period:
    begins, ends = draw(_EDGES), draw(_EDGES)
    if begins is not None and ends is not None and ends <= begins:
        begins, ends = None, begins
    first, last = draw(st.sampled_from([(0, 2), (0, 1), (1, 2)]))
    starts, stops = (None if edge is None else edge * 24 * HOUR for edge in (begins, ends))
    price = listed(input_tokens=str(draw(st.integers(1, 9)))).rates
    return Period(price, starts, stops, first * 43_200, last * 43_200, variant)


@given(st.lists(_periods("standard"), max_size=3), st.lists(_periods("batch"), max_size=3), st.integers(-1, 7))
def test_the_lists_of_a_tier_are_those_in_force_one_by_one(
    plain: list[Period], batch: list[Period], half_day: int
) -> None:
    """Laid out for a join, without overlap: the list of the tier where it has one, the standard one elsewhere."""
    model = PricedModel("p", "m", (*without_overlap(plain), *without_overlap(batch)))
    instant = half_day * 12 * HOUR
    for variant in ("standard", "batch", "flex"):
        found = [period for period in model.charged_as(variant).periods if period.holds_at(instant)]
        wanted = model.at(instant, variant)
        assert [period.rates for period in found] == ([wanted.rates] if wanted else [])


def without_overlap(periods: list[Period]) -> list[Period]:
    """Those that hold at no instant at which one before them does."""
    kept: list[Period] = []
    for period in periods:
        places = [at for at in (n * 12 * HOUR for n in range(-4, 12)) if period.holds_at(at)]
        if places and not any(one.holds_at(at) for one in kept for at in places):
            kept.append(period)
    return kept
