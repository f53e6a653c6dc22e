"""Booking the entries that settle breaks: all of them are posted, and none can stop the books."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from billing_core.errors import ConfigurationError
from pipelines.billing import open_books, post_batch, publish_books
from pipelines.books.admin_journal import AdminJournal
from pipelines.recon_case import find_break, proposed
from pipelines.reconciliation import reconcile_books
from pipelines.rehearsal import next_posting, prove_credits
from pipelines.warehouse.hashes import history_hash
from pipelines.warehouse.posting import rehearse
from reports.published import open_published
from tests.cli.recon_stories import STORIES, tell

if TYPE_CHECKING:
    from tests.cli.conftest import Command

SIGNED = ("--actor", "ann", "--reason", "as agreed")


def _breaks(tollbook: Command) -> list[dict[str, Any]]:
    reconcile_books(tollbook.folder)
    return list(tollbook("--json", "recon", "list", "--limit", "0").document["breaks"])


def _bill(tollbook: Command) -> None:
    tollbook.bill("2026-09-05T06:00:00Z", date(2026, 9, 4))
    assert tollbook("stripe", "sync").code == 0


def test_every_proposed_entry_is_posted_and_settles_its_break(fresh: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twenty-two stories with sixteen codes: each entry is booked, the next run posts them all, and nothing is left."""
    monkeypatch.setenv("TOLLBOOK_NOW", "2026-09-05T06:00:00Z")
    tell(fresh.root, *STORIES)
    _bill(fresh)
    found = _breaks(fresh)
    assert Counter(row["code"] for row in found) == Counter(code for code, _ in STORIES.values())
    with open_books(fresh.folder, command="a test") as books, open_published(fresh.folder.published) as reader:
        booked = [entry for row in found for entry in proposed(reader, find_break(reader, row["break_id"]))]
        prove_credits(books, booked)
        for account, credit in booked:
            books.admin.append_credit(actor="ann", account_id=account, reason="as agreed", credit=credit)
    fresh.bill("2026-09-05T07:00:00Z", date(2026, 9, 5))
    assert [(row["account_id"], row["code"], row["note"]) for row in _breaks(fresh)] == []
    assert fresh("verify").code == 0


BOOKED: Any = {
    "break_id": "brk_1",
    "credit_id": "brk_1:1",
    "transaction_type": "purchase",
    "token_amount": 150_000,
    "amount_cents": 1_500,
    "currency": "usd",
    "package_id": None,
    "stripe_payment_intent_id": None,
    "stripe_charge_id": None,
    "stripe_refund_id": None,
    "source_credit_id": None,
    "occurred_at": "2026-09-02T10:00:00Z",
}
REVERSAL = {"transaction_type": "correction", "source_credit_id": "given"}


def _credit(said: dict[str, Any]) -> Any:
    return BOOKED | said


def _given(tollbook: Command) -> None:
    """Ada has one purchase, which an entry may name."""
    row = BOOKED | {"credit_id": "given", "account_id": "ada", "occurred_at": "2026-09-01T10:00:00Z"}
    (tollbook.root / "credits").mkdir()
    (tollbook.root / "credits/2026-09-04.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
    tollbook.bill("2026-09-05T06:00:00Z", date(2026, 9, 4))


BAD: list[tuple[str, str, dict[str, Any]]] = [
    ("unknown_account", "nobody", {}),
    ("unknown_type", "ada", {"transaction_type": "present"}),
    ("unknown_type", "ada", {"transaction_type": "usage"}),
    ("invalid_time", "ada", {"occurred_at": "yesterday"}),
    ("time_out_of_range", "ada", {"occurred_at": "2036-09-02T10:00:00Z"}),
    ("amount_out_of_range", "ada", {"token_amount": 10**16}),
    ("zero_amount", "ada", {"token_amount": 0, "amount_cents": 0}),
    ("wrong_sign", "ada", {"token_amount": -150_000}),
    ("wrong_sign", "ada", {"transaction_type": "chargeback", "source_credit_id": "given"}),
    ("unknown_currency", "ada", {"currency": "btc"}),
    ("conflict", "ada", {"credit_id": "given"}),
    ("unknown_corrected", "ada", REVERSAL | {"token_amount": -5, "source_credit_id": "never"}),
    ("unknown_corrected", "bob", REVERSAL | {"token_amount": -5}),
    ("unknown_corrected", "ada", REVERSAL | {"token_amount": -5, "occurred_at": "2026-09-01T09:00:00Z"}),
    ("exceeds_corrected", "ada", REVERSAL | {"token_amount": 5_000, "amount_cents": None, "currency": None}),
]


@pytest.mark.slow
def test_bad_entries_are_held_and_stop_nothing(tollbook: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the journal says for good moves nothing; the reason is told, a rebuild agrees, what follows is posted."""
    monkeypatch.setenv("TOLLBOOK_NOW", "2026-09-05T05:00:00Z")
    _given(tollbook)
    journal = AdminJournal(tollbook.folder.admin_journal)
    for _, account, said in BAD:
        journal.append_credit(actor="ann", account_id=account, reason="by hand", credit=_credit(said))
    journal.append(actor="ann", action="grant", account_id="nobody", reason="a typing error", token_amount=7)
    journal.append(actor="ann", action="grant", account_id="ada", reason="after them", token_amount=7)
    reasons = [*(reason for reason, _, _ in BAD), "unknown_account"]
    with open_books(tollbook.folder, command="a test") as books:
        summary = post_batch(books, date(2026, 9, 5), ())
        publish_books(books)
    assert (summary.held, summary.counts["tokens_credited"]) == (dict(enumerate(reasons, start=1)), 7)
    entries = tollbook("--json", "admin", "list").document["entries"]
    assert [entry["held_reason"] for entry in entries] == [*reasons, None]
    assert "held: exceeds corrected" in tollbook("admin", "list").out
    assert tollbook("--json", "verify", "--rebuild").document["history_equal"]


def test_entry_that_cannot_be_posted_is_refused(tollbook: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before it is in the journal for good: a posting made with it and taken back says why, and leaves no trace."""
    monkeypatch.setenv("TOLLBOOK_NOW", "2026-09-05T05:00:00Z")
    _given(tollbook)
    sound = _credit({})
    with open_books(tollbook.folder, command="a test") as books:
        before = history_hash(books.connection)
        prove_credits(books, [("ada", sound)])
        for reason, account, said in (BAD[0], BAD[-1]):
            with pytest.raises(ConfigurationError, match=rf"cannot be posted: {reason}\. Nothing was written"):
                prove_credits(books, [("ada", sound), (account, _credit({"credit_id": "brk_2:1", **said}))])
        assert history_hash(books.connection) == before
        books.admin.append_credit(actor="ann", account_id="ada", reason="sound", credit=sound)
        without = replace(next_posting(books), holds_booked=True)
        assert rehearse(books.connection, without) == {1: "failed_check"}
