"""Rating by example: which rule a call falls under, at which terms, and what it costs."""

from __future__ import annotations

import json
import tomllib

import pytest

from billing_core.price_book import PriceBook, rate_rules
from billing_core.rating import RATED_COLUMNS
from billing_core.settings import Settings, SettingsBook, parse_settings
from tests.core.rating_support import events_of, rated, rated_frame, rated_one

SEPTEMBER_US = 1_788_220_800_000_000
INT64_MAX = 2**63 - 1
SEED = parse_settings([])
TWO_PRICES = parse_settings(
    tomllib.loads(
        """
        [[settings]]
        [[settings]]
        effective_from = 2026-09-01
        default_token_multiplier = "1.1"
        image_generation_cost_google = 5000
        """
    )["settings"]
)


def book_with(**terms: object) -> SettingsBook:
    """A book of one version with some terms of its own."""
    return SettingsBook((Settings(**terms),))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("tokens", "ppm", "billable"),
    [
        (100, 1_100_000, 110),
        (1001, 1_500_000, 1502),
        (1000, 1_500_000, 1500),
        (0, 1_500_000, 0),
        (1, 1, 1),
        (1_000_000, 1, 1),
        (1_000_001, 1, 2),
        (2 * 10**12, 10**12 - 1, 2 * 10**18 - 2 * 10**6),
        (9_007_199_254_740_993, 1_000_000, 9_007_199_254_740_993),
    ],
)
def test_a_call_costs_its_tokens_times_the_multiplier_rounded_up(tokens: int, ppm: int, billable: int) -> None:
    """Exactly: 100 x 1.1 is 110, never 111."""
    row = rated_one(book_with(multiplier_ppm=ppm), total_tokens=tokens)
    assert row["billable_tokens"] == billable
    assert (row["rate_id"], row["charge_type"]) == ("default_multiplier", "multiplier")
    assert (row["multiplier_ppm"], row["fixed_cost"], row["rating_reason"]) == (ppm, None, None)


def test_the_price_is_the_one_in_force_when_the_call_happened() -> None:
    """A new price holds from its very first microsecond."""
    counts = {"model": "imagen", "total_tokens": 1000, "image_count": 1}
    calls = [
        counts | {"occurred_us": SEPTEMBER_US + shift, "operation_type": kind}
        for kind in ("chat", "image")
        for shift in (-1, 0)
    ]
    rows = rated(calls, TWO_PRICES)
    old, new = (version.settings_version for version in TWO_PRICES.versions)
    assert [row["billable_tokens"] for row in rows] == [1500, 1100, 4500, 5000]
    assert [row["settings_version"] for row in rows] == [old, new, old, new]
    assert [row["rate_version"] for row in rows] == [old, new, old, new]


@pytest.mark.parametrize(
    ("model", "family", "cost"),
    [
        ("dall-e-3", "dall_e_3", 6000),
        ("openai/dall-e-2", "dall_e_2", 3000),
        ("gemini-2.5-flash-image", "google", 4500),
        ("Imagen-4.0", "google", 4500),
    ],
)
def test_an_image_costs_the_fixed_price_of_its_family(model: str, family: str, cost: int) -> None:
    """Per delivered image; its tokens do not count."""
    row = rated_one(SEED, operation_type="image", model=model, image_count=3, total_tokens=999)
    assert (row["billable_tokens"], row["fixed_cost"], row["multiplier_ppm"]) == (3 * cost, cost, None)
    assert (row["rate_id"], row["charge_type"]) == (f"image_{family}", "fixed")
    assert row["rate_version"] == row["settings_version"] == SEED.versions[0].settings_version


@pytest.mark.parametrize("model", ["gpt-image-1", "stable-diffusion-xl", "gemini-2.5-flash", None])
def test_an_image_model_without_a_family_is_held(model: str | None) -> None:
    """Unknown is never free and never priced as a neighbour; the settings version is still known."""
    row = rated_one(SEED, operation_type="image", model=model, image_count=3, total_tokens=999)
    assert row.pop("row_id") == 1
    assert row.pop("settings_version") == SEED.versions[0].settings_version
    assert set(row.values()) == {None}


