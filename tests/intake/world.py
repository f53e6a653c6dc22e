"""A real database file, sources made of a profile's text, and a short way to read files and see what became of them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any

import duckdb

from pipelines.intake.profiles import Profile, load_profile, parse_profile
from pipelines.intake.reading import read_posting
from pipelines.intake.sources import FileToRead, ReadContext, ReadResult, Source
from tests.empty_warehouse import place_warehouse

if TYPE_CHECKING:
    from pathlib import Path

CONTEXT = ReadContext(
    date(2026, 10, 5), date(2026, 9, 1), auto_create=True, books_welcome=True, metadata_keys=("team",)
)
PLAIN = load_profile("tollbook", None)


def open_books(path: Path) -> duckdb.DuckDBPyConnection:
    """An empty warehouse in a file."""
    place_warehouse(path)
    con = duckdb.connect(str(path))
    con.execute("SET TimeZone = 'UTC'")
    return con


def profile_of(text: str) -> Profile:
    """A profile from TOML."""
    return parse_profile(text, "profiles/test.toml")


@dataclass
class World:
    """Files under a folder, read one posting after the other."""

    folder: Path
    con: duckdb.DuckDBPyConnection
    context: ReadContext = CONTEXT
    files: list[tuple[FileToRead, Source]] = field(default_factory=list)
    posting: int = 0
    next_file: int = 1

    def add(
        self,
        name: str,
        data: bytes | str,
        profile: Profile = PLAIN,
        source: str = "app",
        first_line: int = 1,
        byte_from: int = 0,
    ) -> int:
        """Write a file and queue it for the next reading; its file_id."""
        path = self.folder / f"{self.next_file}" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        raw = data.encode() if isinstance(data, str) else data
        path.write_bytes(raw)
        file = FileToRead(self.next_file, path, name, byte_from, first_line, hashlib.sha256(raw).hexdigest())
        name_of_source = profile.kind if profile.kind != "usage" else source
        self.files.append((file, Source(name_of_source, profile.kind, "*", profile)))
        self.next_file += 1
        return file.file_id

    def read(self) -> ReadResult:
        """Read the queued files."""
        result = read_posting(self.con, self.files, self.context)
        self.files = []
        return result

    def fates(self, kind: str = "usage") -> list[tuple[int, int, str, str | None]]:
        """(line_no, record_no, disposition, reason) in order."""
        return self.rows(f"SELECT line_no, record_no, disposition, reason FROM classified_{kind} ORDER BY row_id")

    def rows(self, sql: str) -> list[Any]:
        """All rows of a query."""
        return self.con.execute(sql).fetchall()

    def one(self, columns: str, kind: str = "usage") -> Any:
        """Columns of the only accepted record."""
        (row,) = self.rows(f"SELECT {columns} FROM classified_{kind} WHERE disposition = 'accepted'")
        return row if len(row) > 1 else row[0]

    def post(self) -> None:
        """Move the accepted records into the books, roughly as a posting does."""
        self.posting += 1
        given = (
            f"{self.posting}::BIGINT AS posting_id, TIMESTAMPTZ '2026-10-06' + to_seconds({self.posting}) "
            f"AS recorded_at"
        )
        defaults = (
            "uuid() AS usage_id, NULL::BIGINT AS billable_tokens, NULL::VARCHAR AS charge_type, "
            "NULL::DECIMAL(12, 6) AS multiplier, "
            "NULL::BIGINT AS fixed_cost, NULL::VARCHAR AS rate_id, NULL::VARCHAR AS rate_version, "
            "'v' AS settings_version, "
            "NULL::BIGINT AS provider_cost_nanousd, DATE '2026-10-05' AS billing_date, 1 AS "
            "revision_no, 'version' AS revision_reason"
        )
        for table, condition in (("token_usage", "NOT supersedes"), ("usage_revisions", "supersedes")):
            self._insert(
                f"books.{table}",
                f"SELECT *, {given}, {defaults} FROM classified_usage WHERE disposition = 'accepted' AND {condition}",
            )
        self._insert(
            "books.usage_versions",
            f"SELECT *, {given} FROM classified_usage WHERE disposition = 'accepted' AND version IS NOT NULL",
        )
        self._insert(
            "books.credits",
            f"SELECT * REPLACE (coalesce(currency, 'usd') AS currency), {given}, uuid() AS transaction_id,"
            " effective_at AS posted_at FROM "
            f"classified_credits WHERE disposition = 'accepted'",
        )
        self._insert(
            "books.account_versions", f"SELECT *, {given} FROM classified_accounts WHERE disposition = 'accepted'"
        )
        for kind in ("usage", "credits", "accounts"):
            self._insert(
                "audit.line_dispositions",
                f"SELECT *, {given}, NULL::VARCHAR AS previous_disposition FROM classified_{kind} WHERE NOT retried",
            )
        self._insert("audit.line_dispositions", f"SELECT *, {given} FROM disposition_transitions")
        self._insert("audit.quarantine", f"SELECT *, {given} FROM quarantined_records")

    def _insert(self, table: str, select: str) -> None:
        names = ", ".join(row[0] for row in self.rows(f"SELECT column_name FROM (DESCRIBE {table})"))
        self.con.execute(f"INSERT INTO {table} ({names}) SELECT {names} FROM ({select})")


def usage(event: str = "e1", **changes: Any) -> dict[str, Any]:
    """A good plain usage record, with changes; a value of ... removes the key."""
    record = {
        "event_id": event, "account_id": "a1", "occurred_at": "2026-10-05T10:00:00Z", "operation_type": "chat",
        "provider": "openai", "model": "gpt-4o", "input_tokens": 100, "output_tokens": 20,
    } | changes  # fmt: skip
    return {key: value for key, value in record.items() if value is not ...}
