# ruff: noqa: S608  -- names and quoted literals of validated profiles only; data stays in the relations
"""Read the files of one posting into the classified tables: frame, classify, resolve; accounts, credits, then usage.

Everything happens inside the caller's transaction on `con`; the only thing left behind are temporary tables.
A file that cannot be read is refused whole: its records are removed and the other files go on.
"""

from __future__ import annotations

import importlib.resources
from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from billing_core.vocabulary import Disposition
from pipelines.intake import (
    classify_accounts,
    classify_credits,
    classify_provider,
    classify_usage,
    dedup,
    finalise,
    mapping,
    records,
    reframing,
)
from pipelines.intake.errors import UnreadableFileError
from pipelines.intake.formats import batches, is_csv, retried_batch
from pipelines.intake.framing import BATCH_RECORDS, Batch, joined
from pipelines.intake.sources import ReadResult
from pipelines.intake.sqltext import literal
from pipelines.parsed_sql import planned_plainly, run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from duckdb import DuckDBPyConnection

    from pipelines.intake.sources import FileToRead, ReadContext, RetriedRecord, Source

KINDS = ("accounts", "credits", "usage", "provider_usage")
_BATCH_BYTES = 64 * 1024 * 1024


def read_posting(
    con: DuckDBPyConnection, files: Sequence[tuple[FileToRead, Source]], context: ReadContext
) -> ReadResult:
    """Fill the classified tables from `files`; every framed record ends with one disposition.

    Makes the temporary tables anew. Never raises on what a file holds: damaged files are in `unreadable`.
    """
    create_tables(con)
    received: dict[int, int] = {}
    unreadable: dict[int, UnreadableFileError] = {}
    for kind in KINDS:
        mine = [(file, source) for file, source in files if source.kind == kind]
        if not mine:
            continue
        reader = _Reader(con, context, kind)
        uncounted = []
        for file, source in mine:
            try:
                count = reader.read_file(file, source)
            except UnreadableFileError as error:
                reader.forget(file.file_id)
                unreadable[file.file_id] = error
                continue
            received[file.file_id] = count or 0
            uncounted += [file.file_id] if count is None else []
        reader.flush()
        for file_id in uncounted:
            tables = ("classified_usage", "pending_versions") if kind == "usage" else (f"classified_{kind}",)
            received[file_id] = sum(
                _number(con, f"SELECT count(*) FROM {table} WHERE file_id = {file_id}") for table in tables
            )
        dedup.resolve(con, kind, context)
        reframing.keep_raw(con, kind, mine)
    return ReadResult(received, unreadable)


def read_retried(
    con: DuckDBPyConnection, retried: Sequence[tuple[RetriedRecord, Source]], context: ReadContext
) -> None:
    """Read quarantined records again through the same path, as a posting of their own (makes the tables anew).

    Records that stay quarantined (or in conflict) leave nothing behind. The others stand in classified_* with
    `retried` true and in disposition_transitions with what they were; a fresh conflict also in quarantined_records.
    """
    create_tables(con)
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
        reader.flush()
        dedup.resolve(con, kind, context)
        dedup.settle_retried(con, kind)


def create_tables(con: DuckDBPyConnection) -> None:
    """Make (or empty) the temporary tables of intake."""
    run(con, (importlib.resources.files(__package__) / "sql" / "tables.sql").read_text("utf-8"))


@dataclass(frozen=True)
class _Place:
    """What the records of one batch have in common; batches of files that agree in it are classified together."""

    source: Source
    text_values: bool
    file_sha256: str
    """Only where it is part of the dedup key."""


