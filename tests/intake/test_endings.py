"""Where whole lines end: never later than a reader of rows would end them, and at the same byte in any chunks."""

from __future__ import annotations

import csv
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipelines.intake.csv_framing import csv_batches
from pipelines.intake.endings import RowScan, newlines, rows_end, whole_end
from pipelines.intake.framing import MAX_LINE_BYTES

if TYPE_CHECKING:
    from pathlib import Path

TEXTS = st.text(st.sampled_from('ab,;"\n\r'), max_size=60)


def _rows_end(text: str, separator: str) -> int:
    """The end of the last row that csv.reader ends by itself; behind a row that is none it begins anew, as intake."""
    lines = [f"{line}\n" for line in text.split("\n")]
    lines[-1] = lines[-1].removesuffix("\n")
    ended = position = 0

    def fed() -> object:
        nonlocal position
        while lines:
            line = lines.pop(0)
            position += len(line)
            yield line

    rows = csv.reader(fed(), delimiter=separator, strict=True)  # type: ignore[arg-type]
    while True:
        try:
            next(rows)
        except StopIteration:
            return ended
        except csv.Error as error:
            rows = csv.reader(fed(), delimiter=separator, strict=True)  # type: ignore[arg-type]
            if "unexpected end of data" in str(error):
                return ended
        if text[position - 1 : position] == "\n":
            ended = position


@given(text=TEXTS, cuts=st.lists(st.integers(0, 60), max_size=6), separator=st.sampled_from(",;"))
@example(text='a,"b\r\nc""d"\r\n"', cuts=[8], separator=",")
@example(text='a\r,"b\nc"\n', cuts=[2], separator=",")
@example(text='5" screen,"x\ny"z,"\n"', cuts=[], separator=",")
@example(text='a;"b\n";c\n;"', cuts=[3], separator=";")
@settings(max_examples=300)
def test_rows_end_where_the_reader_ends_them(text: str, cuts: list[int], separator: str) -> None:
    """Quotes, broken rows and both kinds of line ends, in whatever pieces the bytes come."""
    scan = RowScan(separator.encode())
    places = sorted({0, len(text), *(min(cut, len(text)) for cut in cuts)})
    for start, end in pairwise(places):
        scan.go_on(text[start:end].encode())
    assert scan.ended == _rows_end(text, separator)


def test_a_row_too_long_to_be_read_ends_as_the_reader_ends_it(tmp_path: Path) -> None:
    """A quote that nothing closes does not hold back what follows for ever."""
    path = tmp_path / "a.csv"
    path.write_bytes(b'id,note\n1,"' + (b"x" * (MAX_LINE_BYTES // 8) + b"\n") * 8 + b"2,b\n3,")
    assert rows_end(path, path.stat().st_size) == path.stat().st_size - 2
    numbers = [number for batch in csv_batches(path, 0, None, 1) for number in batch.table["line_no"].to_pylist()]
    assert numbers == [2, 10, 11]


@pytest.mark.parametrize(
    ("name", "text", "end"),
    [
        ("a.jsonl", '{"id": 1}\n{"id": 2}', 19),
        ("a.jsonl", '{"id": 1}\n{"id": 2', 10),
        ("a.jsonl", '{"id": 1}\n{"id": [2]} ', 22),
        ("a.jsonl", '\ufeff{"id": 1}', 12),
        ("a.jsonl", '{"id": 1}\n12', 10),
        ("a.jsonl", '{"id": 1}\n"{}"', 10),
        ("a.ndjson", '{"id"', 0),
        ("a.csv", "id\n{}", 3),
        ("a.csv", '\ufeff"id\n",n\n1,2\n1,', 15),
        ("a.csv", 'id,note\n1,"a\n', 8),
        ("a.csv", 'id;note\n1;"a\n', 8),
        ("a.csv", 'id\tnote\n1\t"a\n"\n2', 15),
        ("a.csv", "", 0),
    ],
)  # fmt: skip
def test_whole_lines_end_at(tmp_path: Path, name: str, text: str, end: int) -> None:
    """A JSON object is whole without a newline, a number or a row may go on."""
    path = tmp_path / name
    path.write_bytes(text.encode())
    assert whole_end(path, path.stat().st_size) == end


def test_a_line_longer_than_a_chunk_begins_where_it_begins(tmp_path: Path) -> None:
    """The last newline is looked for from the end of the file backwards."""
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"{}\n{}\n" + b"x" * 3_000_000)
    assert (rows_end(path, path.stat().st_size), newlines(path, 6)) == (6, 2)
    path.write_bytes(b"x" * 3_000_000)
    assert rows_end(path, path.stat().st_size) == 0
