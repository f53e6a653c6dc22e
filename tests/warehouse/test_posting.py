"""What a posting writes, by example. The fixture proves every check at the end."""

from __future__ import annotations

import gzip
import json
from datetime import datetime
from importlib import resources
from typing import TYPE_CHECKING, Any

import pytest

from pipelines.billing import retry_quarantine
from pipelines.books.admin_journal import AdminAction, AdminJournal
from pipelines.books.posting_log import RetriedRecord
from tests.warehouse.conftest import RATES
from tests.warehouse.ledger_books import CONFIG, LedgerBooks, at, failing

if TYPE_CHECKING:
    from collections.abc import Iterator

BONUS = "[[settings]]\nnew_user_bonus_tokens = 500\n"


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LedgerBooks]:
    """Books in which each of the stories below is the account of its name, billed day by day."""
    books = LedgerBooks(tmp_path_factory.mktemp("told") / "books", rates=RATES)
    for name in ("charged", "failed", "purchase", "reversal", "early refund", "expiry"):
        books.account(name)
    books.call("charged", 1, 101, account_id="charged")
    books.call("failed", 1, 100, account_id="failed", success=False, error_message="timeout")
    usd: dict[str, Any] = {"currency": "usd"}
    mine: dict[str, Any] = {"account_id": "purchase"}
    books.call("before", 1, 100, **mine)
    books.credit("p", "purchase", 1000, 2, amount_cents=500, stripe_payment_intent_id="pi_1", **mine, **usd)
    mine = {"account_id": "reversal"}
    books.credit("b", "bonus", 500, 1, **mine)
    books.credit("r", "refund", -500, 2, source_credit_id="b", **mine)
    books.credit("back", "refund", 500, 3, source_credit_id="r", **mine)
    mine = {"account_id": "early refund"}
    books.credit("late p", "purchase", 1000, 3, amount_cents=1000, **mine, **usd)
    books.credit("early r", "refund", -200, 2, amount_cents=200, source_credit_id="late p", **mine, **usd)
    books.credit("ends", "bonus", 500, 1, account_id="expiry", expires_at=at(3))
    books.call("late", 2, 200, account_id="expiry", file_day=5)
    books.bill(5)
    yield books
    assert failing(books.opened().connection) == {}
    books.close()


def test_call_is_priced_and_charged(told: LedgerBooks) -> None:
    """Half as much again, rounded up, as one row below zero of an account that may then not be served."""
    assert told.ledger("charged") == [("usage", -152, -152)]
    assert told.one("status, balance_level, lifetime_tokens_used, lifetime_actual_tokens_used", "charged") == (
        "suspended", "negative", 152, 101,
    )  # fmt: skip


def test_failed_call_is_recorded_and_free(told: LedgerBooks) -> None:
    """It has an event of zero billable tokens and no ledger row."""
    assert told.ledger("failed") == []
    assert told.rows("SELECT billable_tokens, charge_type FROM books.token_usage WHERE account_id = 'failed'") == [
        (0, None)
    ]


def test_purchase_counts_tokens_and_money(told: LedgerBooks) -> None:
    """It repays debt first; its instant is the last purchase."""
    assert told.ledger("purchase") == [("usage", -150, -150), ("purchase", 1000, 850)]
    columns = "currency, lifetime_spent_cents, epoch(last_purchase_at)::BIGINT, status"
    assert told.one(columns, "purchase") == ("usd", 500, 1788307200, "active")
    moved = "SELECT kind, tokens FROM finance.lot_allocations WHERE account_id = 'purchase'"
    assert told.rows(moved) == [("repay", 150)]


def test_reversal_of_a_taken_back_bonus(told: LedgerBooks) -> None:
    """A refund may name any credit; what comes back goes into that credit's lot."""
    assert told.held() == []
    assert told.ledger("reversal")[-1] == ("refund", 500, 500)