class _Reader:
    """Reads the files of one kind; small files share a batch, for planning a query costs more than their data."""

    def __init__(self, con: DuckDBPyConnection, context: ReadContext, kind: str, *, retried: bool = False) -> None:
        self._con = con
        self._context = context
        self._table = f"classified_{kind}"
        self._kind = kind
        self._retried = retried
        self._waiting: list[tuple[int, Batch]] = []
        self._waiting_rows = self._waiting_bytes = 0
        self._place: _Place | None = None
        self._next_row = 1
        if kind != "accounts":
            _know_accounts(con)

    def read_file(self, file: FileToRead, source: Source) -> int | None:
        """Frame a file and queue its records; their number, or None where only the classified table knows it."""
        ordinal = source.profile.dedup == "line_ordinal"
        start = replace(file, byte_from=0, first_line=1) if ordinal else file
        sha256 = self._first_sha256(source, file.continues_file_id) or file.sha256
        count = 0
        for batch in batches(start):
            self._queue(file.file_id, batch, _place(source, file.relative_path, sha256))
            count += batch.table.num_rows
        if ordinal:
            self.flush()
            dedup.number_equal_lines(self._con, source.name, file.file_id, file.first_line)
        return None if ordinal or source.profile.records else count

    def read_again(self, retried: list[RetriedRecord], source: Source) -> None:
        """Queue records of one file that were quarantined."""
        first = retried[0]
        sha256 = self._first_sha256(source, first.file_id) or first.sha256
        self._queue(first.file_id, retried_batch(retried), _place(source, first.relative_path, sha256))

    def _first_sha256(self, source: Source, file_id: int | None) -> str | None:
        """The hash of the file that a grown one was when it was first read: its lines are the same lines ever since."""
        if source.profile.dedup != "file_line" or file_id is None:
            return None
        found = run(self._con, _FIRST_OF_CHAIN, [file_id]).fetchall()
        return str(found[0][0]) if found else None

    def forget(self, file_id: int) -> None:
        """Remove every trace of a file that turned out unreadable."""
        self._wait([item for item in self._waiting if item[0] != file_id])
        for table in (self._table, "quarantined_records", "pending_versions"):
            run(self._con, f"DELETE FROM {table} WHERE file_id = ?", [file_id])

    def _queue(self, file_id: int, batch: Batch, place: _Place) -> None:
        rows, size = batch.table.num_rows, batch.table.nbytes
        if (
            place != self._place
            or self._waiting_rows + rows > BATCH_RECORDS
            or self._waiting_bytes + size > _BATCH_BYTES
        ):
            self.flush()
        self._place = place
        self._waiting.append((file_id, batch.for_file(file_id)))
        self._waiting_rows += rows
        self._waiting_bytes += size

    def _wait(self, items: list[tuple[int, Batch]]) -> None:
        self._waiting = items
        self._waiting_rows = sum(item.table.num_rows for _, item in items)
        self._waiting_bytes = sum(item.table.nbytes for _, item in items)

    def flush(self) -> None:
        """Classify what is queued."""
        if not self._waiting or self._place is None:
            return
        batch = joined([item for _, item in self._waiting])
        self._wait([])
        con, profile = self._con, self._place.source.profile
        con.register("intake_batch", batch.table)
        try:
            leaves = mapping.want_all(profile, self._context.metadata_keys)
            repeated = records.has_repeated_keys(con, profile, leaves)
            flags = records.BatchFlags(
                batch.lenient_json, batch.long_numbers, repeated, self._place.text_values, self._retried
            )
            shape = classify_usage.Shape(
                profile, self._context, flags, self._place.source.name, self._place.file_sha256
            )
            exploded = profile.records is not None and not self._retried
            first = self._next_row
            with planned_plainly(con, batch.table.num_rows):
                target = self._insert(shape, exploded=exploded)
            count = (
                _number(con, f"SELECT count(*) FROM {target} WHERE row_id >= {first}")
                if exploded
                else batch.table.num_rows
            )
            self._next_row += count
            reframing.keep_quarantined(con, self._kind, target, first, shape, exploded=exploded)
        finally:
            con.unregister("intake_batch")

    def _insert(self, shape: classify_usage.Shape, *, exploded: bool) -> str:
        number = "row_number() OVER (ORDER BY i, record_no) - 1" if exploded else "i"
        row = f"$first_row::BIGINT + {number}"
        where = f"{row} AS row_id, {literal(shape.source)} AS source, {str(self._retried).lower()} AS retried"
        auto_create = self._context.auto_create
        if self._kind == "accounts":
            return self._run(self._table, f"SELECT *, {where} FROM ({classify_accounts.classified_sql(shape)})")
        if self._kind == "provider_usage":
            return self._run(self._table, f"SELECT *, {where} FROM ({classify_provider.classified_sql(shape)})")
        if self._kind == "credits":
            return self._run(self._table, f"SELECT *, {where} FROM ({classify_credits.classified_sql(shape)})")
        profile = shape.profile
        convention = profile.convention
        in_all = "cache_write_tokens" in profile.fields and "cache_write_5m_tokens" not in profile.fields
        required = literal("," + ",".join(profile.required) + ",") if profile.required else "NULL::VARCHAR"
        mapped = (
            f"SELECT *, {where}, {literal(convention.input)} AS input_convention, "
            f"{literal(convention.output)} AS output_convention, {str(in_all).lower()} AS writes_in_all, "
            f"{required} AS required "
            f"FROM ({classify_usage.mapped_sql(shape)[0]})"
        )
        if profile.version is not None:
            return self._run("pending_versions", mapped)
        finalised = finalise.finalised_sql(mapped, auto_create=auto_create, has_required=bool(profile.required))
        return self._run(self._table, finalised)

    def _run(self, table: str, select: str) -> str:
        columns = [row[0] for row in run(self._con, f"SELECT column_name FROM (DESCRIBE {table})").fetchall()]
        text = f"INSERT INTO {table} ({', '.join(columns)}) SELECT {', '.join(columns)} FROM ({select})"
        parameters = {"first_row": self._next_row, "billing_date": self._context.billing_date}
        run(self._con, text, parameters)
        return table


_FIRST_OF_CHAIN = """
WITH RECURSIVE chain AS (
    SELECT continues_file_id, sha256 FROM audit.usage_files WHERE file_id = ?
    UNION ALL
    SELECT file.continues_file_id, file.sha256 FROM chain
    JOIN audit.usage_files AS file ON file.file_id = chain.continues_file_id
)
SELECT sha256 FROM chain WHERE continues_file_id IS NULL
"""


def _place(source: Source, path: str, first_sha256: str) -> _Place:
    return _Place(source, is_csv(path), first_sha256 if source.profile.dedup == "file_line" else "")


def _know_accounts(con: DuckDBPyConnection) -> None:
    run(con, "DELETE FROM known_accounts")
    run(
        con,
        "INSERT INTO known_accounts SELECT account_id FROM books.token_accounts UNION "
        f"SELECT account_id FROM classified_accounts WHERE disposition = '{Disposition.ACCEPTED}'",
    )


def _number(con: DuckDBPyConnection, sql: str) -> int:
    row = run(con, sql).fetchall()[0]
    return int(row[0])
