"""A held record as a person reads it: the reason, what could be read of it, and its line, or its row cell by cell."""

from __future__ import annotations

import csv
import json
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from pipelines.cli.text import clean, plural

if TYPE_CHECKING:
    from pipelines.books.folder import BooksFolder
    from pipelines.cli.output import Page

Cell = tuple[str | None, str | None]
"""A column's name and its cell; one of them is None where header and row are not equally long."""

_RAW_SHOWN = 2_000
_CELL_SHOWN = 200
_BY_DEFAULT = frozenset({"operation_type", "success"})
"""What a record has where nothing of it could be read."""


def show_record(page: Page, folder: BooksFolder, record: dict[str, Any]) -> None:
    """One record of `quarantine show`, and an empty line."""
    number_of = f", record {record['record_no']}" if record["record_no"] > 1 else ""
    page.line(f"{record['path']}, line {record['line_no']:,}{number_of}", "bold")
    cells = _cells(folder, record)
    page.pairs(
        [
            ("reason", _reason(record, cells)),
            ("source", record["source"]),
            ("at stake", "-" if record["tokens_at_stake"] is None else f"{record['tokens_at_stake']:,} tokens"),
            ("sha256", record["line_sha256"]),
            *_told(record),
        ]
    )
    if record["raw"] is None:
        page.line("  its raw text is gone, past [privacy] retention_days", "dim")
    elif cells:
        _show_row(page, cells)
    else:
        page.line(f"  {_cut(record['raw'], _RAW_SHOWN)}", "dim")
    page.line()


def _reason(record: dict[str, Any], cells: list[Cell]) -> str:
    """The reason with its detail; of a row with other columns than its header, how many."""
    detail = record["detail"]
    if record["reason"] == "column_count" and cells:
        found = sum(cell is not None for _, cell in cells)
        detail = f"{plural(found, 'cell')} where the header has {sum(name is not None for name, _ in cells):,}"
    return f"{record['reason']} ({detail})" if detail else str(record["reason"])


def _told(record: dict[str, Any]) -> list[tuple[str, object]]:
    """The fields that could be read, by their columns in the books."""
    fields = json.loads(record["parsed"]) if record["parsed"] else {}
    told = {name: value for name, value in fields.items() if value not in (None, 0, False, "")}
    if told.keys() <= _BY_DEFAULT:
        return []
    return [(name, "yes" if value is True else value) for name, value in told.items()]


def _cells(folder: BooksFolder, record: dict[str, Any]) -> list[Cell]:
    """The row of a CSV file by the header that its file has now, or else by what was kept; of other files, nothing."""
    from pipelines.intake.formats import is_csv

    raw = record["raw"]
    if raw is None or not is_csv(record["path"]):
        return []
    header, separator = _header(folder, record["path"])
    try:
        kept = json.loads(raw)
    except ValueError:
        row = next(csv.reader([raw], delimiter=separator), []) if header else []
        return list(zip_longest(header, row)) if row else []
    names = header if kept.keys() <= set(header) else list(kept)
    return [(name, kept.get(name, "")) for name in names]


def _header(folder: BooksFolder, path: str) -> tuple[list[str], str]:
    from pipelines.intake.csv_framing import header_of
    from pipelines.intake.errors import UnreadableFileError

    try:
        return header_of(folder.root / path) or ([], ",")
    except (UnreadableFileError, OSError):
        return [], ","


def _show_row(page: Page, cells: list[Cell]) -> None:
    width = max(len(clean(name or "")) for name, _ in cells)
    page.line("  its row, by the header of the file", "dim")
    for name, cell in cells:
        value = "(no cell)" if cell is None else "(empty)" if not cell else _cut(cell, _CELL_SHOWN)
        page.line(f"    {clean(name or '(no column)'):<{width}}  {value}", "dim")


def _cut(text: str, characters: int) -> str:
    if len(text) <= characters:
        return text
    return f"{text[:characters]} ... ({len(text) - characters:,} characters more; --json shows all)"
