"""journal/stripe.jsonl: which bytes of which file of Stripe objects were seen, and when.

A line of a file that does not say when its object was fetched counts as of the instant at which the books first saw it.
That instant is an input, so it is fixed here; a rebuild reads it and dates the line the same.
"""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, BinaryIO

from billing_core.errors import ConfigurationError
from pipelines.books import clock
from pipelines.books.journal import HashChainedLog

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime
    from pathlib import Path

EXTRACT_PREFIX = "stripe/api-"
"""How files that the sync writes begin: they only grow, and by whole lines."""
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Entry:
    """A range of a file that was seen at once; `sha256` covers the file up to the range's end.

    A range from byte 0 begins a new generation: what was seen of the file before is no longer in it.
    """

    path: str
    kind: str
    byte_from: int
    byte_to: int
    sha256: str
    seen_at: str


class FileLog:
    """The journal of those files."""

    def __init__(self, path: Path, now: Callable[[], datetime] = clock.now) -> None:
        """Use the journal at `path`; the first entry makes it."""
        self.log = HashChainedLog(path, now)
        self._now = now

    def entries(self) -> dict[str, list[Entry]]:
        """The ranges of each file's present generation, in order. Raises IntegrityError for an edited journal."""
        found: dict[str, list[Entry]] = {}
        for line in self.log.read():
            entry = Entry(**line.payload)
            if entry.byte_from == 0:
                found[entry.path] = []
            found.setdefault(entry.path, []).append(entry)
        return found

    def head(self) -> str:
        """The hash of the last entry: the high-water mark of everything that Stripe has told; "" before the first."""
        last = self.log.head()
        return last.hash if last is not None else ""

    def observe(self, root: Path, kinds: Mapping[str, str]) -> list[str]:
        """Note what is new in some files, by path and kind; returns those that were read anew because they changed."""
        known, seen_at, changed = self.entries(), clock.iso_micros(self._now()), []
        for path, kind in kinds.items():
            before = known.get(path, [])
            last = before[-1] if before else None
            if last is not None and path.startswith(EXTRACT_PREFIX) and (root / path).stat().st_size == last.byte_to:
                continue
            size, digest, is_continued = _measured(root / path, last, whole_lines=path.startswith(EXTRACT_PREFIX))
            if last is not None and not is_continued:
                changed.append(path)
            start = last.byte_to if last is not None and is_continued else 0
            if size > start or not is_continued:
                self.log.append(asdict(Entry(path, kind, start, size, digest, seen_at)))
        return changed


def _measured(path: Path, last: Entry | None, *, whole_lines: bool) -> tuple[int, str, bool]:
    """Bytes and hash of a file, and whether it still begins with what was seen; a new file does."""
    digest, position, is_continued = hashlib.sha256(), 0, last is None
    with opened(path) as stream:
        for line in stream:
            if whole_lines and not line.endswith(b"\n"):
                break  # the sync was cut off while it wrote; it goes on from the line before
            digest.update(line)
            position += len(line)
            if last is not None and position == last.byte_to:
                is_continued = digest.hexdigest() == last.sha256
    return position, digest.hexdigest(), is_continued


def opened(path: Path) -> BinaryIO:
    """The file's bytes, unpacked where it is gzip. Raises ConfigurationError for another format."""
    if path.name.endswith(".gz"):
        return gzip.open(path, "rb")  # type: ignore[return-value] # it reads like any binary file
    if path.suffix not in {".jsonl", ".ndjson"}:
        raise ConfigurationError(f"{path}: Stripe objects are read from .jsonl and .jsonl.gz; convert the file")
    return path.open("rb")


def lines_of(path: Path, byte_from: int, byte_to: int) -> Iterator[bytes]:
    """The lines of a range."""
    with opened(path) as stream:
        stream.seek(byte_from)
        while byte_from < byte_to and (line := stream.readline()):
            byte_from += len(line)
            yield line


def prefix_digest(path: Path, size: int) -> hashlib._Hash:
    """The hash so far of a file's first bytes, to be continued."""
    digest = hashlib.sha256()
    with opened(path) as stream:
        while size and (chunk := stream.read(min(size, _CHUNK))):
            digest.update(chunk)
            size -= len(chunk)
    return digest
