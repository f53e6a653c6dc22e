"""Raw bytes of quarantined records: kept beside the database, readable by their owner only, for a limited time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import duckdb

from billing_core.errors import TollbookError
from pipelines.intake.framing import MAX_LINE_BYTES
from pipelines.intake.sources import RetriedRecord
from pipelines.warehouse.script import insert_rows, rows, scalar

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from pipelines.books.posting_log import RetriedRecord as RetriedPlace
    from pipelines.intake.sources import Source

_OWNER_ONLY = 0o600


def keep_raw_records(connection: duckdb.DuckDBPyConnection, folder: Path, posting_id: int) -> None:
    """Write the raw bytes of this posting's quarantined records to one file, in the place of one left by a crash."""
    target = raw_file(folder, posting_id)
    target.unlink(missing_ok=True)
    if not scalar(connection, "SELECT count(*) FROM quarantined_records"):
        return
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    target.touch(mode=_OWNER_ONLY)
    name = str(target).replace("'", "''")
    connection.execute(
        "COPY (SELECT file_id, line_no, record_no, source, kind, raw FROM quarantined_records"
        f" ORDER BY file_id, line_no, record_no) TO '{name}' (FORMAT parquet, COMPRESSION zstd)"
    )
    target.chmod(_OWNER_ONLY)


def raw_file(folder: Path, posting_id: int) -> Path:
    """Where the raw bytes of one posting's quarantined records lie."""
    return folder / f"{posting_id:08d}.parquet"


def load_raw_records(
    connection: duckdb.DuckDBPyConnection,
    folder: Path,
    retries: Sequence[RetriedPlace],
    sources: Mapping[str, Source],
) -> list[tuple[RetriedRecord, Source]]:
    """The quarantined records to read again, with their raw bytes.

    Raises TollbookError when the bytes of one are gone, past their retention.
    """
    found = _raw_rows(connection, folder, retries)
    if len(found) != len(retries):
        raise TollbookError(
            f"{len(retries) - len(found)} of {len(retries)} quarantined records have no raw bytes in {folder} any more "
            "(see [privacy] retention_days). Deliver their lines again in a new file instead."
        )
    return [(RetriedRecord(*row[:-1]), sources[str(row[-1])]) for row in found]  # type: ignore[arg-type]


def readable_records(
    connection: duckdb.DuckDBPyConnection,
    folder: Path,
    retries: Sequence[RetriedPlace],
    sources: Mapping[str, Source],
) -> list[RetriedPlace]:
    """Those of the records that can be read again: their raw bytes are kept and their source is still configured."""
    there = {(str(row[4]), str(row[6]), row[1], row[2]) for row in _raw_rows(connection, folder, retries)}
    return [
        record
        for record in retries
        if record.source in sources and (record.sha256, record.source, record.line_no, record.record_no) in there
    ]


def _raw_rows(
    connection: duckdb.DuckDBPyConnection, folder: Path, retries: Sequence[RetriedPlace]
) -> list[tuple[object, ...]]:
    """The raw bytes of records, with their places; none for those whose bytes are gone."""
    if not retries:
        return []
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE retry_wanted (sha256 VARCHAR, source VARCHAR, line_no BIGINT, record_no INTEGER)"
    )
    wanted = [[record.sha256, record.source, record.line_no, record.record_no] for record in retries]
    insert_rows(connection, "retry_wanted", wanted)
    files = sorted(str(path) for path in folder.glob("*.parquet"))
    return rows(connection, _RAW_QUERY, {"files": files}) if files else []


_RAW_QUERY = """
SELECT DISTINCT ON (raw.file_id, raw.line_no, raw.record_no)
    raw.file_id, raw.line_no, raw.record_no, file.path, file.sha256, raw.raw, raw.source
FROM read_parquet($files) AS raw
JOIN audit.usage_files AS file USING (file_id)
JOIN retry_wanted AS wanted
    ON wanted.sha256 = file.sha256 AND wanted.source = file.source
    AND wanted.line_no = raw.line_no AND wanted.record_no = raw.record_no
ORDER BY ALL
"""


def altered_raw_records(
    connection: duckdb.DuckDBPyConnection, folder: Path, now: datetime, retention_days: int
) -> list[dict[str, str]]:
    """Quarantined records whose raw bytes are missing before their retention is over, or do not hash to what was held.

    One entry per file that cannot be read, else per record: posting_id, and file_id, line_no, record_no, defect.
    """
    wrong: list[dict[str, str]] = []
    held = rows(
        connection,
        "SELECT posting_id, epoch_us(max(posting.recorded_at)) FROM audit.quarantine"
        " JOIN audit.postings AS posting USING (posting_id) GROUP BY posting_id ORDER BY posting_id",
    )
    kept_since = now - timedelta(days=retention_days)
    for posting_id, recorded_us in held:
        path = raw_file(folder, int(str(posting_id)))
        if path.is_file():
            wrong += _altered(connection, path, int(str(posting_id)))
        elif datetime.fromtimestamp(int(str(recorded_us)) / 1e6, UTC) > kept_since:
            defect = f"{path.name} is missing before its retention is over"
            wrong.append({"posting_id": str(posting_id), "defect": defect})
    return wrong


def _altered(connection: duckdb.DuckDBPyConnection, path: Path, posting_id: int) -> list[dict[str, str]]:
    """The records of one posting whose bytes are not in its file, or not what they were."""
    try:
        found = rows(connection, _ALTERED, {"path": str(path), "posting_id": posting_id, "cut": MAX_LINE_BYTES})
    except duckdb.Error as error:
        first = str(error).strip().splitlines()[0]
        return [{"posting_id": str(posting_id), "defect": f"{path.name} cannot be read: {first}"}]
    names = ("posting_id", "file_id", "line_no", "record_no", "defect")
    return [dict(zip(names, (str(value) for value in row), strict=True)) for row in found]


# Of a line beyond the longest that is read, the hash covers all bytes and only the first are kept.
_ALTERED = """
SELECT held.posting_id, held.file_id, held.line_no, held.record_no,
    CASE WHEN raw.raw IS NULL THEN 'its bytes are missing' ELSE 'its bytes were altered' END
FROM audit.quarantine AS held
LEFT JOIN read_parquet($path) AS raw USING (file_id, line_no, record_no)
WHERE held.posting_id = $posting_id
    AND (raw.raw IS NULL OR (octet_length(raw.raw) < $cut AND unhex(sha256(raw.raw)) <> held.line_sha256))
ORDER BY ALL
"""


def drop_expired(connection: duckdb.DuckDBPyConnection, folder: Path, now: datetime, retention_days: int) -> int:
    """Remove the raw bytes of postings recorded longer ago than the retention; returns of how many.

    The posting's own time counts, not the file's: a rebuild writes all files anew.
    """
    expired = rows(
        connection,
        "SELECT posting_id FROM audit.postings WHERE recorded_at < $limit",
        {"limit": now - timedelta(days=retention_days)},
    )
    paths = [path for (posting_id,) in expired if (path := raw_file(folder, int(str(posting_id)))).is_file()]
    for path in paths:
        path.unlink()
    return len(paths)
