"""What calls cost at their provider: priced in the posting, exactly, kept with the prices that did it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pipelines.rebuild import rebuild

if TYPE_CHECKING:
    from tests.warehouse.ledger_books import LedgerBooks


def costs(books: LedgerBooks) -> dict[str, int | None]:
    """Cost in nano-dollars by error message, which the tests use as a name."""
    return dict(books.rows("SELECT coalesce(project_id, 'x'), provider_cost_nanousd FROM books.usage_current"))


def test_calls_are_priced_by_their_tokens_and_images(books: LedgerBooks) -> None:
    """gpt-4o at 2.50 and 10 dollars per million, 1.25 for what its cache gave; DALL-E by the size of its images."""
    books.call("e1", 1, 1000, output_tokens=100, cache_read_tokens=400, project_id="chat")
    image: dict[str, Any] = {"operation_type": "image", "model": "dall-e-3", "image_count": 2, "input_tokens": 0}
    books.call("e2", 1, **image, image_size="1792x1024", image_quality="hd", project_id="wide")
    books.call("e3", 1, **image, project_id="default")
    books.call("e4", 1, **image, image_size="64x64", project_id="no such size")
    books.call("e5", 1, model="gpt-99", project_id="unknown")
    books.call("e6", 1, provider="ollama", model="llama3", project_id="own machine")
    books.bill(1)
    assert costs(books) == {
        "chat": 600 * 2500 + 400 * 1250 + 100 * 10_000,
        "wide": 240_000_000,
        "default": 80_000_000,
        "no such size": None,
        "unknown": None,
        "own machine": None,
    }
    assert books.rows("SELECT model, reason, calls, image_count FROM finance.uncosted_calls ORDER BY model") == [
        ("dall-e-3", "no_price_for_size", 1, 2),
        ("gpt-99", "unknown_model", 1, 0),
        ("llama3", "unknown_provider", 1, 0),
    ]


def test_a_call_is_priced_by_the_list_of_its_service_tier(books: LedgerBooks) -> None:
    """Batch is half; default, on demand and no word are the standard list; a tier without one has no cost."""
    tiers = {"none": None, "batch": "Batch", "default": "default", "on demand": "ON_DEMAND", "scale": "scale"}
    for number, (name, tier) in enumerate(tiers.items()):
        books.call(f"e{number}", 1, 1000, model="gpt-6.1-terra", output_tokens=100, service_tier=tier, project_id=name)
    books.call("e9", 1, 1000, model="gpt-4o", service_tier="batch", project_id="batch before its first price")
    books.bill(1)
    standard = 1000 * 1000 + 100 * 5000
    assert costs(books) == {
        "none": standard, "batch": standard // 2, "default": standard, "on demand": standard, "scale": None,
        "batch before its first price": None,
    }  # fmt: skip
    assert books.rows("SELECT model, reason FROM finance.uncosted_calls ORDER BY ALL") == [
        ("gpt-4o", "no_price_at_that_time"), ("gpt-6.1-terra", "no_price_for_tier"),
    ]  # fmt: skip
    assert books.rows("SELECT DISTINCT service_tier FROM books.token_usage ORDER BY ALL NULLS FIRST") == [
        (None,), ("batch",), ("scale",), ("standard",),
    ]  # fmt: skip


def test_a_failed_call_costs_its_tokens_and_nothing_without_any(books: LedgerBooks) -> None:
    """The provider charges for what it computed before it failed, whoever pays for it."""
    books.call("e1", 1, 1000, success=False, project_id="partial")
    books.call("e2", 1, 0, success=False, project_id="nothing", model="gpt-99")
    books.bill(1)
    assert costs(books) == {"partial": 2_500_000, "nothing": 0}
    assert books.rows("SELECT sum(billable_tokens) FROM books.token_usage") == [(0,)]


def test_an_overlap_that_nobody_counted_has_no_cost(books: LedgerBooks) -> None:
    """Gemini prices cached and audio tokens apart: which of them were both is not known, so the cost is not either."""
    counts: dict[str, Any] = {"provider": "google", "model": "gemini-2.5-flash", "cache_read_tokens": 50}
    books.call("e1", 1, 100, **counts, audio_input_tokens=30, project_id="both")
    books.call("e2", 1, 100, **counts, project_id="cached")
    books.bill(1)
    assert costs(books) == {"both": None, "cached": 50 * 300 + 50 * 30}
    assert books.rows("SELECT reason FROM finance.uncosted_calls") == [("overlapping_counts",)]


def test_a_later_version_of_a_call_has_the_cost_of_its_own_counts(books: LedgerBooks) -> None:
    """The posted row keeps its cost, the revision has another."""
    books.version(1, 1, 100)
    books.bill(1)
    books.version(2, 2, 300)
    books.bill(2)
    assert costs(books) == {"x": 750_000}
    assert books.rows("SELECT provider_cost_nanousd FROM books.token_usage") == [(250_000,)]


OWN = """\
[[price]]
provider = "acme"
model = "large"
service_tier = "Batch"
unit = "input_tokens"
usd = "1"
[[price]]
provider = "acme"
model = "large"
unit = "input_tokens"
usd = "2"
[[price]]
provider = "acme"
model = "large"
unit = "input_tokens"
usd = "3"
effective_from = 2026-09-02
[[alias]]
provider = "azure"
model = "our-deployment"
is_provider = "openai"
is_model = "gpt-4o"
"""


def test_own_prices_and_names_hold_from_their_first_microsecond(books: LedgerBooks) -> None:
    """A contract price by date, and a deployment that nobody else can know the model of."""
    (books.root / "prices.toml").write_text(OWN, encoding="utf-8")
    own = {"provider": "acme", "model": "large"}
    books.call("e1", 1, 10, **own, occurred_at="2026-09-01T23:59:59.999999Z", project_id="before")
    books.call("e2", 2, 10, **own, occurred_at="2026-09-02T00:00:00Z", project_id="from")
    books.call("e4", 2, 10, **own, service_tier="batch", project_id="batch")
    books.call("e5", 2, 10, **own, service_tier="flex", project_id="flex")
    books.call("e3", 2, 10, provider="azure", model="our-deployment", project_id="deployment")
    books.bill(2)
    assert costs(books) == {"before": 20_000, "from": 30_000, "deployment": 25_000, "batch": 10_000, "flex": None}


@pytest.mark.slow
def test_new_prices_change_nothing_posted_and_a_rebuild_finds_the_old_ones(books: LedgerBooks) -> None:
    """Each posting is priced by the files it ran under, which the journal keeps; both price lists stay in the books."""
    own = {"provider": "acme", "model": "large"}
    (books.root / "prices.toml").write_text(OWN, encoding="utf-8")
    books.call("e1", 1, 10, **own, project_id="old")
    books.bill(1)
    books.close()
    (books.root / "prices.toml").write_text(OWN.replace('usd = "3"', 'usd = "5"'), encoding="utf-8")
    books.call("e2", 2, 10, **own, project_id="new")
    books.bill(2)
    assert costs(books) == {"old": 20_000, "new": 50_000}
    assert books.rows("SELECT count(DISTINCT price_version) FROM books.provider_prices") == [(2,)]
    books.close()
    (books.root / "prices.toml").unlink()
    result = rebuild(books.folder)
    assert result.history_equal
    assert result.content_equal


def test_a_reported_cost_far_from_the_computed_one_is_listed(books: LedgerBooks) -> None:
    """More than a cent and a tenth away; without a price, more than a thousand dollars per million tokens."""
    books.call("e1", 1, 10_000, cost_usd="0.025")
    books.call("e2", 1, 10_000, cost_usd="0.034")
    books.call("e3", 1, 100_000, cost_usd="0.2749")
    books.call("e4", 1, 100_000, cost_usd="0.28", project_id="above")
    books.call("e5", 1, 10_033, cost_usd="9990.01252875")
    books.call("e6", 1, 10_033, model="gpt-99", cost_usd="9990.01252875")
    books.call("e7", 1, 10_000, cost_usd="0")
    books.call("e8", 1, 10, model="gpt-99", cost_usd="-0.000001")
    books.call("e9", 1, 10, cost_usd="cheap")
    books.bill(1)
    assert books.rows("SELECT finding, reported_cost_nanousd FROM finance.cost_outliers ORDER BY ALL") == [
        ("above", 280_000_000),
        ("below_zero", -1000),
        ("implausible", 9_990_012_528_750),
        ("reported_as_free", 0),
        ("ten_times_above", 9_990_012_528_750),
    ]