def test_refund_dated_before_its_purchase_is_an_ordinary_debit(told: LedgerBooks) -> None:
    """There is no lot yet from which it could be taken back."""
    assert told.ledger("early refund") == [("refund", -200, -200), ("purchase", 1000, 800)]


def test_lot_expires_and_late_usage_revives_it(told: LedgerBooks) -> None:
    """A late call inside its time takes tokens back from the expiry, by a correction that names it."""
    expired = [("bonus", 500, 500), ("expiry", -500, 0)]
    assert told.ledger("expiry") == [*expired, ("correction", 300, 300), ("usage", -300, 0)]
    assert told.one("lifetime_tokens_used", "expiry") == 300


def test_unrated_image_is_held(books: LedgerBooks) -> None:
    """No rule prices the model: it is kept and reported, never billed as another."""
    books.call("e1", 1, 0, operation_type="image", model="gpt-image-1", image_count=2)
    books.call("e2", 1, 0, operation_type="image", model="dall-e-3", image_count=2)
    books.bill(1)
    assert books.ledger() == [("usage", -12_000, -12_000)]
    assert books.rows("SELECT model FROM finance.held") == [("gpt-image-1",)]


def test_welcome_bonus_comes_once(books: LedgerBooks) -> None:
    """A later version of the account brings no second one."""
    (books.root / "rates.toml").write_text(BONUS, encoding="utf-8")
    books.bill(1)
    books.account(day=2, plan="pro")
    books.bill(2)
    assert books.ledger() == [("bonus", 500, 500)]


def test_opening_balance_takes_the_place_of_the_welcome(books: LedgerBooks) -> None:
    """An account that moves in brings its tokens, no bonus, and nothing counts as purchased."""
    (books.root / "rates.toml").write_text(BONUS, encoding="utf-8")
    books.credit("o", "opening", 700, 1, amount_cents=70, currency="usd")
    books.bill(1)
    assert books.ledger() == [("opening", 700, 700)]
    assert books.one("lifetime_tokens_purchased, lifetime_spent_cents") == (0, 0)


