"""The sides without Stripe: the app's own balances by cause, and the providers' usage reports by day and model."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from pipelines.books.admin_journal import AdminJournal
from tests.warehouse.ledger_books import CONFIG, LedgerBooks, at

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

REPORTS = """\
[[usage]]
path = "reports/*.jsonl"
name = "openai_reports"
profile = "openai_org_usage"
"""
WELCOME, CALL, OVERCHARGE = 10_000, 1_000, 300
BILLED = CALL * 3 // 2


@pytest.fixture
def books(tmp_path: Path) -> Iterator[LedgerBooks]:
    """Empty books that also read usage reports."""
    made = LedgerBooks(tmp_path / "books", config=CONFIG + REPORTS)
    (made.root / "reports").mkdir()
    yield made
    made.close()


def _drift(books: LedgerBooks) -> dict[str, tuple[int, str]]:
    """(drift, cause) by account."""
    found = books.rows("SELECT account_id, drift, cause FROM recon.balance_drift ORDER BY account_id")
    return {account: (drift, cause) for account, drift, cause in found}


def test_drift_of_balances_has_its_cause(books: LedgerBooks) -> None:
    """One account per cause: each has exactly the tokens too many or too few that its cause comes to."""
    for name in ("agrees", "charged", "expired", "helped", "held", "several", "unknown", "late", "welcomed"):
        books.account(name)
        books.call(f"call of {name}", 2, CALL, account_id=name, billable_tokens=BILLED)
    for name in ("charged", "several"):
        books.call(f"dear call of {name}", 2, CALL, account_id=name, billable_tokens=BILLED + OVERCHARGE)
    for name in ("expired", "several"):
        books.credit(f"gift of {name}", "bonus", 500, 2, account_id=name, occurred_at=at(2, 12), expires_at=at(3))
    books.call("unrated", 2, 0, account_id="held", operation_type="image", model="gpt-image-1", image_count=1,
               billable_tokens=4_000)  # fmt: skip
    AdminJournal(books.root / "journal/admin.jsonl", lambda: datetime(2026, 9, 2, 12, tzinfo=UTC)).append(
        actor="ann", action="grant", account_id="helped", reason="sorry", token_amount=700
    )
    used = WELCOME - BILLED
    # A call after the instant for which the app speaks is no difference.
    books.call("later call", 5, CALL, account_id="late")
    stated = {
        "agrees": used,
        "charged": used - BILLED - OVERCHARGE,
        "expired": used + 500,
        "helped": used,
        "held": used - 4_000,
        "late": used,
        "several": used - BILLED - OVERCHARGE + 500,
        "unknown": used + 1,
        "welcomed": used - WELCOME,
    }
    for name, balance in stated.items():
        books.account(name, 4, balance=balance)
    books.bill(6)
    assert _drift(books) == {
        "agrees": (0, "none"),
        "charged": (-OVERCHARGE, "price of calls"),
        "expired": (500, "expiry that the app does not know"),
        "held": (-4_000, "calls that are held"),
        "helped": (-700, "entries made by hand in the books"),
        "late": (0, "none"),
        "several": (500 - OVERCHARGE, "several of these"),
        "unknown": (1, "unexplained"),
        "welcomed": (-WELCOME, "welcome bonus that the app does not know"),
    }


def test_last_word_of_the_app_counts(books: LedgerBooks) -> None:
    """Of several balances that an account states the latest is compared, at its own instant; none is no row."""
    books.account("ada")
    books.account("silent")
    books.account("ada", 3, balance=1)
    books.account("ada", 4, balance=WELCOME)
    books.bill(4)
    assert _drift(books) == {"ada": (0, "none")}


def test_entry_booked_for_a_break_is_one_by_hand(books: LedgerBooks) -> None:
    """The app does not know of a purchase that only `recon post` has booked."""
    books.account("ada")
    books.account("ada", 4, balance=WELCOME)
    ids = ("package_id", "stripe_charge_id", "stripe_refund_id", "source_credit_id")
    AdminJournal(books.root / "journal/admin.jsonl", lambda: datetime(2026, 9, 3, tzinfo=UTC)).append_credit(
        actor="ann", account_id="ada", reason="webhook lost",
        credit={"break_id": "brk_1", "credit_id": "brk_1:1", "transaction_type": "purchase", "token_amount": 150_000,
                "amount_cents": 1_500, "currency": "usd", "stripe_payment_intent_id": "pi_1", "occurred_at": at(2),
                **dict.fromkeys(ids)},  # type: ignore[typeddict-item]
    )  # fmt: skip
    books.bill(1)
    books.bill(4)
    assert _drift(books) == {"ada": (-150_000, "entries made by hand in the books")}


def _bucket(day: int, *results: dict[str, Any]) -> str:
    """One day of OpenAI's report of completions, one result per model."""
    start = int(datetime(2026, 9, day, tzinfo=UTC).timestamp())
    named = [{"object": "organization.usage.completions.result", **result} for result in results]
    return json.dumps({"object": "bucket", "start_time": start, "end_time": start + 86_400, "results": named}) + "\n"


