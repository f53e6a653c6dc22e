"""Where the last whole line of a plain file ends: what stands after it may still be in the writing.

Rows of a CSV file are told apart as its reader tells them: a newline inside quotes ends none, quotes count only where a
field begins, a row that is none ends with its line, and so does one that is too long to be read.
"""

from __future__ import annotations

import json
import re
from enum import Enum, auto
from functools import cache
from typing import TYPE_CHECKING

from pipelines.intake.framing import MAX_LINE_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_CHUNK_BYTES = 1 << 20
_BOM = b"\xef\xbb\xbf"
_REST_OF_QUOTED = re.compile(rb'(?:[^"]++|"")*+"')


def whole_end(path: Path, end: int) -> int:
    """Where the whole lines of a file's first `end` bytes end.

    A last line without a newline is whole if it is a JSON object: no part of one is an object itself. A row of a CSV
    file never is, for its last number may go on.
    """
    found = rows_end(path, end)
    return found if found == end or path.name.endswith(".csv") or not _is_object(path, found, end) else end


def rows_end(path: Path, end: int) -> int:
    """The first byte after the last newline that ends a line, or a row of CSV, in a file's first `end` bytes."""
    if not path.name.endswith(".csv"):
        return _last_newline(path, end) + 1
    scan: RowScan | None = None
    for chunk in _chunks(path, end):
        scan = scan or RowScan(separator_of(chunk))
        scan.go_on(chunk)
    return scan.ended if scan else 0


def separator_of(beginning: bytes) -> bytes:
    """What separates the columns of a CSV file, by its header: a comma; where it has none, a semicolon, or a tab."""
    header = beginning.partition(b"\n")[0]
    return next((mark for mark in (b",", b";", b"\t") if mark in header), b",")


def newlines(path: Path, end: int) -> int:
    """How many newlines a file's first `end` bytes hold."""
    return sum(chunk.count(b"\n") for chunk in _chunks(path, end))


def _chunks(path: Path, end: int) -> Iterator[bytes]:
    with path.open("rb") as file:
        while end > 0 and (chunk := file.read(min(_CHUNK_BYTES, end))):
            end -= len(chunk)
            yield chunk


def _last_newline(path: Path, end: int) -> int:
    """The position of the last newline before `end`, looked for from there; -1 without one."""
    with path.open("rb") as file:
        while end > 0:
            start = max(end - _CHUNK_BYTES, 0)
            file.seek(start)
            found = file.read(end - start).rfind(b"\n")
            if found >= 0:
                return start + found
            end = start
    return -1


def _is_object(path: Path, start: int, end: int) -> bool:
    if end - start > MAX_LINE_BYTES:
        return False
    with path.open("rb") as file:
        file.seek(start)
        line = file.read(end - start).removeprefix(_BOM)
    try:
        return isinstance(json.loads(line.decode()), dict)
    except (ValueError, RecursionError):
        return False


@cache
def _rows(separator: bytes) -> re.Pattern[bytes]:
    """Rows without a fault."""
    field = rb'(?:"(?:[^"]++|"")*+"|[^"%b\r\n][^%b\r\n]*+|)' % (separator, separator)
    return re.compile(rb"(?:%b(?:%b%b)*+\r?\n)*+" % (field, separator, field))


class _At(Enum):
    """Where a scan stands: between or in bare fields, in quotes, behind a quote that may end them, in a broken row."""

    BARE = auto()
    QUOTED = auto()
    CLOSED = auto()
    BROKEN = auto()


class RowScan:
    """Looks for the ends of CSV rows, chunk by chunk. `ended` is the first byte after the last whole row."""

    def __init__(self, separator: bytes = b",") -> None:
        self.ended = 0
        self._separator = separator
        self._rows = _rows(separator)
        self._at = _At.BARE
        self._base = -1
        self._before = b"\n"

    def go_on(self, chunk: bytes) -> None:
        """Take the next bytes; the last byte before them tells whether a field begins with them."""
        data = self._before + chunk
        position = 1
        if self._base < 0 and chunk.startswith(_BOM):
            data, position = b"\n" * (len(_BOM) + 1) + chunk[len(_BOM) :], len(_BOM) + 1
        while position < len(data):
            match self._at:
                case _At.BARE:
                    position = self._bare(data, position)
                case _At.QUOTED:
                    position = self._quoted(data, position)
                case _At.CLOSED:
                    position = self._closed(data, position)
                case _At.BROKEN:
                    position = self._broken(data, position)
        self._before = data[-1:]
        self._base += len(chunk)

    def _end_row(self, newline: int) -> int:
        self.ended = self._base + newline + 1
        self._at = _At.BARE
        return newline + 1

    def _bare(self, data: bytes, position: int) -> int:
        """Go to the next quote; it opens a field where one begins, and is a character like others elsewhere."""
        quote = data.find(b'"', position)
        if quote < 0:
            newline = data.rfind(b"\n", position)
            return self._to_quote(data, self._end_row(newline) if newline >= 0 else position, len(data))
        if data[position - 1] == ord("\n") and (rows := self._rows.match(data, position)) and rows.end() > position:
            return self._end_row(rows.end() - 1)
        newline = data.find(b"\n", position, quote)
        return self._end_row(newline) if newline >= 0 else self._to_quote(data, position, quote)

    def _to_quote(self, data: bytes, position: int, quote: int) -> int:
        if data.find(b"\r", position, quote) >= 0:
            self._at = _At.BROKEN  # unless its newline comes next, which ends the row just as well
        elif quote < len(data) and data[quote - 1] in self._separator + b"\n":
            self._at = _At.QUOTED
        return quote + 1

    def _quoted(self, data: bytes, position: int) -> int:
        closing = _REST_OF_QUOTED.match(data, position)
        stop = closing.end() if closing else len(data)
        too_long = self.ended - self._base + MAX_LINE_BYTES
        newline = data.find(b"\n", max(position, too_long), stop)
        if newline >= 0:
            return self._end_row(newline)
        if closing:
            self._at = _At.CLOSED
        return stop

    def _closed(self, data: bytes, position: int) -> int:
        """One quote more is a quote in the text; anything but the end of the field breaks the row."""
        if data[position] == ord('"'):
            self._at = _At.QUOTED
            return position + 1
        self._at = _At.BARE if data[position] in self._separator + b"\r\n" else _At.BROKEN
        return position

    def _broken(self, data: bytes, position: int) -> int:
        newline = data.find(b"\n", position)
        return len(data) if newline < 0 else self._end_row(newline)