def test_refund_takes_back_unspent_tokens_then_makes_debt(books: LedgerBooks) -> None:
    """A full refund takes all tokens of its purchase; those already spent become debt."""
    spent_of = {"ada": 0, "bob": 450, "cyd": 900}
    for name, spent in spent_of.items():
        books.account(name)
        books.credit(f"p-{name}", "purchase", 900, 1, account_id=name, amount_cents=1000, currency="usd")
        if spent:
            books.call(f"e-{name}", 2, spent * 2 // 3, account_id=name)
        refund = {"amount_cents": 1000, "currency": "usd", "source_credit_id": f"p-{name}"}
        books.credit(f"r-{name}", "refund", -900, 3, account_id=name, **refund)
    books.bill(4)
    moved = books.rows(
        "SELECT account_id, sum(tokens)::BIGINT FROM finance.lot_allocations WHERE kind = 'take_back' GROUP BY ALL"
    )
    assert dict(moved) == {name: 900 - spent for name, spent in spent_of.items() if spent < 900}
    for name, spent in spent_of.items():
        assert books.one("balance, lifetime_spent_cents", name) == (-spent, 0)


def test_refund_of_money_alone_moves_no_token(books: LedgerBooks) -> None:
    """Its amount is negative whatever sign the record has; zero of both is refused."""
    books.credit("p", "purchase", 1000, 1, amount_cents=1000, currency="usd")
    books.credit("r", "refund", 0, 2, amount_cents=300, currency="usd", source_credit_id="p")
    books.credit("z", "refund", 0, 2, source_credit_id="p")
    books.bill(2)
    assert books.rows(
        "SELECT token_amount, amount_cents FROM books.token_transactions WHERE transaction_type = 'refund'"
    ) == [(0, -300)]
    assert books.one("balance, lifetime_spent_cents") == (1000, 700)
    assert books.held() == [("quarantined", "zero_amount", None)]


@pytest.mark.parametrize("together", [True, False])
def test_chargeback_and_its_reversal(books: LedgerBooks, *, together: bool) -> None:
    """Tokens and money go and come back, in one posting or in two."""
    when = {"file_day": 4} if together else {}
    books.credit("p", "purchase", 1000, 1, amount_cents=1000, currency="usd", **when)
    books.call("e1", 2, 400, **when)
    books.credit("cb", "chargeback", -1000, 3, amount_cents=1000, currency="usd", source_credit_id="p", **when)
    if not together:
        books.bill(3)
        assert books.one("balance, lifetime_spent_cents") == (-600, 0)
    books.credit("rev", "chargeback_reversal", 1000, 4, amount_cents=1000, currency="usd", source_credit_id="cb")
    books.bill(4)
    assert [row[:2] for row in books.ledger()][2:] == [("chargeback", -1000), ("chargeback_reversal", 1000)]
    assert books.one("balance, lifetime_spent_cents") == (400, 1000)
    assert books.rows("SELECT remaining FROM finance.lot_balances") == [(400,)]


@pytest.mark.parametrize("together", [True, False])
def test_no_row_gives_back_more_than_was_taken(books: LedgerBooks, *, together: bool) -> None:
    """The second one goes over what its row took: it is held back with a reason, the third still fits."""
    when = {"file_day": 5} if together else {}
    kinds = {"ada": "refund", "bob": "chargeback_reversal", "cyd": "correction"}
    for name, kind in kinds.items():
        books.account(name)
        mine = {"account_id": name, **when}
        purchase, taken = f"{name}-p", f"{name}-cb"
        books.credit(purchase, "purchase", 1000, 1, amount_cents=1000, currency="usd", **mine)
        books.credit(taken, "chargeback", -600, 2, amount_cents=600, currency="usd", source_credit_id=purchase, **mine)
        for day, (nth, tokens) in enumerate({"one": 400, "two": 300, "three": 200}.items(), start=3):
            books.credit(f"{name}-{nth}", kind, tokens, day, source_credit_id=taken, **mine)
    books.bill(5)
    assert sorted(books.held()) == [("quarantined", "exceeds_corrected", f"{name}-cb") for name in kinds]
    assert [books.one("balance", name) for name in kinds] == [1000, 1000, 1000]
    assert books.rows("SELECT count(*) FROM audit.postings") == [(2 if together else 5,)]


def test_what_took_nothing_gives_nothing_back(books: LedgerBooks) -> None:
    """A purchase took no token, so a correction of it that adds tokens is held back; so is one of itself."""
    books.credit("p", "purchase", 1000, 1)
    books.credit("c", "correction", 10, 2, source_credit_id="p")
    books.credit("self", "correction", 10, 2, source_credit_id="self")
    books.credit("nameless", "correction", -10, 2)
    books.bill(2)
    assert books.held() == [
        ("quarantined", "exceeds_corrected", "p"),
        ("quarantined", "unknown_corrected", "self"),
        ("quarantined", "unknown_corrected", None),
    ]
    assert books.ledger() == [("purchase", 1000, 1000)]


def test_row_dated_before_what_it_names_is_held_back(books: LedgerBooks) -> None:
    """What it names is not in the ledger yet; nor may it stand at the same instant, where credits come first."""
    books.credit("p", "purchase", 1000, 1)
    books.credit("cb", "chargeback", -500, 4, source_credit_id="p")
    books.credit("early", "chargeback_reversal", 100, 3, source_credit_id="cb")
    books.credit("level", "chargeback_reversal", 100, 4, source_credit_id="cb")
    books.bill(4)
    assert [reason for _, reason, _ in books.held()] == ["unknown_corrected", "unknown_corrected"]
    assert books.one("balance") == 500


@pytest.mark.slow
def test_correction_that_is_held_back_supports_no_other(books: LedgerBooks) -> None:
    """The one names nothing, so the other, which names the one, names nothing either."""
    books.credit("p", "purchase", 1000, 1)
    books.credit("a", "correction", -50, 2, source_credit_id="missing")
    books.credit("b", "correction", 50, 3, source_credit_id="a")
    books.bill(3)
    assert [reason for _, reason, _ in books.held()] == ["unknown_corrected", "unknown_corrected"]


def test_conflict_with_a_posted_call_is_held(books: LedgerBooks) -> None:
    """Without a version the posted one stands; the other is kept with the fields that differ."""
    books.call("e1", 1, 100)
    books.bill(1)
    books.call("e1", 2, 200, occurred_at=at(1, 10))
    books.bill(2)
    assert books.ledger() == [("usage", -150, -150)]
    assert books.held() == [("conflict", "conflict", "input_tokens")]


def test_call_of_an_unknown_account_is_admitted_when_it_exists(books: LedgerBooks) -> None:
    """It is billed once, at its own instant, and stands as accepted."""
    books.call("e1", 1, 100, account_id="bob")
    books.bill(1)
    assert books.held() == [("quarantined", "unknown_account", "bob")]
    books.account("bob", day=2)
    books.bill(2)
    books.runs += 1
    found = books.rows(
        "SELECT file.sha256, file.source, line_no, record_no FROM audit.quarantine_open"
        " JOIN audit.usage_files AS file USING (file_id)"
    )
    retry_quarantine(books.opened(), [RetriedRecord(*row) for row in found])
    assert books.ledger("bob") == [("usage", -150, -150)]
    assert books.held() == []
    assert books.rows(
        "SELECT disposition, previous_disposition FROM audit.line_dispositions WHERE previous_disposition IS NOT NULL"
    ) == [("accepted", "quarantined")]
    books.bill(3)


def test_administrator_grants_deducts_blocks_and_unblocks(books: LedgerBooks) -> None:
    """Each is a row or a word with its actor; a block outlives any balance until it is lifted."""
    steps: list[tuple[AdminAction, int | None]] = [("grant", 500), ("deduct", 200), ("block", None), ("unblock", None)]
    states = []
    for number, (action, tokens) in enumerate(steps):
        journal = AdminJournal(books.folder.admin_journal, lambda day=number + 1: datetime.fromisoformat(at(day)))  # type: ignore[misc]
        journal.append(actor="eve", action=action, account_id="ada", reason="a test", token_amount=tokens)
        books.bill(number + 1)
        states.append(books.one("status"))
    assert states == ["active", "active", "blocked", "active"]
    assert books.ledger() == [("admin_grant", 500, 500), ("admin_deduction", -200, 300)]
    assert books.rows("SELECT DISTINCT admin_user_id, description FROM books.token_transactions") == [("eve", "a test")]


def test_blocked_account_stays_blocked_after_a_purchase(books: LedgerBooks) -> None:
    """The app's own word counts until a later version takes it back."""
    books.account(day=2, status="blocked")
    books.credit("p", "purchase", 1000, 2)
    books.bill(2)
    assert books.one("status") == "blocked"
    books.account(day=3, status="active")
    books.bill(3)
    assert books.one("status") == "active"


def test_level_follows_the_balance(books: LedgerBooks) -> None:
    """A threshold itself belongs to the lower level."""
    levels = {1001: "ok", 1000: "low", 101: "low", 100: "critical"}
    for tokens in levels:
        books.account(f"has-{tokens}")
        books.credit(f"b-{tokens}", "bonus", tokens, 1, account_id=f"has-{tokens}")
    books.bill(1)
    assert {tokens: books.one("balance_level", f"has-{tokens}") for tokens in levels} == levels


def test_first_use_opens_an_account(books: LedgerBooks) -> None:
    """Without an accounts file an account is dated at the start of the books and gets its bonus."""
    config = CONFIG.replace('path = "accounts/*.jsonl"', "auto_create = true")
    (books.root / "tollbook.toml").write_text(config, encoding="utf-8")
    (books.root / "rates.toml").write_text(BONUS, encoding="utf-8")
    books.call("e1", 2, 100)
    books.bill(2)
    assert books.ledger() == [("bonus", 500, 500), ("usage", -150, 350)]
    assert books.one("user_id, epoch(created_at)::BIGINT") == ("ada", 1788220800)


def test_call_before_the_start_is_ignored(books: LedgerBooks) -> None:
    """It is counted with its reason and never billed."""
    books.call("old", 1, 100, occurred_at="2026-08-31T23:59:59Z")
    books.bill(1)
    assert books.ledger() == []
    assert books.rows("SELECT disposition, reason FROM audit.current_dispositions WHERE reason IS NOT NULL") == [
        ("ignored", "before_start")
    ]


def test_credit_dated_ahead_waits_for_its_date(books: LedgerBooks) -> None:
    """It is read at once and enters the ledger with the billing date that reaches it."""
    books.credit("p", "purchase", 1000, 4, file_day=1)
    books.bill(1)
    assert (books.ledger(), books.rows("SELECT count(*) FROM books.credits")) == ([], [(1,)])
    books.bill(3)
    assert books.ledger() == []
    books.bill(4)
    assert books.ledger() == [("purchase", 1000, 1000)]


def test_damaged_file_is_refused_and_the_others_are_posted(books: LedgerBooks) -> None:
    """Nothing of it is billed, not even what could be read."""
    books.call("e1", 1, 100)
    call = {"event_id": "x", "account_id": "ada", "occurred_at": at(1, 9), "model": "gpt-4o", "input_tokens": 7}
    packed = gzip.compress("".join(json.dumps(call | {"event_id": f"x{n}"}) + "\n" for n in range(5000)).encode())
    (books.root / "usage/2026-09-01-000.jsonl.gz").write_bytes(packed[: len(packed) // 2])
    books.call("e2", 1, 10)
    books.bill(1)
    assert books.ledger()[-1][2] == -165
    assert books.rows("SELECT outcome, reason, received FROM audit.usage_files WHERE path LIKE '%.gz'") == [
        ("refused", "unreadable", 0)
    ]


def test_money_has_a_currency(books: LedgerBooks) -> None:
    """The record's, else the account's, else US dollars."""
    books.account("bob", currency="eur")
    for number, (account, currency) in enumerate([("ada", None), ("ada", "GBP"), ("bob", None)]):
        books.credit(
            f"p{number}",
            "purchase",
            10,
            1,
            account_id=account,
            amount_cents=100,
            **({"currency": currency} if currency else {}),
        )
    books.bill(1)
    assert books.rows("SELECT account_id, currency FROM books.token_transactions ORDER BY ALL") == [
        ("ada", "gbp"), ("ada", "usd"), ("bob", "eur"),
    ]  # fmt: skip


@pytest.mark.slow
def test_lifetime_spend_is_in_one_currency(books: LedgerBooks) -> None:
    """An account that changes its currency shows what it spent in the new one; currencies are never added."""
    books.credit("d", "purchase", 10, 1, amount_cents=100, currency="usd")
    books.credit("e", "purchase", 10, 1, amount_cents=70, currency="eur", occurred_at=at(1, 5))
    books.credit("r", "refund", -5, 2, amount_cents=30, currency="eur", source_credit_id="e")
    books.bill(2)
    assert books.one("currency, lifetime_spent_cents") == ("usd", 100)
    books.account(day=3, currency="eur")
    books.bill(3)
    assert books.one("currency, lifetime_spent_cents") == ("eur", 40)


@pytest.mark.slow
def test_settings_entered_late_for_a_past_date_leave_posted_calls_alone(books: LedgerBooks) -> None:
    """They price what comes from then on; what was posted stands until it is restated, and no check objects."""
    books.call("e1", 3, 100)
    books.bill(3)
    rates = (books.root / "rates.toml").read_text("utf-8")
    later = '[[settings]]\neffective_from = 2026-09-02\ndefault_token_multiplier = "2"\nnew_user_bonus_tokens = 0\n'
    books.close()
    (books.root / "rates.toml").write_text(rates + later, encoding="utf-8")
    books.call("e2", 3, 100, file_day=4)
    books.bill(4)
    assert [row[1] for row in books.ledger()] == [-150, -200]


@pytest.mark.parametrize("through", [2, pytest.param(4, marks=pytest.mark.slow)])
def test_refund_read_before_its_purchase_waits_for_it(books: LedgerBooks, through: int) -> None:
    """It is not in the ledger until the purchase is; then it takes its tokens from that purchase's lot."""
    books.credit("r", "refund", -400, 2, amount_cents=400, currency="usd", source_credit_id="p")
    books.bill(through)
    assert books.ledger() == []
    assert books.rows("SELECT waits_for, waits_through::VARCHAR FROM books.credits_waiting") == [("p", "2026-09-05")]
    books.credit("p", "purchase", 1000, 1, amount_cents=1000, currency="usd")
    books.bill(through)
    assert books.ledger() == [("purchase", 1000, 1000), ("refund", -400, 600)]
    assert books.rows("SELECT kind, tokens FROM finance.lot_allocations") == [("take_back", 400)]
    assert books.rows("FROM books.credits_waiting") == []


def test_refund_of_a_purchase_from_before_the_books_waits_three_dates(books: LedgerBooks) -> None:
    """Nothing more is read, and the fourth date takes it as an ordinary debit."""
    books.credit("o", "opening", 1000, 1)
    books.credit("r", "refund", -400, 1, amount_cents=400, currency="usd", stripe_payment_intent_id="pi_old")
    books.bill(4)
    assert books.ledger() == [("opening", 1000, 1000)]
    books.bill(5)
    assert books.ledger() == [("opening", 1000, 1000), ("refund", -400, 600)]
    assert books.rows("SELECT kind FROM finance.lot_allocations") == [("burn",)]


def test_reversal_waits_with_the_chargeback_that_it_names(books: LedgerBooks) -> None:
    """Neither is in the ledger before the purchase, whatever their order."""
    books.credit("cb", "chargeback", -900, 2, amount_cents=900, currency="usd", source_credit_id="p", file_day=3)
    books.credit("rev", "chargeback_reversal", 900, 3, amount_cents=900, currency="usd", source_credit_id="cb")
    books.bill(3)
    assert books.ledger() == []
    books.credit("p", "purchase", 1000, 1, amount_cents=1000, currency="usd", file_day=4)
    books.bill(4)
    assert [row[:2] for row in books.ledger()] == [
        ("purchase", 1000), ("chargeback", -900), ("chargeback_reversal", 900),
    ]  # fmt: skip


def test_opening_balance_that_comes_late_takes_the_welcome_back(books: LedgerBooks) -> None:
    """The correction names the bonus, takes what is left of its own lot, and the rest is a debit like any other."""
    (books.root / "rates.toml").write_text(BONUS, encoding="utf-8")
    spent_and_debt = {"ada": (0, 0), "bob": (100, 0), "cyd": (400, 100)}
    for name, (spent, _) in spent_and_debt.items():
        books.account(name)
        if spent:
            books.call(f"e-{name}", 1, spent, account_id=name)
    books.bill(1)
    for name in spent_and_debt:
        books.credit(f"o-{name}", "opening", 700, 1, file_day=2, account_id=name)
    books.bill(2)
    books.bill(3)
    named = "SELECT c.account_id, count(*) FROM books.token_transactions c JOIN books.token_transactions b"
    named += " ON b.transaction_id = c.corrects_transaction_id WHERE b.transaction_type = 'bonus' GROUP BY ALL"
    assert dict(books.rows(named)) == dict.fromkeys(spent_and_debt, 1)
    taken = "SELECT account_id, sum(tokens)::BIGINT FROM finance.lot_allocations WHERE kind = 'take_back' GROUP BY ALL"
    assert dict(books.rows(taken)) == {
        name: 500 - spent * 3 // 2 + debt for name, (spent, debt) in spent_and_debt.items() if spent < 400
    }
    for name, (spent, _) in spent_and_debt.items():
        assert books.one("balance", name) == 700 - spent * 3 // 2


def test_ids_of_several_columns_are_told_apart(books: LedgerBooks) -> None:
    """A colon inside a value is no border between two."""
    text = (resources.files("pipelines.intake") / "profiles/credits.toml").read_text("utf-8")
    own = text.replace('["credit_id|_id"]', '["credit_id", "package_id"]')
    (books.root / "profiles/credits.toml").write_text(own, encoding="utf-8")
    books.credit("a:b", "bonus", 10, 1, package_id="c")
    books.credit("a", "bonus", 20, 1, package_id="b:c")
    books.credit("a", "bonus", 30, 1, package_id="b")
    books.bill(1)
    assert books.rows("SELECT credit_id FROM books.credits ORDER BY token_amount") == [
        ("a\\:b:c",), ("a:b\\:c",), ("a:b",),
    ]  # fmt: skip
    assert books.one("balance") == 60


def test_texts_of_records_are_bounded(books: LedgerBooks) -> None:
    """A prompt in the wrong field does not stand in the tables whole, nor does a control character in a detail."""
    books.call("long", 1, model="secret " * 1000)
    books.call("odd", 1, operation_type="chat\x1b[2J")
    books.credit("c", "bonus", 10, 1, description="d" * 5000)
    books.credit("again", "bonus", 10, 1, description="d" * 5000)
    books.credit("again", "bonus", 10, 1, description="d" * 6000)
    books.credit("bad", "bonus", -10, 1, description="d" * 5000)
    books.bill(1)
    held = books.rows("SELECT reason, length(parsed ->> 'model'), detail FROM audit.quarantine WHERE kind = 'usage'")
    assert held == [("invalid_text", 512, "model"), ("unknown_operation", 6, "chat\ufffd[2j")]
    assert books.rows("SELECT length(description) FROM books.credits") == [(512,), (512,)]
    assert books.rows("SELECT length(parsed ->> 'description') FROM audit.quarantine WHERE kind = 'credits'") == [
        (512,)
    ]


BY_LINE = """\
kind = "usage"
dedup = "file_line"
[time]
path = "t"
[account]
try = ["account"]
[fields]
model = "model"
input_tokens = "in"
"""


@pytest.mark.parametrize("suffix", [pytest.param("csv", marks=pytest.mark.slow), "jsonl"])
def test_lines_of_a_file_stay_the_same_lines_while_it_grows(books: LedgerBooks, suffix: str) -> None:
    """Their key names the file as it was first read; a last line without an end is read again and billed once."""
    (books.root / "profiles/versions.toml").write_text(BY_LINE, encoding="utf-8")
    calls = [{"t": at(1, hour), "account": "ada", "model": "gpt-4o", "in": str(100 * hour)} for hour in (1, 2, 3, 4)]
    if suffix == "csv":
        lines = ["t,account,model,in", *(",".join(call.values()) for call in calls)]
    else:
        lines = [json.dumps(call | {"in": int(call["in"])}) for call in calls]
    path = books.root / f"versions/2026-09-01.{suffix}"
    for day, count in enumerate((2, 3, 4), start=1):
        kept = len(lines) - 4 + count
        path.write_text("\n".join(lines[:kept]), encoding="utf-8")
        books.bill(day)
    assert [row[1] for row in books.ledger()] == [-150, -300, -450, -600]
    assert books.rows("SELECT disposition, count(*) FROM audit.line_dispositions GROUP BY ALL ORDER BY ALL")[-1] == (
        "duplicate", 2,
    )  # fmt: skip
