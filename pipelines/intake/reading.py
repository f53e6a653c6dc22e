# ruff: noqa: S608  -- names and quoted literals of validated profiles only; data stays in the relations
"""Read the files of one posting into the classified tables: frame, classify, resolve, in the order accounts, credits, usage.

Everything happens inside the caller's transaction on `con`; the only thing left behind are temporary tables.
A file that cannot be read is refused whole: its records are removed and the other files go on.
"""

from __future__ import annotations

import importlib.resources
from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from billing_core.vocabulary import Disposition
from pipelines.intake import classify_accounts, classify_credits, classify_usage, dedup, finalise, mapping, records, reframing
from pipelines.intake.errors import UnreadableFileError
from pipelines.intake.formats import batches, is_csv, retried_batch
from pipelines.intake.sources import ReadResult

if TYPE_CHECKING:
    from collections.abc import Sequence

    from duckdb import DuckDBPyConnection

    from pipelines.intake.framing import Batch
    from pipelines.intake.sources import FileToRead, ReadContext, RetriedRecord, Source

KINDS = ("accounts", "credits", "usage")


def read_posting(
    con: DuckDBPyConnection, files: Sequence[tuple[FileToRead, Source]], context: ReadContext
) -> ReadResult:
    """Fill the classified tables from `files`; every framed record ends with one disposition.

    Makes the temporary tables anew. Never raises on what a file holds: damaged files are in `unreadable`.
    """
    create_tables(con)
    received: dict[int, int] = {}
    unreadable: dict[int, str] = {}
    for kind in KINDS:
        reader = _Reader(con, context, kind)
        for file, source in files:
            if source.kind != kind:
                continue
            try:
                received[file.file_id] = reader.read_file(file, source)
            except UnreadableFileError as error:
                reader.forget(file.file_id)
                unreadable[file.file_id] = error.why
        dedup.resolve(con, kind, context)
        reframing.keep_raw(con, kind, [(file, source) for file, source in files if source.kind == kind])
    return ReadResult(received, unreadable)


def read_retried(
    con: DuckDBPyConnection, retried: Sequence[tuple[RetriedRecord, Source]], context: ReadContext
) -> None:
    """Read quarantined records again through the same path, after `read_posting` made the tables.

    Records that stay quarantined (or in conflict) leave nothing behind. The others stand in classified_* with
    `retried` true and in disposition_transitions with what they were; a fresh conflict also in quarantined_records.
    """
    for kind in KINDS:
        groups: dict[tuple[str, int], list[tuple[RetriedRecord, Source]]] = defaultdict(list)
        for record, source in retried:
            if source.kind == kind:
                groups[source.name, record.file_id].append((record, source))
        if not groups:
            continue
        reader = _Reader(con, context, kind, retried=True)
        for group in groups.values():
            reader.read_again([record for record, _ in group], group[0][1])
        dedup.resolve(con, kind, context)
        dedup.settle_retried(con, kind)


def create_tables(con: DuckDBPyConnection) -> None:
    """Make (or empty) the temporary tables of intake."""
    con.execute((importlib.resources.files(__package__) / "sql" / "tables.sql").read_text("utf-8"))


@dataclass(frozen=True)
class _Place:
    """Where the records of a batch come from."""

    file_id: int
    source: Source
    file_sha256: str
    text_values: bool


