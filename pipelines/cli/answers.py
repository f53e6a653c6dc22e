"""The answer of a query as table, CSV, JSON or Parquet: exact figures, and no cell that a spreadsheet would run."""

from __future__ import annotations

import csv
import json
import math
import os
import sys
from contextlib import contextmanager
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TextIO

from billing_core.errors import ConfigurationError
from pipelines.cli.text import clean

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import duckdb

    from reports.published import Answer

TABLE_ROWS = 1_000
"""Rows that a text table shows; the other formats have no limit."""
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


@contextmanager
def target(path: Path | None) -> Iterator[TextIO]:
    """Standard output, or a new file that only its owner reads. Raises ConfigurationError rather than overwrite one."""
    if path is None:
        yield sys.stdout
        sys.stdout.flush()
        return
    with os.fdopen(_new_file(path), "w", encoding="utf-8", newline="") as stream:
        yield stream


def _new_file(path: Path) -> int:
    try:
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise ConfigurationError(f"--output: {path} exists already; name another file") from None
    except OSError as error:
        raise ConfigurationError(f"--output: {path} cannot be written ({error.strerror})") from None


def to_csv(answer: Answer, stream: TextIO) -> int:
    """Write CSV with a header; text that a spreadsheet would take for a formula gets an apostrophe before it."""
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(harmless(name) for name in answer.columns)
    count = 0
    for batch in answer.batches():
        writer.writerows([_csv_cell(value) for value in row] for row in batch)
        count += len(batch)
    return count


def _csv_cell(value: Any) -> object:
    if isinstance(value, str):
        return harmless(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return value


def harmless(text: str) -> str:
    """Text of a CSV cell that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text


def to_json(answer: Answer, stream: TextIO) -> int:
    """Write one object: columns with their types, rows as objects, and how many. Decimals and instants are text."""
    columns = [{"name": name, "type": kind} for name, kind in zip(answer.columns, answer.types, strict=True)]
    stream.write(f'{{"columns": {json.dumps(columns, ensure_ascii=False)},\n "rows": [')
    count = 0
    for batch in answer.batches():
        for row in batch:
            cells = {name: _json_cell(value) for name, value in zip(answer.columns, row, strict=True)}
            stream.write(f"{',' if count else ''}\n  {json.dumps(cells, ensure_ascii=False, default=str)}")
            count += 1
    stream.write(("\n " if count else "") + f'],\n "row_count": {count}}}\n')
    return count


def _json_cell(value: Any) -> object:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def to_table(answer: Answer, stream: TextIO, *, is_terminal: bool) -> int:
    """Write an aligned table; on a terminal long cells are cut to its width, elsewhere nothing is cut."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    rows = answer.first(TABLE_ROWS + 1)
    more = len(rows) > TABLE_ROWS
    del rows[TABLE_ROWS:]
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False, header_style="bold")
    cells = [[_table_cell(value) for value in row] for row in rows]
    for index, (name, kind) in enumerate(zip(answer.columns, answer.types, strict=True)):
        width = max([len(name), *(len(row[index]) for row in cells)])
        right = kind.endswith(("INT", "INTEGER")) or kind.startswith(("DECIMAL", "DOUBLE", "FLOAT"))
        table.add_column(
            Text(clean(name)),
            justify="right" if right else "left",
            no_wrap=True,
            min_width=None if is_terminal else width,
        )
    for row in cells:
        table.add_row(*(Text(cell) for cell in row))
    natural = sum(max([len(name), *(len(row[i]) for row in cells)]) + 2 for i, name in enumerate(answer.columns))
    console = Console(
        file=stream, markup=False, highlight=False, emoji=False, width=None if is_terminal else natural + 2
    )
    console.print(table)
    noun = "row" if len(rows) == 1 else "rows"
    cut = f"the first {len(rows):,} rows; --format csv writes all" if more else f"{len(rows):,} {noun}"
    console.print(f"({cut})", style="dim", soft_wrap=True)
    return len(rows)


def _table_cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, str) and "\n" in value:
        return clean(value.replace("\n", "⏎"))
    return clean(value)


def to_parquet(reader: duckdb.DuckDBPyConnection, query: str, path: Path) -> int:
    """Write Parquet with the types of the database, run by run; a file that could not be finished is removed."""
    import pyarrow.parquet as pq

    from reports.published import BATCH_ROWS, select

    batches = select(reader, query).to_arrow_reader(BATCH_ROWS)
    os.close(_new_file(path))
    try:
        count = 0
        with pq.ParquetWriter(path, batches.schema, compression="zstd") as writer:
            for batch in batches:
                writer.write_batch(batch)
                count += batch.num_rows
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return count
