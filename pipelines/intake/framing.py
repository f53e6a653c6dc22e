r"""Frame a file into batches of records, every one kept: exact lines, exact bytes, damaged files refused whole.

Lines end at "\n"; one "\r" before it is dropped; a last line without an end counts. Nothing is parsed here.
"""

from __future__ import annotations

import hashlib
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, AnyStr

import pyarrow as pa

from billing_core.vocabulary import Reason
from pipelines.intake.errors import UnreadableFileError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

MAX_LINE_BYTES = 16 * 1024 * 1024
"""A longer line is not parsed; its first bytes and the hash of all of it are kept."""
BATCH_RECORDS = 200_000
_BLOCK_BYTES = 8 * 1024 * 1024
_GZIP_MAGIC = b"\x1f\x8b"
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_LENIENT_JSON = (b"nan", b"inf", b",}", b",]")
_LOWER = bytes.maketrans(b"NAIF", b"naif")
_DIGITS = bytes.maketrans(b"123456789.", b"0" * 10)
_LONG_NUMBER = b"0" * 17
SCHEMA = pa.schema(
    {
        "i": pa.int64(),
        "line_no": pa.int64(),
        "record_no": pa.int32(),
        "line": pa.string(),
        "raw": pa.binary(),
        "sha": pa.binary(),
        "frame_reason": pa.string(),
    }
)


@dataclass(frozen=True)
class Batch:
    """Some records of one file, in file order.

    table columns: i (0, 1, 2 ... in the batch), line_no (1-based), line (text to classify; null with a frame_reason),
    raw (bytes; null where they are the UTF-8 of `line`), sha (sha256; null where it is that of the raw bytes),
    frame_reason.
    lenient_json: some line may hold what JSON forbids but a parser tolerates (NaN, trailing commas); long_numbers: some
    line may hold a number of more than 15 digits. Both only say that the slow exact test is needed.
    """

    table: pa.Table
    lenient_json: bool
    long_numbers: bool

    def for_file(self, file_id: int) -> Batch:
        """The same batch with a column file_id."""
        column = pa.repeat(pa.scalar(file_id, pa.int64()), self.table.num_rows)
        return Batch(self.table.append_column("file_id", column), self.lenient_json, self.long_numbers)


def joined(parts: Sequence[Batch]) -> Batch:
    """Several batches as one, `i` counted through."""
    if len(parts) == 1:
        return parts[0]
    table = pa.concat_tables([part.table for part in parts]).combine_chunks()
    table = table.set_column(0, "i", pa.arange(0, table.num_rows))
    return Batch(table, any(part.lenient_json for part in parts), any(part.long_numbers for part in parts))


@dataclass(frozen=True)
class FramedLine:
    """A line that is not plain text: what was kept of it, the hash of all of it, and why."""

    raw: bytes
    sha: bytes
    reason: str


def bare_name(path: str) -> tuple[str, str]:
    """(name without compression suffix, compression "" | "gzip" | "zstd") of a path, lower-cased."""
    name = path.lower()
    if name.endswith(".gz"):
        return name[:-3], "gzip"
    if name.endswith(".zst"):
        return name[:-4], "zstd"
    return name, ""


def byte_blocks(path: Path, byte_from: int, byte_to: int | None = None) -> Iterator[bytes]:
    """The uncompressed bytes of a file in blocks; UnreadableFileError if it is damaged or not what its suffix says.

    `byte_to`: where to stop in a file that is not compressed.
    """
    codec = bare_name(path.name)[1]
    try:
        with path.open("rb") as file:
            magic = file.read(4)
            file.seek(byte_from)
            _check_magic(path, codec, magic)
            if not codec:
                left = sys.maxsize if byte_to is None else byte_to - byte_from
                while block := file.read(min(_BLOCK_BYTES, left)):
                    left -= len(block)
                    yield block
                return
            with pa.CompressedInputStream(pa.PythonFile(file, mode="r"), codec) as stream:
                while block := stream.read(_BLOCK_BYTES):
                    yield block
    except OSError as error:
        raise UnreadableFileError(path.name, f"cannot be read: {error}") from None


def _check_magic(path: Path, codec: str, magic: bytes) -> None:
    found = "gzip" if magic.startswith(_GZIP_MAGIC) else "zstd" if magic.startswith(_ZSTD_MAGIC) else ""
    if codec and found != codec:
        raise UnreadableFileError(path.name, f"is named as {codec} but does not hold {codec} data")
    if not codec and found:
        raise UnreadableFileError(path.name, f"holds {found} data but is not named as such")


def line_runs(blocks: Iterable[bytes]) -> Iterator[bytes | FramedLine]:
    """Whole lines as runs of bytes (each line with its end, but perhaps the last), and over-long lines one by one."""
    carry = b""
    long_line: _LongLine | None = None
    for block in blocks:
        rest = block
        if long_line is not None:
            cut = rest.find(b"\n")
            if cut < 0:
                long_line.add(rest)
                continue
            long_line.add(rest[:cut])
            yield long_line.framed()
            long_line, rest = None, rest[cut + 1 :]
        data = carry + rest
        cut = data.rfind(b"\n") + 1
        if cut:
            yield data[:cut]
        carry = data[cut:]
        if len(carry) > MAX_LINE_BYTES:
            long_line, carry = _LongLine(carry), b""
    if long_line is not None:
        yield long_line.framed()
    elif carry:
        yield carry


