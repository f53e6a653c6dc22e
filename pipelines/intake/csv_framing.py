"""Frame CSV: a quoted field may hold line ends, every value is a text, the header is required.

Columns are separated by commas; where the header has none, by semicolons, or tabs.
"""

from __future__ import annotations

import csv
import hashlib
import json
from typing import TYPE_CHECKING

from billing_core.vocabulary import Reason
from pipelines.intake.endings import separator_of
from pipelines.intake.errors import UnreadableFileError
from pipelines.intake.framing import (
    BATCH_RECORDS,
    MAX_LINE_BYTES,
    Batch,
    FramedLine,
    byte_blocks,
    line_runs,
    make_batch,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_BATCH_BYTES = 32 * 1024 * 1024


class _TooLongError(Exception):
    """A logical record grew beyond what is read."""


class _PhysicalLines:
    """Feeds csv.reader one physical line at a time and remembers what the current record took."""

    def __init__(self, path: Path, byte_from: int, byte_to: int | None, first_line: int) -> None:
        self._lines = _physical_lines(path, byte_from, byte_to)
        self.next_line = first_line
        self.taken: list[str] = []
        self._size = 0

    def __iter__(self) -> _PhysicalLines:
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        self.next_line += 1
        kept = line.raw.decode(errors="surrogateescape") if isinstance(line, FramedLine) else line
        self.taken.append(kept)
        self._size += len(kept) if kept.isascii() else len(kept.encode(errors="surrogateescape"))
        if isinstance(line, FramedLine) or self._size > MAX_LINE_BYTES:
            raise _TooLongError
        return line

    def take(self) -> bytes:
        """The exact bytes of the record just read, without its line end."""
        text = "".join(self.taken)
        self.taken, self._size = [], 0
        return text.encode(errors="surrogateescape").removesuffix(b"\n").removesuffix(b"\r")


def _physical_lines(path: Path, byte_from: int, byte_to: int | None) -> Iterator[str | FramedLine]:
    first = byte_from == 0
    for run in line_runs(byte_blocks(path, byte_from, byte_to)):
        if isinstance(run, FramedLine):
            yield run
            continue
        data = run.removeprefix(b"\xef\xbb\xbf") if first else run
        first = False
        pieces = data.decode(errors="surrogateescape").split("\n")
        last = pieces.pop()
        for piece in pieces:
            yield piece + "\n"
        if last:
            yield last


def csv_batches(path: Path, byte_from: int, byte_to: int | None, first_line: int) -> Iterator[Batch]:
    """Batches of a CSV file; `line` is a JSON object of the non-empty cells, `line_no` the first physical line.

    A continuation (byte_from > 0) takes its header from the start of the file.
    """
    csv.field_size_limit(2 * MAX_LINE_BYTES)
    separator = separator_of(next(byte_blocks(path, 0, byte_to), b"")).decode()
    header_lines = _PhysicalLines(path, 0, byte_to, 1)
    header = _header(path, header_lines, separator)
    if header is None:
        return
    lines = header_lines if byte_from == 0 else _PhysicalLines(path, byte_from, byte_to, first_line)
    names = [json.dumps(name, ensure_ascii=False) + ":" for name in header]
    records: list[str | FramedLine] = []
    numbers: list[int] = []
    size = 0
    for number, record in _records(lines, names, separator):
        records.append(record)
        numbers.append(number)
        size += len(record) if isinstance(record, str) else len(record.raw)
        if len(records) >= BATCH_RECORDS or size > _BATCH_BYTES:
            yield make_batch(records, numbers)
            records, numbers, size = [], [], 0
    if records:
        yield make_batch(records, numbers)


def header_of(path: Path) -> tuple[list[str], str] | None:
    """The column names of a CSV file and what separates them; None for an empty one.

    Raises UnreadableFileError if it has no readable header.
    """
    separator = separator_of(next(byte_blocks(path, 0), b"")).decode()
    header = _header(path, _PhysicalLines(path, 0, None, 1), separator)
    return None if header is None else (header, separator)


def _header(path: Path, lines: _PhysicalLines, separator: str) -> list[str] | None:
    try:
        header = next(csv.reader(lines, delimiter=separator, strict=True), None)
    except (csv.Error, _TooLongError) as error:
        raise UnreadableFileError(path.name, f"has no readable CSV header: {error}") from None
    lines.take()
    if header is None:
        return None
    if not header:
        raise UnreadableFileError(path.name, "has a blank first line where its CSV header should be")
    try:
        "".join(header).encode()
    except UnicodeEncodeError:
        raise UnreadableFileError(path.name, "has a CSV header that is no UTF-8") from None
    if len(set(header)) != len(header) or not all(header):
        raise UnreadableFileError(path.name, "has an empty or repeated column name in its CSV header")
    return header


def _records(lines: _PhysicalLines, names: list[str], separator: str) -> Iterator[tuple[int, str | FramedLine]]:
    reader = csv.reader(lines, delimiter=separator, strict=True)
    while True:
        number = lines.next_line
        try:
            row = next(reader)
        except StopIteration:
            if lines.taken:
                yield number, _framed(lines.take(), Reason.COLUMN_COUNT)
            return
        except csv.Error:
            yield number, _framed(lines.take(), Reason.COLUMN_COUNT)
            reader = csv.reader(lines, delimiter=separator, strict=True)
        except _TooLongError:
            yield number, _framed(lines.take(), Reason.LINE_TOO_LONG)
            reader = csv.reader(lines, delimiter=separator, strict=True)
        else:
            yield number, _record(row, names, lines.take())


def _record(row: list[str], names: list[str], raw: bytes) -> str | FramedLine:
    if not row:
        return ""
    if len(row) != len(names):
        return _framed(raw, Reason.COLUMN_COUNT)
    text = (
        "{"
        + ",".join([name + json.dumps(cell, ensure_ascii=False) for name, cell in zip(names, row, strict=True) if cell])
        + "}"
    )
    try:
        text.encode()
    except UnicodeEncodeError:
        return _framed(raw, Reason.INVALID_UTF8)
    return text


def _framed(raw: bytes, reason: str) -> FramedLine:
    return FramedLine(raw[:MAX_LINE_BYTES], hashlib.sha256(raw).digest(), reason)
