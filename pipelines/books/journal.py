"""An append-only JSON Lines file whose every line names the hash of the line before it.

A line is {seq, id, at, ...payload, prev, hash}; hash is the sha256 of the line's canonical JSON (sorted keys, no
spaces, UTF-8) without `hash`, which is written last so that what was hashed is a plain prefix of the line's bytes.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import uuid
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from billing_core.errors import IntegrityError, TollbookError
from pipelines.books import clock
from pipelines.books.objects import fsync_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime
    from pathlib import Path

FIRST_PREV = "0" * 64
RESERVED_KEYS = frozenset({"seq", "id", "at", "prev", "hash"})
_HASH_PART_BYTES = len(f',"hash":"{FIRST_PREV}"}}')
_TAIL_CHUNK_BYTES = 1 << 16
_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


class TornLineError(IntegrityError):
    """The last line of a journal was cut off while it was written; nothing before it is affected."""


@dataclass(frozen=True, slots=True)
class ChainedLine:
    """One verified line. `payload` is what the writer gave; `at` is UTC text with microseconds."""

    seq: int
    id: str
    at: str
    payload: Mapping[str, Any]
    prev: str
    hash: str


def canonical_json(value: object) -> bytes:
    """Return the one text of a JSON value that is hashed: sorted keys, no spaces, UTF-8, no NaN."""
    return _ENCODER.encode(value).encode()


class HashChainedLog:
    """One such file. Safe against other processes (flock) and power loss (fsync)."""

    def __init__(self, path: Path, now: Callable[[], datetime] = clock.now) -> None:
        """Use the file at `path`; the first append makes it."""
        self.path = path
        self._now = now

    def append(self, payload: Mapping[str, Any], line_id: str | None = None) -> ChainedLine:
        """Append one line and return it once it is on the disk.

        Without `line_id` the id is derived from what the line says and follows, so that a replay makes the same one.
        Raises TornLineError or IntegrityError when the last line is not whole, TollbookError when the disk refuses.
        """
        if reserved := RESERVED_KEYS & payload.keys():
            msg = f"payload keys {sorted(reserved)} belong to the journal itself"
            raise ValueError(msg)
        is_new = not self.path.exists()
        if not self.path.parent.exists():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            fsync_folder(self.path.parent.parent)
        with self._locked(os.O_RDWR | os.O_APPEND | os.O_CREAT, fcntl.LOCK_EX) as handle:
            size = os.fstat(handle).st_size
            line = self._next_line(self._last_line(handle, size), payload, line_id)
            self._write(handle, size, _text_of(line))
        if is_new:
            fsync_folder(self.path.parent)
        return line

    def read(self, up_to_seq: int | None = None) -> tuple[ChainedLine, ...]:
        """Return the lines in order, each verified, or those up to a seq; an absent file has none.

        The whole chain is verified in either case. Raises TornLineError or IntegrityError.
        """
        lines = tuple(self._verified(self._content()))
        return lines if up_to_seq is None else lines[:up_to_seq]

    def head(self) -> ChainedLine | None:
        """Return the last line, verified only by its own hash: the quick look of a writer."""
        if not self.path.exists():
            return None
        with self._locked(os.O_RDONLY, fcntl.LOCK_SH) as handle:
            return self._last_line(handle, os.fstat(handle).st_size)

    def cut_torn_line(self) -> bytes:
        """Cut a torn last line off and return its bytes; b"" when there is none. A broken chain is left alone."""
        if not self.path.exists():
            return b""
        with self._locked(os.O_RDWR, fcntl.LOCK_EX) as handle:
            content = _read_from(handle, 0)
            keep = _whole_length(content)
            if keep < len(content):
                os.ftruncate(handle, keep)
                os.fsync(handle)
        return content[keep:]

    def _content(self) -> bytes:
        if not self.path.exists():
            return b""
        with self._locked(os.O_RDONLY, fcntl.LOCK_SH) as handle:
            return _read_from(handle, 0)

    @contextmanager
    def _locked(self, flags: int, kind: int) -> Iterator[int]:
        try:
            handle = os.open(self.path, flags | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            msg = f"{self.path}: cannot be opened ({error.strerror}); the journal must be an ordinary writable file"
            raise TollbookError(msg) from error
        try:
            fcntl.flock(handle, kind)
            yield handle
        finally:
            os.close(handle)

    def _verified(self, content: bytes) -> Iterator[ChainedLine]:
        if _whole_length(content) != len(content):
            raise self._torn()
        prev = FIRST_PREV
        for number, text in enumerate(content.split(b"\n")[:-1], start=1):
            line = self._parsed(text, number)
            if line.prev != prev or line.seq != number:
                raise self._broken(number, "does not follow the line before it")
            prev = line.hash
            yield line

    def _parsed(self, text: bytes, number: int | None) -> ChainedLine:
        line = _parse(text)
        if line is None:
            raise self._broken(number, "is not a line of this journal")
        if hashlib.sha256(text[:-_HASH_PART_BYTES] + b"}").hexdigest() != line.hash:
            raise self._broken(number, "does not hash to its own hash")
        return line

    def _broken(self, number: int | None, what: str) -> IntegrityError:
        where = "last line" if number is None else f"line {number}"
        return IntegrityError(
            f"{self.path}, {where}: {what}: the journal was edited, cut or mixed up; restore it from a backup"
        )

    def _torn(self) -> TornLineError:
        return TornLineError(
            f"{self.path}: the last line is torn (a crash cut it off while it was written); "
            "`tollbook doctor --fix` cuts it, nothing before it is lost"
        )

    def _last_line(self, handle: int, size: int) -> ChainedLine | None:
        if size == 0:
            return None
        start, tail = size, b""
        while start > 0 and b"\n" not in tail[:-1]:
            start = max(start - max(_TAIL_CHUNK_BYTES, len(tail)), 0)
            tail = _read_from(handle, start)
        text = tail[:-1].rsplit(b"\n", 1)[-1]
        if not tail.endswith(b"\n") or not _is_json(text):
            raise self._torn()
        return self._parsed(text, None)

    def _next_line(self, last: ChainedLine | None, payload: Mapping[str, Any], line_id: str | None) -> ChainedLine:
        seq, prev = (last.seq + 1, last.hash) if last else (1, FIRST_PREV)
        at = clock.iso_micros(self._now())
        line_id = line_id or _derived_id(canonical_json([prev, at, payload]))
        draft = ChainedLine(seq=seq, id=line_id, at=at, payload=dict(payload), prev=prev, hash="")
        digest = hashlib.sha256(_hashed_text(draft)).hexdigest()
        return ChainedLine(seq=seq, id=line_id, at=at, payload=dict(payload), prev=prev, hash=digest)

    def _write(self, handle: int, size: int, text: bytes) -> None:
        """Write and fsync, or take back what a full disk let through: a journal never keeps half a line."""
        try:
            written = 0
            while written < len(text):
                written += os.write(handle, text[written:])
            os.fsync(handle)
        except OSError as error:
            os.ftruncate(handle, size)
            msg = f"{self.path}: could not be written ({error.strerror}); nothing was recorded"
            raise TollbookError(msg) from error


def _read_from(handle: int, offset: int) -> bytes:
    with os.fdopen(os.dup(handle), "rb") as file:
        file.seek(offset)
        return file.read()


def _hashed_text(line: ChainedLine) -> bytes:
    own = {"seq": line.seq, "id": line.id, "at": line.at, "prev": line.prev}
    return canonical_json({**line.payload, **own})


def _text_of(line: ChainedLine) -> bytes:
    return _hashed_text(line)[:-1] + f',"hash":"{line.hash}"}}\n'.encode()


def _parse(text: bytes) -> ChainedLine | None:
    """Read a line's keys; None for anything that the journal does not write."""
    try:
        payload = json.loads(text)
        own = {key: payload.pop(key) for key in RESERVED_KEYS}
    except (ValueError, KeyError, AttributeError, TypeError):
        return None
    return ChainedLine(payload=payload, **own)


def _whole_length(content: bytes) -> int:
    """Return how many bytes remain when a torn last line (no newline, or no JSON at all) is left out."""
    end = content.rfind(b"\n") + 1
    if end < len(content) or end == 0:
        return end
    start = content.rfind(b"\n", 0, end - 1) + 1
    return end if _is_json(content[start : end - 1]) else start


def _is_json(text: bytes) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _derived_id(seed: bytes) -> str:
    """A version 8 UUID of the seed: the id of a line needs no randomness."""
    bits = int.from_bytes(hashlib.sha256(seed).digest()[:16], "big")
    bits = bits & ~(0xF << 76) | (0x8 << 76)
    bits = bits & ~(0x3 << 62) | (0x2 << 62)
    return str(uuid.UUID(int=bits))