@pytest.mark.parametrize("operation", ["generation", "refinement", "repurpose", "chat", "prompt"])
def test_only_an_image_operation_is_charged_by_the_image(operation: str) -> None:
    """An image model that chats is charged by its tokens."""
    row = rated_one(SEED, operation_type=operation, model="gemini-2.5-flash-image", total_tokens=10, image_count=2)
    assert (row["rate_id"], row["billable_tokens"]) == ("default_multiplier", 15)


@pytest.mark.parametrize(
    ("flags", "policy"),
    [
        ({"success": False}, "partial_error"),
        ({"gateway_cache_hit": True}, "gateway_cache_hit"),
        ({"cancelled": True}, "cancelled_stream"),
    ],
)
@pytest.mark.parametrize(
    "call",
    [
        {"total_tokens": 1000},
        {"operation_type": "image", "model": "dall-e-3", "image_count": 1},
        {"operation_type": "image", "model": "gpt-image-1", "image_count": 1},
    ],
)
def test_a_policy_makes_a_call_free_or_bills_it_like_a_success(
    flags: dict[str, object], policy: str, call: dict[str, object]
) -> None:
    """Free is 0 under no rule, even for a model that would be held; bill is as if nothing had happened."""
    free = rated_one(book_with(**{policy: "free"}), **call, **flags)
    assert free.pop("row_id") == 1
    assert free.pop("settings_version") is not None
    assert free.pop("billable_tokens") == 0
    assert set(free.values()) == {None}
    billing = book_with(**{policy: "bill"})
    assert rated_one(billing, **call, **flags) == rated_one(billing, **call)


def test_by_default_only_failed_calls_are_free() -> None:
    """The app pays for its cache hits and its cancelled streams."""
    calls = [{"success": False}, {"gateway_cache_hit": True}, {"cancelled": True}]
    rows = rated([call | {"total_tokens": 10} for call in calls], SEED)
    assert [row["billable_tokens"] for row in rows] == [0, 15, 15]


def test_one_policy_that_says_free_suffices() -> None:
    """A cancelled call that failed is free when failures are, though cancelled streams are billed."""
    row = rated_one(SEED, total_tokens=10, success=False, cancelled=True, gateway_cache_hit=True)
    assert row["billable_tokens"] == 0


def test_a_policy_is_the_one_in_force_when_the_call_happened() -> None:
    """It is dated like every price."""
    book = SettingsBook((Settings(effective_to=5), Settings(effective_from=5, partial_error="bill")))
    rows = rated([{"occurred_us": at, "success": False, "total_tokens": 10} for at in (4, 5)], book)
    assert [row["billable_tokens"] for row in rows] == [0, 15]


def test_an_absent_flag_means_a_plain_success() -> None:
    """Success absent is success; no word of a cache or a cancellation is none."""
    book = book_with(gateway_cache_hit="free", cancelled_stream="free")
    row = rated_one(book, total_tokens=10, success=None, gateway_cache_hit=None, cancelled=None)
    assert row["billable_tokens"] == 15


