"""The exported table against the library that it comes from: every price, by the library's own arithmetic."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, localcontext
from typing import TYPE_CHECKING, Any

import pytest

from billing_core.instants import epoch_us
from billing_core.provider_prices import STANDARD, UNITS, PriceRefusedError, price_tokens, usd
from pipelines.prices.book import release_book
from pipelines.prices.export import exported_table
from pipelines.prices.table import parse_table, table_text

if TYPE_CHECKING:
    from pipelines.prices.table import PriceTable

genai_prices = pytest.importorskip("genai_prices")
SAMPLES = 6_000
CONTEXTS: dict[str, dict[str, str]] = {
    STANDARD: {},
    "batch": {"processing": "batch"},
    "priority": {"service_tier": "priority"},
    "flex": {"service_tier": "flex"},
}


@pytest.fixture(scope="module")
def table() -> PriceTable:
    """The table of the installed library, written and read back."""
    return parse_table(table_text(exported_table(date(2026, 11, 28))))


def counts(dice: random.Random) -> dict[str, int]:
    """Counts of one call: inclusive totals around the tiers, with subsets that never overlap."""
    total = dice.choice([0, 1, 7, 199_999, 200_000, 200_001, 272_001, dice.randrange(3_000_000), 10**12])
    output = dice.choice([0, 1, 999_999, dice.randrange(1_000_000)])
    found = {"input_tokens": total, "output_tokens": output}
    read = dice.choice([0, dice.randint(0, total)])
    if read:
        found["cache_read_tokens"] = read
    elif total and dice.random() < 0.3:
        found["cache_write_tokens"] = dice.randint(1, total)
        found["cache_write_1h_tokens"] = dice.randint(0, found["cache_write_tokens"])
    elif total and dice.random() < 0.3:
        found["input_audio_tokens"] = dice.randint(1, total)
    if output and dice.random() < 0.3:
        found["output_reasoning_tokens"] = dice.randint(0, output)
    return found


def library_price(model: Any, provider: Any, usage: dict[str, int], moment: datetime, variant: str) -> Decimal | None:
    """The library's total, None where it refuses."""
    try:
        with localcontext() as context:
            context.prec = 60
            found = model.calc_price(
                genai_prices.Usage(**usage),
                provider,
                genai_request_timestamp=moment,
                price_context=CONTEXTS[variant] or None,
            )
    except ValueError:
        return None
    return Decimal(found.total_price)


def test_thousands_of_calls_cost_what_the_library_says(table: PriceTable) -> None:
    """Models, times, variants and counts over the whole table: no difference; what the library refuses is refused."""
    from genai_prices.data_snapshot import get_snapshot

    dice = random.Random(20261128)
    listed = [(provider, model) for provider in get_snapshot().providers for model in provider.models]
    ours = {(model.provider, model.model): model for model in table.models}
    compared = refused = 0
    start = datetime(2025, 5, 1, tzinfo=UTC)
    for _ in range(SAMPLES):
        provider, model = dice.choice(listed)
        variant = dice.choice([*CONTEXTS, STANDARD, STANDARD])
        moment = start + timedelta(seconds=dice.randrange(650 * 86_400))
        usage = counts(dice)
        priced = ours[provider.id, model.id]
        period = priced.at(epoch_us(moment), variant)
        if period is None and variant != STANDARD:
            # The library charges a kind of request that it has no price of, or not yet, as the standard.
            period = priced.at(epoch_us(moment))
        theirs = library_price(model, provider, usage, moment, variant)
        if period is None or theirs is None:
            refused += 1
            if period is not None:
                with pytest.raises(PriceRefusedError):
                    price_tokens(period, usage)
            continue
        units = {rate.unit for rate in period.rates}
        unpriced = [unit for unit in ("input_tokens", "output_tokens") if usage[unit] and unit not in units]
        if unpriced or not units & UNITS.keys():
            refused += 1  # the library takes what has no price as free; here it has no cost
            continue
        assert usd(price_tokens(period, usage).total) == theirs, (provider.id, model.id, variant, moment, usage)
        compared += 1
    assert compared > 0.8 * SAMPLES
    assert refused < 0.2 * SAMPLES


def test_every_boundary_of_every_model_is_where_the_library_has_it(table: PriceTable) -> None:
    """At each start of a period and the microsecond before, by one input and one output token."""
    from genai_prices.data_snapshot import get_snapshot

    ours = {(model.provider, model.model): model for model in table.models}
    usage = {"input_tokens": 1, "output_tokens": 1}
    seen = 0
    for provider in get_snapshot().providers:
        for model in provider.models:
            priced = ours[provider.id, model.id]
            for period in priced.periods:
                if period.effective_from is None or period.variant != STANDARD:
                    continue
                for step in (-1, 0):
                    instant = period.effective_from + step
                    moment = datetime.fromtimestamp(0, UTC) + timedelta(microseconds=instant)
                    there = priced.at(instant)
                    theirs = library_price(model, provider, usage, moment, STANDARD)
                    units = {rate.unit for rate in there.rates} if there else set()
                    if there is not None and theirs is not None and {"input_tokens", "output_tokens"} <= units:
                        assert usd(price_tokens(there, usage).total) == theirs
                        seen += 1
    assert seen > 400


def exact_names(clause: Any) -> list[str]:
    """The names that a match spells out."""
    if isinstance(clause, str):
        return [clause]
    return [] if isinstance(clause, dict) else [name for part in clause for name in exact_names(part)]


def test_names_lead_to_the_model_that_the_library_finds(table: PriceTable) -> None:
    """Every name that the table spells out, under its provider: where both find a model it is the same one."""
    from genai_prices.data_snapshot import get_snapshot

    book, snapshot, seen = release_book(), get_snapshot(), 0
    for provider in table.providers:
        for name in [name for _, clause in provider.models for name in exact_names(clause)]:
            found = book.find(provider.provider, name, "tokens").priced
            if found is None or found.periods[0].source != table.source:
                continue  # priced by images or by units that no log counts, or by a price of our own
            wanted = snapshot.find_provider_model(name, None, provider.provider, None)
            assert (found.provider, found.model) == (wanted[0].id, wanted[1].id), name
            seen += 1
    assert seen > 2_000


def test_the_shipped_table_is_what_its_version_of_the_library_gives(table: PriceTable) -> None:
    """Byte for byte, so that nobody edits it by hand; another installed version is not compared."""
    from pipelines.prices.book import release_text

    shipped = release_text()
    if parse_table(shipped).source_version != table.source_version:
        pytest.skip("another version of genai-prices is installed")
    assert table_text(table) == shipped
