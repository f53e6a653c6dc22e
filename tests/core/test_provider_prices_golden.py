"""Price cases recorded by another project: every one gives its price, to the last digit, without tolerance."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from billing_core.instants import epoch_us
from billing_core.provider_prices import Period, PriceRefusedError, Rate, in_tier, price_tokens, usd
from pipelines.prices.book import release_book

if TYPE_CHECKING:
    from billing_core.provider_price_book import ProviderPriceBook

_FILE = Path(__file__).parents[1] / "fixtures/golden/usage_and_prices.json"
CASES: list[dict[str, Any]] = json.loads(_FILE.read_text("utf-8"))["cases"]
NOW = datetime(2026, 11, 28, 18, tzinfo=UTC)
# Recorded at prices that the table holds for an earlier time.
EARLIER = {
    "gp-0011": datetime(2026, 7, 29, tzinfo=UTC),
    "gp-1235": datetime(2026, 7, 29, tzinfo=UTC),
    "gp-1125": datetime(2026, 8, 1, 12, tzinfo=UTC),
}
# Recorded at a price that the source has since replaced without a date: the price as recorded, per million tokens.
REPLACED = {"mistral-medium-latest": {"input_mtok": "0.4", "output_mtok": "2"}}
UNIT = {
    "input": "input_tokens",
    "cache_write": "cache_write_tokens",
    "cache_read": "cache_read_tokens",
    "output": "output_tokens",
}


def priced_cases() -> list[Any]:
    """The cases that say what a response cost."""
    return [
        pytest.param(case, id=case["id"]) for case in CASES if {"input_price", "total_price"} & set(case["expected"])
    ]


def as_period(prices: dict[str, Any]) -> Period:
    """A case's own price list."""
    rates = []
    for key, price in prices.items():
        unit = {"input_audio_mtok": "input_audio_tokens", "output_audio_mtok": "output_audio_tokens"}.get(
            key, key.replace("_mtok", "_tokens")
        )
        tiers = [(0, price)] if isinstance(price, str) else [(0, price["base"])]
        tiers += [] if isinstance(price, str) else [(tier["start"], tier["price"]) for tier in price["tiers"]]
        rates += [Rate(unit, 1_000_000, usd_, start) for start, usd_ in tiers if key.endswith("_mtok")]
    return Period(tuple(rates))


def table_period(case: dict[str, Any], book: ProviderPriceBook) -> Period | None:
    """The list of the release's table for a case."""
    found = book.find(case["inputs"]["provider"], case["expected"].get("model"), "tokens")
    instant = epoch_us(EARLIER.get(case["id"], NOW))
    return found.priced.at(instant) if found.priced else None


def require(case: dict[str, Any], period: Period) -> None:
    """The case's prices, input and output apart where it tells them."""
    found = price_tokens(period, case["expected"]["usage"])
    figures = {"input_price": usd(found.input), "output_price": usd(found.output), "total_price": usd(found.total)}
    wanted = {key: Decimal(value) for key, value in case["expected"].items() if key in figures}
    assert {key: figures[key] for key in wanted} == wanted


@pytest.fixture(scope="module")
def book() -> ProviderPriceBook:
    """The prices of this release."""
    return release_book()


@pytest.mark.parametrize("case", priced_cases())
def test_a_recorded_response_costs_what_was_recorded(case: dict[str, Any], book: ProviderPriceBook) -> None:
    """At the prices of the case, and at those of the release's table for its model and time."""
    given = case["inputs"].get("unit_prices_per_mtok") or REPLACED.get(case["expected"].get("model") or "")
    if given:
        require(case, as_period(given))
    if case["expected"].get("model") not in REPLACED:
        period = table_period(case, book)
        assert period is not None
        require(case, period)


@pytest.mark.parametrize(
    "case", [case for case in CASES if case["kind"] == "effective_dated_price"], ids=lambda c: c["id"]
)
def test_a_dated_price_holds_from_its_first_instant(case: dict[str, Any], book: ProviderPriceBook) -> None:
    """The unit prices of a model at a time, below the first tier."""
    inputs = case["inputs"]
    priced = book.find(inputs["provider"], inputs["model"], "tokens").priced
    assert priced is not None
    period = priced.at(epoch_us(datetime.fromisoformat(inputs["request_time"])))
    assert period is not None
    rates = in_tier(period.rates, 1)
    wanted = case["expected"]["unit_prices_per_mtok"]
    assert {unit: rates[UNIT[unit]].usd for unit in wanted} == wanted


def test_a_count_above_its_whole_is_refused(book: ProviderPriceBook) -> None:
    """Thirty-seven tokens read from a cache by a request without input have no price."""
    (case,) = [case for case in CASES if case["id"] == "gp-0022"]
    assert case["expected"]["usage"] == {"cache_read_tokens": 37}
    priced = book.find("cohere", "command-r-plus", "tokens").priced
    assert priced is not None
    with pytest.raises(PriceRefusedError, match="37 cache_read_tokens exceed the 0 input_tokens"):
        price_tokens(priced.periods[0], case["expected"]["usage"])
