"""Price rules through real postings: what each kind of charge writes. The fixture proves every check afterwards."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from pipelines.billing import bill_range, comes_due, publish_books
from pipelines.books.config import load_config, load_prices
from pipelines.price_notices import price_notices
from tests.warehouse.ledger_books import LedgerBooks, at, failing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SETTINGS = '[[settings]]\ndefault_token_multiplier = "1.5"\nnew_user_bonus_tokens = 0\n'
EVERY_KIND = f"""{SETTINGS}
[[rate]]
id = "weighted"
match = {{ model = "claude-*" }}
weights = {{ input = "1", output = "4", cache_read = "0.1", cache_write_1h = "2", reasoning = "5", audio = "3" }}
long_context = {{ above = 1000, weights = {{ input = "2", output = "6" }} }}
[[rate]]
id = "twice"
match = {{ account = "ada", model = "gpt-5" }}
multiplier = "2.000001"
[[rate]]
id = "call"
match = {{ provider = "flat" }}
fixed = 70
per = "call"
[[rate]]
id = "hd"
match = {{ model = "dall-e-3", image_quality = "hd", image_size = "1024x1024" }}
fixed = 9000
per = "image"
[[rate]]
id = "blocks"
match = {{ plan = "block" }}
package = {{ tokens = 1000, cost = 1500 }}
[[rate]]
id = "graduated"
match = {{ model = "g-*" }}
graduated = [{{ up_to = 100, multiplier = "2" }}, {{ up_to = 150, multiplier = "1.1" }}, {{ multiplier = "0.5" }}]
[[rate]]
id = "volume"
match = {{ model = "v-*" }}
volume = [{{ up_to = 100, multiplier = "2" }}, {{ multiplier = "0.5" }}]
[[rate]]
id = "taster"
match = {{ model = "z-*" }}
volume = [{{ up_to = 100, multiplier = "0" }}, {{ multiplier = "0.5" }}]
"""


@pytest.fixture
def ruled(tmp_path: Path) -> Iterator[LedgerBooks]:
    """Books with a rule of every kind."""
    made = LedgerBooks(tmp_path / "books", rates=EVERY_KIND)
    made.account()
    made.account("bob", plan="block")
    made.account("cyd")
    yield made
    assert failing(made.opened().connection) == {}
    made.close()


def billed(books: LedgerBooks) -> dict[str, tuple[int | None, str | None, str | None]]:
    """(billable tokens, rate, charge type) of each call as it stands now, by project: the tests put its name there."""
    found = books.rows("SELECT project_id, billable_tokens, rate_id, charge_type FROM books.usage_current")
    return {name: tuple(rest) for name, *rest in found}


def test_every_kind_of_charge_is_posted_and_recomputed(ruled: LedgerBooks) -> None:
    """Each call falls under its rule, and check 7 computes the same from the tables alone."""
    parts = {"cache_read_tokens": 40, "cache_write_1h_tokens": 10, "reasoning_tokens": 5, "audio_input_tokens": 20}
    ruled.call("w", 2, 100, model="claude-x", output_tokens=20, project_id="weighted", **parts)
    ruled.call("l", 2, 1001, model="anthropic/claude-x", output_tokens=1, project_id="long")
    ruled.call("t", 2, 100, model="gpt-5", project_id="twice")
    ruled.call("o", 2, 100, model="gpt-5", account_id="bob", project_id="block")
    ruled.call("f", 2, 100, provider="flat", project_id="call")
    image = {"operation_type": "image", "image_count": 2, "model": "dall-e-3"}
    ruled.call("i", 2, 0, image_quality="HD", image_size="1024x1024", project_id="hd", **image)
    ruled.call("j", 2, 0, image_quality="standard", project_id="family", **image)
    ruled.call("d", 2, 100, project_id="default")
    ruled.bill(2)
    assert billed(ruled) == {
        # 30 x 1 + 40 x 0.1 + 10 x 2 + 20 x 3 + 15 x 4 + 5 x 5
        "weighted": (199, "weighted", "weighted"),
        "long": (2008, "weighted", "weighted"),
        "twice": (201, "twice", "multiplier"),
        "block": (1500, "blocks", "fixed"),
        "call": (70, "call", "fixed"),
        "hd": (18000, "hd", "fixed"),
        "family": (12000, "image_dall_e_3", "fixed"),
        "default": (150, "default_multiplier", "multiplier"),
    }


def test_graduated_tiers_go_on_across_postings_and_months(ruled: LedgerBooks) -> None:
    """Position is what was posted of the account's month before, in posting order."""
    ruled.call("late", 2, 40, model="g-1", occurred_at=at(2, 20), project_id="second")
    ruled.call("early", 2, 80, model="g-1", occurred_at=at(2, 3), project_id="first")
    ruled.call("bob", 2, 30, model="g-1", account_id="cyd", project_id="other account")
    ruled.bill(2)
    ruled.call("next", 3, 50, model="g-1", project_id="third")
    ruled.bill(3)
    ruled.call("missed", 1, 10, model="g-1", file_day=4, project_id="delivered late")
    ruled.bill(4)
    found = {name: tokens for name, (tokens, *_) in billed(ruled).items()}
    # 80 x 2; 20 x 2 + 20 x 1.1; 30 x 1.1 + 20 x 0.5; then all further ones at 0.5.
    assert found == {"first": 160, "second": 62, "other account": 60, "third": 43, "delivered late": 5}
    places = "SELECT position, tokens FROM books.tier_positions WHERE account_id = 'ada' ORDER BY position"
    assert ruled.rows(places) == [(0, 80), (80, 40), (120, 50), (170, 10)]