@pytest.mark.parametrize("ppm", [1_000_001, 1_500_000, 10**12 - 1])
def test_the_largest_figure_that_fits_is_billed_and_the_next_one_refused(ppm: int) -> None:
    """The boundary is exact, and nothing wraps on either side of it."""
    largest = INT64_MAX * 10**6 // ppm
    fits, next_one, huge = rated(
        [{"total_tokens": t} for t in (largest, largest + 1, INT64_MAX)], book_with(multiplier_ppm=ppm)
    )
    assert fits["billable_tokens"] == -(-largest * ppm // 10**6)
    assert fits["rating_reason"] is None
    for row in (next_one, huge):
        assert (row["billable_tokens"], row["rating_reason"]) == (None, "amount_out_of_range")
        assert row["rate_id"] == "default_multiplier"


@pytest.mark.parametrize("ppm", [1, 500_000, 1_000_000])
def test_the_largest_count_of_all_is_exact_below_a_multiplier_of_one(ppm: int) -> None:
    """A figure that fits is never refused."""
    row = rated_one(book_with(multiplier_ppm=ppm), total_tokens=INT64_MAX)
    assert row["billable_tokens"] == -(-INT64_MAX * ppm // 10**6)


def test_images_beyond_the_range_are_refused_and_not_wrapped() -> None:
    """2^62 + 2 images at 4 tokens would wrap to 8."""
    book = book_with(image_generation_cost_dall_e_3=4)
    counts = [(2**63 - 1) // 4, 2**61, 2**62 + 2]
    rows = rated([{"operation_type": "image", "model": "dall-e-3", "image_count": n} for n in counts], book)
    assert [row["billable_tokens"] for row in rows] == [2**63 - 4, None, None]
    assert [row["rating_reason"] for row in rows] == [None, "amount_out_of_range", "amount_out_of_range"]


def test_a_family_that_costs_nothing_is_charged_nothing() -> None:
    """A cost of 0 is a price, so the call is rated and not held."""
    book = book_with(image_generation_cost_dall_e_3=0)
    row = rated_one(book, operation_type="image", model="dall-e-3", image_count=INT64_MAX)
    assert (row["billable_tokens"], row["rate_id"], row["fixed_cost"]) == (0, "image_dall_e_3", 0)


@pytest.mark.parametrize("count", [-1, None])
def test_a_count_that_is_none_is_never_billed(count: int | None) -> None:
    """Intake lets none through; if one came, it would be refused and not taken for 0."""
    token_row = rated_one(SEED, total_tokens=count)
    image_row = rated_one(SEED, operation_type="image", model="dall-e-3", image_count=count)
    for row in (token_row, image_row):
        assert (row["billable_tokens"], row["rating_reason"]) == (None, "amount_out_of_range")


def test_a_free_call_is_free_whatever_its_counts() -> None:
    """Nothing is computed for it, so nothing can be out of range."""
    row = rated_one(SEED, total_tokens=INT64_MAX, success=False)
    assert (row["billable_tokens"], row["rating_reason"]) == (0, None)


def test_no_events_make_no_rows() -> None:
    """The columns are there all the same."""
    frame = rated_frame(events_of([]), TWO_PRICES)
    assert frame.shape == (0, len(RATED_COLUMNS))
    assert tuple(frame.columns) == RATED_COLUMNS


def test_further_columns_of_an_event_are_left_out() -> None:
    """The result is the same whatever else the events carry."""
    events = events_of([{"total_tokens": 10}])
    wider = events.with_columns(events["model"].alias("project_id"))
    assert rated_frame(wider, SEED).equals(rated_frame(events, SEED))


def test_every_rate_id_that_a_row_may_carry_has_its_rule() -> None:
    """By id and version, with all that an auditor needs to recompute the row, as JSON without a float."""
    rules = {(rule.rate_id, rule.rate_version): rule for rule in rate_rules(PriceBook(TWO_PRICES))}
    assert len(rules) == 8
    calls = [
        {"occurred_us": at, "operation_type": kind, "model": model, "total_tokens": 7, "image_count": 7}
        for at in (0, SEPTEMBER_US)
        for kind, model in [("chat", "x"), ("image", "dall-e-3"), ("image", "dall-e-2"), ("image", "imagen")]
    ]
    rows = rated(calls, TWO_PRICES)
    assert {(row["rate_id"], row["rate_version"]) for row in rows} == set(rules)
    for row in rows:
        rule = rules[row["rate_id"], row["rate_version"]]
        ppm = rule.integers.get("ppm", {}).get("input")
        assert (ppm, rule.integers.get("cost")) == (row["multiplier_ppm"], row["fixed_cost"])


def test_a_rule_says_when_it_holds_what_it_matches_and_what_it_charges() -> None:
    """The rules of a version share its interval."""
    multiplier, *_, google = rate_rules(PriceBook(TWO_PRICES))[4:]
    assert (multiplier.effective_from, multiplier.effective_to) == (SEPTEMBER_US, None)
    assert multiplier.match == {"operation": ["chat", "generation", "prompt", "refinement", "repurpose"]}
    assert multiplier.charge == {"multiplier": "1.1", "per": "token"}
    assert google.match == {"operation": ["image"], "image_family": "google"}
    assert google.charge == {"fixed": 5000, "per": "image"}
    assert json.loads(json.dumps(google.charge)) == google.charge
