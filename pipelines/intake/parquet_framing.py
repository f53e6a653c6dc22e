"""Frame Parquet: one record per row, written out as a JSON object."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.intake.errors import UnreadableFileError
from pipelines.intake.framing import Batch, make_batch

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_ROWS = 20_000


def parquet_batches(path: Path) -> Iterator[Batch]:
    """Batches of a Parquet file; line_no is the row's number, from 1. UnreadableFileError if it is damaged."""
    number = 1
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file, duckdb.connect() as con:
            con.execute("SET TimeZone = 'UTC'")
            for rows in file.iter_batches(batch_size=_ROWS):
                lines = _json_lines(con, pa.Table.from_batches([rows]))
                yield make_batch(lines, range(number, number + len(lines)))
                number += len(lines)
    except (pa.ArrowException, OSError, duckdb.Error) as error:
        raise UnreadableFileError(path.name, f"cannot be read as Parquet: {error}") from None


def _json_lines(con: duckdb.DuckDBPyConnection, rows: pa.Table) -> list[str]:
    if rows.num_columns == 0:
        return ["{}"] * rows.num_rows
    con.register("parquet_rows", rows)
    found = con.execute("SELECT to_json(parquet_rows)::VARCHAR FROM parquet_rows").fetchall()
    con.unregister("parquet_rows")
    return [str(row[0]) for row in found]