@pytest.mark.slow
def test_later_version_of_a_tiered_call_keeps_its_place(ruled: LedgerBooks) -> None:
    """It is priced where the first one stood, and moves no other call."""
    ruled.version(1, 1, 90, model="g-1")
    ruled.call("after", 2, 20, model="g-1", occurred_at=at(2, 10), project_id="after")
    ruled.bill(2)
    ruled.version(2, 3, 110, model="g-1")
    ruled.bill(3)
    assert [row[:2] for row in ruled.ledger()] == [("usage", -180), ("usage", -31), ("correction", -31)]


HELD = {"operation_type": "image", "model": "gpt-image-1", "image_count": 3}
NEW_RULE = """
[[rate]]
id = "gpt-image"
effective_from = 2026-09-02T10:00:00Z
match = { model = "gpt-image-*" }
fixed = 500
per = "image"
"""


def rules_of(books: LedgerBooks, text: str) -> None:
    """Write the rates file anew, as its owner does between two runs."""
    books.close()
    (books.root / "rates.toml").write_text(text, encoding="utf-8")


def test_held_call_is_priced_once_when_a_rule_names_its_model(books: LedgerBooks) -> None:
    """By an ordinary run without any file, at the rule for its own instant; what the rule does not cover stays held."""
    books.call("before", 2, 0, occurred_at="2026-09-02T09:59:59.999999Z", project_id="before", **HELD)
    books.call("from", 2, 0, occurred_at="2026-09-02T10:00:00Z", project_id="from", **HELD)
    books.bill(2)
    assert books.ledger() == []
    rules_of(books, f"{SETTINGS}{NEW_RULE}")
    books.bill(3)
    books.bill(4)
    assert books.ledger() == [("usage", -1500, -1500)]
    assert billed(books) == {"before": (None, None, None), "from": (1500, "gpt-image", "fixed")}
    assert books.rows("SELECT count(*) FROM finance.held") == [(1,)]
    assert books.rows("SELECT revision_no, revision_reason FROM books.usage_revisions") == [(1, "priced")]
    assert books.rows("SELECT posting_id FROM books.token_transactions") == [(3,)]
    assert books.rows("SELECT count(*) FROM audit.postings") == [(3,)]


CHANGES = {
    "multiplier change": """
[[settings]]
effective_from = 2026-09-02T10:00:00Z
default_token_multiplier = "2"
""",
    "account override": """
[[rate]]
id = "ada"
effective_from = 2026-09-02T10:00:00Z
match = { account = "ada" }
multiplier = "2"
""",
}


@pytest.mark.parametrize(
    ("change", "is_retroactive"),
    [
        ("multiplier change", False),
        ("account override", True),
        pytest.param("multiplier change", True, marks=pytest.mark.slow),
        pytest.param("account override", False, marks=pytest.mark.slow),
    ],
)
def test_price_changes_at_its_very_microsecond(books: LedgerBooks, change: str, *, is_retroactive: bool) -> None:
    """The call of the instant has the new price, the one a microsecond earlier the old; what was posted stays."""
    early, late = "2026-09-02T09:59:59.999999Z", "2026-09-02T10:00:00Z"
    rules_of(books, SETTINGS if is_retroactive else SETTINGS + CHANGES[change])
    books.call("a", 2, 100, occurred_at=early, project_id="early")
    books.call("b", 2, 100, occurred_at=late, project_id="late")
    books.bill(2)
    rules_of(books, SETTINGS + CHANGES[change])
    books.call("c", 2, 100, occurred_at=early, file_day=3, project_id="early, delivered late")
    books.call("d", 2, 100, occurred_at=late, file_day=3, project_id="late, delivered late")
    books.bill(3)
    found = {name: tokens for name, (tokens, *_) in billed(books).items()}
    posted = 150 if is_retroactive else 200
    assert found == {"early": 150, "late": posted, "early, delivered late": 150, "late, delivered late": 200}


