"""Small real books that a test writes day by day, bills, and looks into."""

from __future__ import annotations

import json
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

import duckdb

from pipelines.billing import OpenBooks, bill_range, open_books
from pipelines.books.folder import BooksFolder
from pipelines.warehouse.checks import checks, failing_rows
from tests.empty_warehouse import place_books

if TYPE_CHECKING:
    from pathlib import Path

START = date(2026, 9, 1)
CONFIG = """\
[books]
start = 2026-09-01
[[usage]]
path = "usage/**/*"
profile = "tollbook"
[[usage]]
path = "versions/**/*"
profile = "versions"
[accounts]
path = "accounts/*.jsonl"
[intake]
settle_seconds = 0
"""
VERSIONS = """\
kind = "usage"
dedup = ["id"]
version = "v"
[time]
path = "t"
[account]
try = ["account"]
[fields]
model = "model"
input_tokens = "in"
"""


def at(day: int, hour: int = 0) -> str:
    """An instant of September 2026."""
    return f"2026-09-{day:02d}T{hour:02d}:00:00Z"


@dataclass
class LedgerBooks:
    """A books folder; every bill() is one run, opened and closed like the command does."""

    root: Path
    config: str = CONFIG
    files: int = 0
    runs: int = 0
    rates: str = ""
    _books: OpenBooks | None = None
    _stack: ExitStack = field(default_factory=ExitStack)

    def __post_init__(self) -> None:
        for name in ("usage", "versions", "accounts", "credits", "profiles"):
            (self.root / name).mkdir(parents=True, exist_ok=True)
        (self.root / "tollbook.toml").write_text(self.config, encoding="utf-8")
        (self.root / "profiles/versions.toml").write_text(VERSIONS, encoding="utf-8")
        if self.rates:
            (self.root / "rates.toml").write_text(self.rates, encoding="utf-8")
        if not self.folder.database.exists():
            place_books(self.folder)

    @property
    def folder(self) -> BooksFolder:
        """The folder's paths."""
        return BooksFolder(self.root.resolve())

    def write(self, kind: str, day: int, *records: dict[str, Any] | str) -> Path:
        """Write a file of records dated by its name."""
        self.files += 1
        path = self.root / kind / f"2026-09-{day:02d}-{self.files:03d}.jsonl"
        lines = [record if isinstance(record, str) else json.dumps(record) for record in records]
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        return path

    def account(self, name: str = "ada", day: int = 1, **changes: Any) -> None:
        """Write a version of an account."""
        created = {"account_id": name, "created_at": at(1), "updated_at": at(day)}
        self.write("accounts", day, created | changes)

    def call(self, event: str, day: int, tokens: int = 100, **changes: Any) -> None:
        """Write one call of `tokens` input tokens, billed at half as much again."""
        call: dict[str, Any] = {
            "event_id": event,
            "account_id": "ada",
            "occurred_at": at(day, 10),
            "operation_type": "chat",
        }
        call |= {"provider": "openai", "model": "gpt-4o", "input_tokens": tokens, "output_tokens": 0}
        self.write("usage", int(changes.pop("file_day", day)), call | changes)

    def version(self, number: int, day: int, tokens: int, **changes: Any) -> None:
        """Write a version of the call v of the first day."""
        call: dict[str, Any] = {
            "id": "v",
            "v": number,
            "t": at(1, 10),
            "account": "ada",
            "model": "gpt-4o",
            "in": tokens,
        }
        self.write("versions", day, call | changes)

    def credit(self, credit_id: str, kind: str, tokens: int, day: int, **changes: Any) -> None:
        """Write a credit record."""
        credit: dict[str, Any] = {
            "credit_id": credit_id,
            "account_id": "ada",
            "transaction_type": kind,
            "token_amount": tokens,
        }
        self.write("credits", int(changes.pop("file_day", day)), credit | {"occurred_at": at(day)} | changes)

    def opened(self) -> OpenBooks:
        """The books, opened for writing until close(); every run is a minute later than the one before."""
        if self._books is None:
            self._books = self._stack.enter_context(open_books(self.folder, command="a test"))
            self._books.now = lambda: datetime(2026, 10, 1, tzinfo=UTC) + timedelta(minutes=self.runs)
        return self._books

    def close(self) -> None:
        """Close the books, so that their files can be changed or read by others."""
        self._stack.close()
        self._books = None

    def bill(self, through: int) -> None:
        """Bill every date from the last one through a day of September."""
        self.runs += 1
        books = self.opened()
        bill_range(books, books.first_open_date(), date(2026, 9, through), bare=True, on_date=lambda *_: None)

    def rows(self, query: str) -> list[Any]:
        """The rows of a query on the live books."""
        return self.opened().connection.execute(query).fetchall()

    def ledger(self, account: str = "ada") -> list[tuple[str, int, int]]:
        """(type, tokens, balance after) of an account's rows in their order."""
        return self.rows(
            "SELECT transaction_type, token_amount, balance_after FROM books.token_transactions"
            f" WHERE account_id = '{account}' ORDER BY account_seq"
        )

    def one(self, columns: str, account: str = "ada") -> Any:
        """Columns of an account's row."""
        (row,) = self.rows(f"SELECT {columns} FROM books.token_accounts WHERE account_id = '{account}'")
        return row if len(row) > 1 else row[0]

    def held(self) -> list[tuple[str, str, str | None]]:
        """(disposition, reason, detail) of what is held back now."""
        return self.rows(
            "SELECT disposition, held.reason, detail FROM audit.quarantine_open AS held"
            " JOIN audit.current_dispositions USING (file_id, line_no, record_no) ORDER BY file_id, line_no"
        )


def failing(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """The checks that find something, with how many rows; over so few of them, optimizing costs more than it saves."""
    connection.execute(f"SET disabled_optimizers = '{_optimizers()}'")
    found = {check.name: failing_rows(connection, check) for check in checks()}
    connection.execute("RESET disabled_optimizers")
    return {name: count for name, count in found.items() if count}


@cache
def _optimizers() -> str:
    with duckdb.connect() as connection:
        return ",".join(name for (name,) in connection.execute("SELECT name FROM duckdb_optimizers()").fetchall())