def _result(model: str | None, tokens_in: int, tokens_out: int, requests: int, **more: Any) -> dict[str, Any]:
    counts = {"input_tokens": tokens_in, "output_tokens": tokens_out, "num_model_requests": requests}
    return {"model": model, **counts, **more}


def test_calls_are_compared_with_the_providers_report(books: LedgerBooks) -> None:
    """By UTC day and model: what is equal, missing on either side, more on either side, and counted otherwise."""
    books.account()
    books.call("equal", 2, 100, model="openai/GPT-4o", output_tokens=20)
    books.call("equal, a failed one", 2, 0, success=False, error_message="timeout")
    books.call("more here", 3, 100, output_tokens=20)
    books.call("fewer here", 4, 100, output_tokens=20)
    books.call("otherwise", 5, 100, output_tokens=20)
    books.call("not reported", 5, 10, model="o3")
    books.call("no report of the day", 6, 10)
    books.call("another provider", 5, 10, provider="anthropic", model="claude-sonnet-4")
    report = (
        _bucket(2, _result("gpt-4o", 60, 20, 1, project_id="a"), _result("gpt-4o", 40, 0, 1, project_id="b"))
        + _bucket(3, _result("gpt-4o", 90, 20, 1))
        + _bucket(4, _result("gpt-4o", 300, 60, 3), _result("gpt-4o-mini", 5, 5, 1))
        + _bucket(5, _result("gpt-4o", 90, 30, 1), _result(None, 1, 1, 1))
    )
    (books.root / "reports/2026-09-06.jsonl").write_text(report, encoding="utf-8")
    books.bill(6)
    columns = "usage_date::VARCHAR, model, reported_input_tokens, books_input_tokens, reported_requests, books_requests"
    found = books.rows(f"SELECT {columns}, failed_requests, finding FROM recon.provider_usage ORDER BY ALL")
    assert found == [
        ("2026-09-02", "gpt-4o", 100, 100, 2, 2, 1, "equal"),
        ("2026-09-03", "gpt-4o", 90, 100, 1, 1, 0, "more in the books"),
        ("2026-09-04", "gpt-4o", 300, 100, 3, 1, 0, "calls missing in the books"),
        ("2026-09-04", "gpt-4o-mini", 5, 0, 1, 0, 0, "not in the books"),
        ("2026-09-05", "gpt-4o", 90, 100, 1, 1, 0, "counted differently"),
        ("2026-09-05", "o3", 0, 10, None, 1, 0, "not in the report"),
    ]


@pytest.mark.slow
def test_later_report_of_a_day_replaces_the_earlier_one(books: LedgerBooks) -> None:
    """A day that was reported before it was over is reported again; delivered twice it counts once."""
    books.account()
    books.call("e1", 2, 100)
    for number, tokens in enumerate((40, 100, 100), start=1):
        text = _bucket(2, _result("gpt-4o", tokens, 0, 1))
        (books.root / f"reports/2026-09-0{number + 1}.jsonl").write_text(text, encoding="utf-8")
    books.bill(4)
    assert books.rows("SELECT reported_input_tokens, finding FROM recon.provider_usage") == [(100, "equal")]