def volume(books: LedgerBooks) -> list[tuple[str, int]]:
    """(type, tokens) of ada's ledger rows in their order."""
    return [row[:2] for row in books.ledger()]


def test_volume_tiers_are_provisional_until_the_month_is_over(ruled: LedgerBooks) -> None:
    """Each call at the tier reached so far; then one correction per call that the total prices otherwise."""
    ruled.credit("p", "purchase", 1000, 1)
    ruled.call("one", 2, 60, model="v-1", project_id="one")
    ruled.call("two", 3, 60, model="v-1", project_id="two")
    ruled.bill(30)
    assert volume(ruled)[1:] == [("usage", -120), ("usage", -30)]
    bill_october(ruled, 1)
    assert volume(ruled)[1:] == [("usage", -120), ("usage", -30), ("correction", 90)]
    bill_october(ruled, 2)
    ruled.call("late", 4, 10, model="v-1", file_day=30, project_id="late")
    bill_october(ruled, 3)
    assert volume(ruled)[4:] == [("usage", -5)]
    found = {name: tokens for name, (tokens, *_) in billed(ruled).items() if name}
    assert found == {"one": 30, "two": 30, "late": 5}
    assert ruled.rows("SELECT revision_reason, multiplier FROM books.usage_revisions") == [("trued_up", Decimal("0.5"))]


def bill_without_files(books: LedgerBooks, day: date) -> None:
    """Bill through a date that has no file at all."""
    opened = books.opened()
    bill_range(opened, opened.first_open_date(), day, bare=True, on_date=lambda *_: None)


def test_a_month_that_is_over_is_trued_up_without_any_file(ruled: LedgerBooks) -> None:
    """By the first date beyond it, once; the shortcut that skips a run knows, a month whose prices stand makes none."""
    ruled.call("one", 2, 60, model="v-1")
    ruled.call("two", 3, 60, model="v-1")
    ruled.call("other", 3, 60, model="v-1", account_id="cyd")
    ruled.bill(30)
    connection = ruled.opened().connection
    assert not comes_due(connection, date(2026, 9, 30), date(2026, 9, 30), "UTC")
    assert not comes_due(connection, date(2026, 9, 30), date(2026, 10, 1), "America/New_York")
    assert comes_due(connection, date(2026, 9, 30), date(2026, 10, 1), "UTC")
    bill_without_files(ruled, date(2026, 10, 5))
    assert volume(ruled) == [("usage", -120), ("usage", -30), ("correction", 90)]
    assert ruled.rows("SELECT max(billing_date) FROM audit.postings") == [(date(2026, 10, 1),)]
    postings = ruled.rows("SELECT count(*) FROM audit.postings")
    bill_without_files(ruled, date(2026, 11, 5))
    assert ruled.rows("SELECT count(*) FROM audit.postings") == postings


@pytest.mark.slow
def test_late_call_trues_up_a_month_that_is_over_once_more(ruled: LedgerBooks) -> None:
    """It brings the total into another tier: the calls of before are corrected, itself is billed at that tier."""
    ruled.call("one", 2, 60, model="v-1")
    ruled.bill(30)
    bill_october(ruled, 1)
    assert volume(ruled) == [("usage", -120)]
    ruled.call("late", 4, 60, model="v-1", file_day=30)
    bill_october(ruled, 2)
    assert sorted(volume(ruled)) == [("correction", 90), ("usage", -120), ("usage", -30)]


@pytest.mark.slow
def test_month_of_free_calls_is_charged_by_rows_of_usage_once_its_total_is_not_free(ruled: LedgerBooks) -> None:
    """A free call has no ledger row that a correction could name: the true-up posts its usage row, once."""
    ruled.call("one", 2, 40, model="z-1", project_id="one")
    ruled.call("two", 3, 40, model="z-1", project_id="two")
    ruled.bill(30)
    bill_october(ruled, 1)
    assert (volume(ruled), billed(ruled)["one"][0]) == ([], 0)
    ruled.call("late", 4, 60, model="z-1", file_day=30, project_id="late")
    bill_october(ruled, 2)
    assert sorted(volume(ruled)) == [("usage", -30), ("usage", -20), ("usage", -20)]
    bill_october(ruled, 3)
    ruled.call("later", 4, 10, model="z-1", file_day=30, project_id="later")
    bill_october(ruled, 4)
    assert sorted(volume(ruled)) == [("usage", -30), ("usage", -20), ("usage", -20), ("usage", -5)]
    named = "SELECT count(DISTINCT usage_id), count(corrects_transaction_id) FROM books.token_transactions"
    assert ruled.rows(f"{named} WHERE account_id = 'ada'") == [(4, 0)]
    assert {name: tokens for name, (tokens, *_) in billed(ruled).items() if name} == {
        "one": 20,
        "two": 20,
        "late": 30,
        "later": 5,
    }