class _LongLine:
    """A line that grows beyond what is kept: its first bytes and a running hash."""

    def __init__(self, start: bytes) -> None:
        self._kept = start[:MAX_LINE_BYTES]
        self._hash = hashlib.sha256(start)

    def add(self, more: bytes) -> None:
        self._hash.update(more)

    def framed(self) -> FramedLine:
        return FramedLine(self._kept, self._hash.digest(), Reason.LINE_TOO_LONG)


def split_lines(run: bytes, *, first: bool) -> list[str | FramedLine]:
    """The lines of one run as texts; a line that is no UTF-8 or too long comes back as a FramedLine."""
    data = run.removeprefix(b"\xef\xbb\xbf") if first else run
    if len(data) <= MAX_LINE_BYTES:
        try:
            text = data.decode()
        except UnicodeDecodeError:
            return [_one_line(piece) for piece in _pieces(data, b"\n")]
        lines: list[str | FramedLine] = list(_pieces(text, "\n"))
        return [line.removesuffix("\r") for line in lines if isinstance(line, str)] if "\r" in text else lines
    return [_one_line(piece) for piece in _pieces(data, b"\n")]


def _pieces(data: AnyStr, end: AnyStr) -> list[AnyStr]:
    pieces = data.split(end)
    if not pieces[-1]:
        pieces.pop()
    return pieces


def _one_line(piece: bytes) -> str | FramedLine:
    data = piece.removesuffix(b"\r")
    if len(data) > MAX_LINE_BYTES:
        return FramedLine(data[:MAX_LINE_BYTES], hashlib.sha256(data).digest(), Reason.LINE_TOO_LONG)
    try:
        return data.decode()
    except UnicodeDecodeError:
        return FramedLine(data, hashlib.sha256(data).digest(), Reason.INVALID_UTF8)


def jsonl_batches(blocks: Iterable[bytes], first_line: int) -> Iterator[Batch]:
    """Batches of the JSON lines in uncompressed bytes, the first of which is line `first_line`."""
    line_no = first_line
    for run in line_runs(blocks):
        lines = [run] if isinstance(run, FramedLine) else split_lines(run, first=line_no == 1)
        flags = (False, False) if isinstance(run, FramedLine) else _suspicions(run)
        for start in range(0, len(lines), BATCH_RECORDS):
            part = lines[start : start + BATCH_RECORDS]
            yield Batch(_table(part, range(line_no, line_no + len(part)), None), *flags)
            line_no += len(part)


def make_batch(
    lines: Sequence[str | FramedLine], line_numbers: Sequence[int], record_numbers: Sequence[int] | None = None
) -> Batch:
    """A batch of the given lines, their numbers and, for records read again, their numbers inside the line."""
    flags = _suspicions("\n".join([line for line in lines if isinstance(line, str)]).encode())
    return Batch(_table(lines, line_numbers, record_numbers), *flags)


def _suspicions(data: bytes) -> tuple[bool, bool]:
    """(some line may be lenient JSON, some line may hold a long number): cheap, never wrongly False."""
    lower = data.translate(_LOWER, b" \t\r")
    return any(mark in lower for mark in _LENIENT_JSON), _LONG_NUMBER in data.translate(_DIGITS)


def _table(
    lines: Sequence[str | FramedLine], line_numbers: Sequence[int], record_numbers: Sequence[int] | None
) -> pa.Table:
    count = len(lines)
    columns = [
        pa.arange(0, count),
        _numbers(line_numbers),
        _ones_or(record_numbers, count),
    ]
    try:
        texts = pa.array(lines, pa.string())
    except (pa.ArrowException, TypeError):
        odd = [line if isinstance(line, FramedLine) else None for line in lines]
        columns += [
            pa.array([line if isinstance(line, str) else None for line in lines], pa.string()),
            pa.array([line.raw if line else None for line in odd], pa.binary()),
            pa.array([line.sha if line else None for line in odd], pa.binary()),
            pa.array([line.reason if line else None for line in odd], pa.string()),
        ]
    else:
        columns += [texts, pa.nulls(count, pa.binary()), pa.nulls(count, pa.binary()), pa.nulls(count, pa.string())]
    return pa.table(columns, schema=SCHEMA)


def _ones_or(record_numbers: Sequence[int] | None, count: int) -> pa.Array:
    if record_numbers is not None:
        return pa.array(record_numbers, pa.int32())
    return pa.repeat(pa.scalar(1, pa.int32()), count)


def _numbers(numbers: Sequence[int]) -> pa.Array:
    if isinstance(numbers, range):
        return pa.arange(numbers.start, numbers.stop)
    return pa.array(numbers, pa.int64())
