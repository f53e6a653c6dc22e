"""One Convex snapshot as the whole input of the books: usage, accounts and credits of the same zip."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pipelines.billing import bill_range, open_books, survey
from pipelines.books.folder import BooksFolder
from pipelines.rebuild import rebuild
from tests.empty_warehouse import place_warehouse
from tests.intake.snapshots import encrypted, snapshot

if TYPE_CHECKING:
    from pipelines.warehouse.posting import PostingSummary

SAMPLES = Path(__file__).parents[1] / "fixtures" / "samples"
DAY = date(2026, 3, 15)
CONFIG = """\
[books]
start = 2026-03-01
[[usage]]
path = "convex/snapshot_*.zip"
profile = "convex_token_usage"
[accounts]
path = "convex/snapshot_*.zip"
[credits]
path = "convex/snapshot_*.zip"
[ledger]
welcome_bonus = "app"
[intake]
settle_seconds = 0
"""
TABLES = {
    "tokenUsage": (SAMPLES / "convex_token_usage.jsonl").read_bytes(),
    "tokenAccounts": (SAMPLES / "convex_token_accounts.jsonl").read_bytes(),
    "tokenTransactions": (SAMPLES / "convex_token_transactions.jsonl").read_bytes(),
}


@pytest.fixture(autouse=True)
def fixed_day(monkeypatch: pytest.MonkeyPatch) -> None:
    """The day after the snapshot."""
    monkeypatch.setenv("TOLLBOOK_NOW", "2026-03-16T06:00:00Z")


def books(root: Path) -> BooksFolder:
    """A folder that reads nothing but snapshots."""
    (root / "convex").mkdir(parents=True)
    (root / "tollbook.toml").write_text(CONFIG)
    place_warehouse(BooksFolder(root).database)
    return BooksFolder(root)


def bill(folder: BooksFolder) -> list[PostingSummary]:
    """Bill the day."""
    with open_books(folder, command="test") as opened:
        return bill_range(opened, DAY, DAY, bare=True, on_date=lambda _day, _summary: None)


def ask(folder: BooksFolder, sql: str) -> list[tuple[object, ...]]:
    """Rows of the live database."""
    with open_books(folder, command="test") as opened:
        return opened.connection.execute(sql).fetchall()


FILES = "SELECT kind, outcome, reason, received, accepted, duplicate FROM audit.usage_files ORDER BY file_id"
BALANCES = "SELECT account_id, balance FROM books.token_accounts ORDER BY account_id"


def test_books_end_at_the_balances_of_the_app(tmp_path: Path) -> None:
    """With the app's own welcome bonuses: every balance is the one that the app's accounts table states."""
    folder = books(tmp_path)
    (tmp_path / "convex" / "snapshot_2026-03-15.zip").write_bytes(snapshot(TABLES))
    bill(folder)
    stated = [json.loads(line) for line in TABLES["tokenAccounts"].splitlines()]
    assert ask(folder, BALANCES) == [(row["userId"], int(row["balance"])) for row in stated]
    used = ask(folder, "SELECT account_id, lifetime_tokens_used FROM books.token_accounts ORDER BY account_id")
    assert used == [(row["userId"], int(row["lifetimeTokensUsed"])) for row in stated]
    assert ask(folder, FILES) == [
        ("accounts", "taken", None, 3, 3, 0),
        ("credits", "taken", None, 9, 5, 0),
        ("usage", "taken", None, 7, 5, 1),
    ]
    assert rebuild(folder).history_equal


@pytest.mark.slow
def test_next_snapshot_adds_only_what_is_new(tmp_path: Path) -> None:
    """Rows that stand in both are duplicates; the same zip under another name is one too."""
    folder = books(tmp_path)
    (tmp_path / "convex" / "snapshot_1.zip").write_bytes(snapshot(TABLES))
    bill(folder)
    before = ask(folder, BALANCES)
    new = TABLES["tokenUsage"].splitlines()[4].replace(b"j57e", b"j57f")
    (tmp_path / "convex" / "snapshot_2.zip").write_bytes(
        snapshot(TABLES | {"tokenUsage": TABLES["tokenUsage"] + new + b"\n"})
    )
    (tmp_path / "convex" / "snapshot_3.zip").write_bytes(snapshot(TABLES))
    bill(folder)
    after = ask(folder, BALANCES)
    assert [after[i][1] - before[i][1] for i in range(3)] == [0, 0, -23]  # type: ignore[operator]
    assert ask(folder, f"SELECT * FROM ({FILES}) WHERE kind = 'usage' AND accepted = 1") == [
        ("usage", "taken", None, 8, 1, 7)
    ]


BROKEN = {
    "missing table": (snapshot({"tokenAccounts": TABLES["tokenAccounts"]}), "missing_member"),
    "cut off": (snapshot(TABLES)[:-200], "unreadable"),
    "encrypted": (encrypted(snapshot(TABLES)), "encrypted"),
    "no zip": (b"no zip at all", "unreadable"),
    "checksum": (snapshot(TABLES, 0).replace(b'"inputTokens":1200.0', b'"inputTokens":9200.0', 1), "unreadable"),
    "bomb": (snapshot(TABLES | {"tokenUsage": b"\n" * (65 * 1024 * 1024)}), "unreadable"),
}
OFTEN = ("cut off",)


@pytest.mark.parametrize(
    "name", [*OFTEN, *(pytest.param(name, marks=pytest.mark.slow) for name in BROKEN if name not in OFTEN)]
)
def test_zip_that_cannot_be_read_is_refused_with_its_reason(tmp_path: Path, name: str) -> None:
    """None of its calls is billed, the run goes on and names it again; a rebuild refuses it again."""
    data, reason = BROKEN[name]
    folder = books(tmp_path)
    (tmp_path / "convex" / "snapshot_1.zip").write_bytes(data)
    with open_books(folder, command="test") as opened:
        bill_range(opened, DAY, DAY, bare=True, on_date=lambda _day, _summary: None)
        rows = opened.connection.execute(f"SELECT outcome, reason FROM ({FILES}) WHERE kind = 'usage'").fetchall()
        assert rows == [("refused", reason)]
        assert opened.connection.execute("SELECT count(*) FROM books.token_usage").fetchall() == [(0,)]
        assert any("refused before" in item.why for item in survey(opened).waiting)
    if reason == "missing_member":
        assert rebuild(folder).history_equal