@pytest.mark.slow
def test_later_version_of_a_call_in_a_month_that_is_over(ruled: LedgerBooks) -> None:
    """The total falls back into the lower tier: the changed call and the others are brought to it."""
    ruled.version(1, 1, 60, model="v-1")
    ruled.call("two", 3, 60, model="v-1")
    ruled.bill(30)
    bill_october(ruled, 1)
    ruled.version(2, 30, 20, model="v-1")
    bill_october(ruled, 2)
    assert sum(tokens for _, tokens in volume(ruled)) == -160
    assert ruled.rows("SELECT sum(billable_tokens)::BIGINT FROM books.usage_current") == [(160,)]


def bill_october(books: LedgerBooks, day: int) -> None:
    """Bill through a day of October that has a file of its own, so that there is a posting."""
    call: dict[str, object] = {
        "event_id": f"october-{day}",
        "account_id": "cyd",
        "occurred_at": f"2026-10-{day:02d}T10:00:00Z",
    }
    call |= {"operation_type": "chat", "model": "free", "input_tokens": 0, "output_tokens": 0}
    path = books.root / f"usage/2026-10-{day:02d}.jsonl"
    path.write_text(f"{json.dumps(call)}\n", encoding="utf-8")
    opened = books.opened()
    bill_range(opened, opened.first_open_date(), date(2026, 10, day), bare=True, on_date=lambda *_: None)


def notices(books: LedgerBooks) -> list[str]:
    """What the next run says of the rates file as it is now."""
    publish_books(books.opened())
    books.close()
    prices = load_prices(books.folder, load_config(books.folder))
    return price_notices(books.folder, prices, "UTC", datetime(2026, 9, 10, tzinfo=UTC))


@pytest.mark.slow
def test_run_warns_of_versions_that_are_gone_and_rules_that_reach_back(books: LedgerBooks) -> None:
    """It says how many posted calls a restatement would touch; a change that only lies ahead is no news."""
    books.call("a", 2, 100, occurred_at="2026-09-02T09:59:59.999999Z")
    books.call("b", 2, 100, occurred_at="2026-09-02T10:00:00Z")
    books.call("c", 3, 50)
    books.bill(3)
    assert notices(books) == []
    rules_of(books, SETTINGS + CHANGES["multiplier change"].replace("2026-09-02", "2026-09-20"))
    assert notices(books) == []
    rules_of(books, SETTINGS + CHANGES["account override"])
    reaches, touches = notices(books)
    assert "rate 'ada', version" in reaches
    assert "from 2026-09-02T10:00:00Z reaches back over calls that are posted" in reaches
    assert touches.startswith(
        "a restatement from 2026-09-02T10:00:00Z would touch 2 of the 2 calls posted since, by +75"
    )
    rules_of(books, SETTINGS.replace("1.5", "1.7"))
    gone, reaches, touches = notices(books)
    assert "is no longer in the rates file as it was used" in gone
    assert "so do the 3 calls that stand under it" in gone
    assert "would touch 3 of the 3 calls posted since, by +50 tokens" in touches
    books.call("d", 4, 100)
    books.bill(4)
    assert notices(books) == []
    assert books.rows("SELECT count(*) FROM books.system_settings WHERE superseded_by IS NOT NULL") == [(1,)]
    assert books.rows("SELECT count(*) FROM books.rates WHERE superseded_by IS NOT NULL") == [(4,)]


def test_run_warns_of_a_pattern_that_matches_nothing(books: LedgerBooks) -> None:
    """Of the last 90 days; an exact name may well be new."""
    books.call("a", 2, 100, model="gpt-4o")
    books.bill(2)
    rule = '\n[[rate]]\nid = "{0}"\neffective_from = 2026-09-05\nmatch = {{ model = "{1}" }}\nmultiplier = "2"\n'
    patterns = {"idle": "gtp-4*", "new": "gpt-6", "used": "gpt-?o"}
    rules_of(books, SETTINGS + "".join(rule.format(*names) for names in patterns.items()))
    (idle,) = notices(books)
    assert idle.startswith("rate 'idle' (table 1), key match.model: no model of the last 90 days matches 'gtp-4*'")
