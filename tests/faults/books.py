"""Small real books for the tests of faults: three dates, two accounts, every kind of record, a few lines each."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from pipelines.books.admin_journal import AdminJournal
from pipelines.books.folder import BooksFolder

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

NOW = "2026-09-10T00:00:00Z"
FIRST, SECOND, LAST = date(2026, 9, 1), date(2026, 9, 2), date(2026, 9, 3)

CONFIG = """\
[books]
name = "Books under faults"
start = 2026-09-01

[[usage]]
name = "app"
path = "usage/**/*"
profile = "tollbook"

[accounts]
path = "accounts/*.jsonl"

[intake]
settle_seconds = 0

[engine]
threads = 1
"""


def write_books(root: Path) -> BooksFolder:
    """Write the books: usage of three dates with flaws, one file without a date, accounts, credits and a grant."""
    (root / "usage").mkdir(parents=True)
    (root / "tollbook.toml").write_text(CONFIG, encoding="utf-8")
    write_lines(root / "accounts/accounts.jsonl", [account(name) for name in ("alice", "bob")])
    write_lines(root / "credits/2026-09-01.jsonl", _credits())
    flawed: list[dict[str, object] | str] = [
        call("bad", "alice", FIRST, input_tokens=-5),
        "{torn",
        "",
        call("ghost", "nobody", FIRST),
    ]
    first = [call(f"first-{hour}", ("alice", "bob")[hour % 2], FIRST, hour=hour) for hour in range(4)]
    write_lines(root / "usage/2026-09-01.jsonl", [*first, first[0], *flawed])
    late = call("late", "bob", FIRST, hour=23)
    conflicting = call("first-1", "bob", FIRST, hour=1, input_tokens=999)
    second = [call(f"second-{hour}", ("bob", "alice")[hour % 2], SECOND, hour=hour) for hour in range(4)]
    write_lines(root / "usage/2026-09-02.jsonl.gz", [*second, late, conflicting, "{torn again"])
    third = [call(f"third-{hour}", "alice", LAST, hour=hour) for hour in range(3)]
    write_lines(root / "usage/2026-09-03.jsonl", [*third, call("failed", "bob", LAST, success=False)])
    write_lines(root / "usage/extra.jsonl", [call("undated", "bob", LAST, hour=5)])
    journal = AdminJournal(root / "journal/admin.jsonl", lambda: datetime(2026, 9, 2, 12, tzinfo=UTC))
    journal.append(actor="eve", action="grant", account_id="bob", reason="goodwill", token_amount=70)
    return BooksFolder(root.resolve())


def _credits() -> list[dict[str, object]]:
    bonus = credit("bonus", "alice", "bonus", 500, FIRST, expires_at="2026-09-03T12:00:00Z")
    bought = credit("bought", "bob", "purchase", 150_000, FIRST, amount_cents=1500, currency="usd")
    taken_back = credit("taken", "bob", "refund", -50_000, SECOND, amount_cents=-500, currency="usd")
    return [bonus, {**bought, "stripe_payment_intent_id": "pi_1"}, {**taken_back, "stripe_payment_intent_id": "pi_1"}]


def account(name: str) -> dict[str, object]:
    """Make the account row of one account."""
    return {"account_id": name, "created_at": "2026-09-01T00:00:00Z"}


def credit(name: str, account_id: str, kind: str, tokens: int, day: date, **fields: object) -> dict[str, object]:
    """Make one credit row at three in the morning of a day."""
    own = {"credit_id": name, "account_id": account_id, "transaction_type": kind, "token_amount": tokens}
    return {**own, "occurred_at": f"{day}T03:00:00Z", **fields}


def call(name: str, account_id: str, day: date, *, hour: int = 4, **fields: object) -> dict[str, object]:
    """Make one call of a model."""
    return {
        "event_id": name,
        "account_id": account_id,
        "occurred_at": f"{day}T{hour:02d}:00:00Z",
        "operation_type": "generation",
        "provider": "openai",
        "model": "gpt-4o",
        "input_tokens": 1000 + hour,
        "output_tokens": 10,
        **fields,
    }


def write_lines(path: Path, lines: Sequence[dict[str, object] | str]) -> None:
    """Write a file of JSON Lines, compressed when its name ends in .gz; a text stands as it is."""
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    content = "".join(f"{text}\n" for text in texts).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(content, mtime=0) if path.suffix == ".gz" else content)