class _Reader:
    """Reads the files of one kind, one batch after the other."""

    def __init__(self, con: DuckDBPyConnection, context: ReadContext, kind: str, *, retried: bool = False) -> None:
        self._con = con
        self._context = context
        self._table = f"classified_{kind}"
        self._kind = kind
        self._retried = retried
        tables = (self._table, "pending_versions") if kind == "usage" else (self._table,)
        self._next_row = 1 + max(_number(con, f"SELECT coalesce(max(row_id), 0) FROM {table}") for table in tables)
        if kind != "accounts":
            _know_accounts(con)

    def read_file(self, file: FileToRead, source: Source) -> int:
        """Frame and classify a file; the number of its records."""
        ordinal = source.profile.dedup == "line_ordinal"
        start = replace(file, byte_from=0, first_line=1) if ordinal else file
        place = _Place(file.file_id, source, file.sha256, is_csv(file.relative_path))
        before = self._next_row
        for batch in batches(start):
            self._classify(batch, place)
        if ordinal:
            dedup.number_equal_lines(self._con, source.name, file.file_id, file.first_line)
            return _number(self._con, f"SELECT count(*) FROM {self._table} WHERE file_id = {file.file_id} AND row_id >= {before}")
        return self._next_row - before

    def read_again(self, retried: list[RetriedRecord], source: Source) -> None:
        """Classify records of one file that were quarantined."""
        first = retried[0]
        place = _Place(first.file_id, source, first.sha256, is_csv(first.relative_path))
        self._classify(retried_batch(retried), place)

    def forget(self, file_id: int) -> None:
        """Remove every trace of a file that turned out unreadable."""
        for table in (self._table, "quarantined_records", "pending_versions"):
            self._con.execute(f"DELETE FROM {table} WHERE file_id = ?", [file_id])

    def _classify(self, batch: Batch, place: _Place) -> None:
        con, profile = self._con, place.source.profile
        con.register("intake_batch", batch.table)
        try:
            leaves = mapping.want_all(profile, self._context.metadata_keys)
            repeated = _number(con, records.repeated_keys_sql(profile, leaves)) > 0
            flags = records.BatchFlags(batch.lenient_json, batch.long_numbers, repeated, place.text_values, self._retried)
            shape = classify_usage.Shape(profile, self._context, flags, place.source.name, place.file_sha256)
            exploded = profile.records is not None and not self._retried
            first = self._next_row
            target = self._insert(shape, place, exploded=exploded)
            count = _number(con, f"SELECT count(*) FROM {target} WHERE row_id >= {first}") if exploded else batch.table.num_rows
            self._next_row += count
            reframing.keep_quarantined(con, self._kind, target, first, shape, exploded=exploded)
        finally:
            con.unregister("intake_batch")

    def _insert(self, shape: classify_usage.Shape, place: _Place, *, exploded: bool) -> str:
        row = f"{self._next_row} + row_number() OVER (ORDER BY i, record_no) - 1" if exploded else f"{self._next_row} + i"
        where = (
            f"{row} AS row_id, {classify_usage.literal(place.source.name)} AS source, {place.file_id} AS file_id, "
            f"{str(self._retried).lower()} AS retried"
        )
        auto_create = self._context.auto_create
        if self._kind == "accounts":
            return self._run(self._table, f"SELECT *, {where} FROM ({classify_accounts.classified_sql(shape)})")
        if self._kind == "credits":
            return self._run(self._table, f"SELECT *, {where} FROM ({classify_credits.classified_sql(shape)})")
        convention = classify_usage.literal(shape.profile.convention)
        mapped = f"SELECT *, {where}, {convention} AS convention FROM ({classify_usage.mapped_sql(shape)[0]})"
        if shape.profile.version is not None:
            return self._run("pending_versions", mapped)
        return self._run(self._table, finalise.finalised_sql(mapped, auto_create=auto_create))

    def _run(self, table: str, select: str) -> str:
        columns = [row[0] for row in self._con.execute(f"SELECT column_name FROM (DESCRIBE {table})").fetchall()]
        self._con.execute(f"INSERT INTO {table} ({', '.join(columns)}) SELECT {', '.join(columns)} FROM ({select})")
        return table


def _know_accounts(con: DuckDBPyConnection) -> None:
    con.execute("DELETE FROM known_accounts")
    con.execute(
        "INSERT INTO known_accounts SELECT account_id FROM books.token_accounts UNION "
        f"SELECT account_id FROM classified_accounts WHERE disposition = '{Disposition.ACCEPTED}'"
    )


def _number(con: DuckDBPyConnection, sql: str) -> int:
    row = con.execute(sql).fetchall()[0]
    return int(row[0])
