# ruff: noqa: S608  -- fixed names and numbers only; data stays in the relations
"""Keep the raw bytes of records held back: quarantined ones batch by batch, conflicts by reading their files again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from billing_core.vocabulary import Disposition
from pipelines.intake import classify_accounts, classify_credits, classify_provider, finalise, records
from pipelines.intake.classify_usage import CONTROL
from pipelines.intake.formats import batches
from pipelines.intake.sqltext import literal
from pipelines.parsed_sql import run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from duckdb import DuckDBPyConnection

    from pipelines.intake.classify_usage import Shape
    from pipelines.intake.profiles import Profile
    from pipelines.intake.sources import FileToRead, Source

HELD = f"('{Disposition.QUARANTINED}', '{Disposition.CONFLICT}')"


def content_columns(kind: str) -> tuple[str, ...]:
    """The columns by which two records of a kind are the same."""
    return {
        "usage": finalise.CONTENT,
        "credits": classify_credits.CONTENT,
        "accounts": classify_accounts.CONTENT,
        "provider_usage": classify_provider.CONTENT,
    }[kind]


TEXT_CHARACTERS = 512
"""What is kept of a text of a record that is held back: no valid id or name is longer, and a prompt may be."""


def _bounded(con: DuckDBPyConnection, table: str) -> str:
    """The rows of a table, every text cut, and in `detail` no control or invisible character."""
    found = run(con, f"SELECT column_name FROM (DESCRIBE {table}) WHERE column_type = 'VARCHAR'").fetchall()
    cut = {row[0]: f"left({row[0]}, {TEXT_CHARACTERS})" for row in found}
    cut["detail"] = f"regexp_replace({cut['detail']}, {literal(CONTROL)}, '�', 'g')"
    return f"SELECT * REPLACE ({', '.join(f'{value} AS {column}' for column, value in cut.items())}) FROM {table}"


def _parsed(kind: str) -> str:
    return finalise.held_json("c.") if kind == "usage" else finalise.content_json(content_columns(kind), "c.")


def keep_quarantined(
    con: DuckDBPyConnection, kind: str, table: str, first_row: int, shape: Shape, *, exploded: bool
) -> None:
    """Copy the quarantined records of the registered batch, from `first_row` on, into quarantined_records."""
    pending = table == "pending_versions"
    held = (
        f"reason IS NOT NULL AND NOT is_blank AND reason NOT IN ({', '.join(literal(why) for why in finalise.IGNORED)})"
        if pending
        else f"disposition IN {HELD}"
    )
    mine = f"WHERE row_id >= $first_row AND {held}"
    if run(con, f"SELECT count(*) FROM {table} {mine}", {"first_row": first_row}).fetchall()[0][0] == 0:
        return
    raws = (
        raw_sql(shape.profile, shape.flags)
        if exploded
        else ("SELECT file_id, line_no, record_no, coalesce(raw, encode(line)) AS raw, sha FROM intake_batch")
    )
    parsed = "NULL::JSON" if pending else _parsed(kind)
    run(
        con,
        f"INSERT INTO quarantined_records SELECT c.file_id, c.line_no, c.record_no, c.source, "
        f"'{kind}', c.reason, c.detail, "
        f"c.account_id, c.event_key, coalesce(b.sha, unhex(sha256(b.raw))), {parsed}, b.raw "
        f"FROM ({_bounded(con, table)} {mine}) c JOIN ({raws}) b USING "
        f"(file_id, line_no, record_no)",
        {"first_row": first_row},
    )


def raw_sql(profile: Profile, flags: records.BatchFlags) -> str:
    """line_no, record_no, raw and sha of the registered batch, record by record."""
    return (
        "SELECT r.file_id, r.line_no, r.record_no, coalesce(b.raw, encode(r.body)) AS raw, b.sha "
        f"FROM ({records.records_sql(profile, flags)}) r JOIN intake_batch b USING (i)"
    )


def keep_raw(con: DuckDBPyConnection, kind: str, files: Sequence[tuple[FileToRead, Source]]) -> None:
    """Read again the files that hold conflicts (or records held back late) and keep those records' bytes."""
    run(
        con,
        "CREATE OR REPLACE TEMP TABLE records_without_raw AS "
        f"SELECT c.* FROM ({_bounded(con, f'classified_{kind}')}) c "
        f"ANTI JOIN quarantined_records q USING (file_id, line_no, record_no) "
        f"WHERE c.disposition IN {HELD} AND NOT c.retried",
    )
    wanted = {row[0] for row in run(con, "SELECT DISTINCT file_id FROM records_without_raw").fetchall()}
    parsed = _parsed(kind)
    for file, source in files:
        if file.file_id not in wanted:
            continue
        for batch in batches(file):
            con.register("intake_batch", batch.for_file(file.file_id).table)
            flags = records.BatchFlags(batch.lenient_json, batch.long_numbers, repeated_keys=False, text_values=False)
            run(
                con,
                f"INSERT INTO quarantined_records SELECT c.file_id, c.line_no, c.record_no, c.source, "
                f"'{kind}', c.reason, c.detail, "
                f"c.account_id, c.event_key, coalesce(b.sha, unhex(sha256(b.raw))), {parsed}, b.raw "
                f"FROM records_without_raw c JOIN ({raw_sql(source.profile, flags)}) b USING (line_no, record_no) "
                f"WHERE c.file_id = {file.file_id}",
            )
            con.unregister("intake_batch")
    run(con, "DROP TABLE records_without_raw")
