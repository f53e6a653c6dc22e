"""One pass over a file: its sha256, the sha256 of its known beginnings, its HMAC. And a cache of the first two.

The cache is disposable: an entry counts only while size, times and inode of the file are those that were hashed.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from pipelines.intake.found import FileStamp

if TYPE_CHECKING:
    import hmac
    from collections.abc import Iterable, Mapping
    from pathlib import Path

_CHUNK_BYTES = 1 << 20
# A file changed again within the same tick of its clock would keep its stamp, so very fresh ones are not remembered.
_FRESH_NS = 2_000_000_000
_CACHE_VERSION = 1


class ChangedWhileReadError(Exception):
    """The file was not the same after the pass as before it."""


@dataclass(frozen=True, slots=True)
class Hashed:
    """A file's stamp, its sha256 over all stored bytes, and the sha256 of its first n bytes for each n asked."""

    stamp: FileStamp
    sha256: str
    prefixes: Mapping[int, str] = field(default_factory=dict)


def hash_file(path: Path, prefix_sizes: Iterable[int] = (), signature: hmac.HMAC | None = None) -> Hashed:
    """Hash a file in one pass; also feed its bytes to `signature`.

    Raises ChangedWhileReadError when it changed meanwhile, OSError when it cannot be read or is no ordinary file.
    """
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        before = _stamp(os.fstat(handle))
        sizes = sorted(size for size in set(prefix_sizes) if 0 < size < before.size)
        sha256, prefixes, read = _pass(handle, sizes, signature)
        if read != before.size or _stamp(os.fstat(handle)) != before:
            raise ChangedWhileReadError
    finally:
        os.close(handle)
    return Hashed(before, sha256, prefixes)


def stamp_of(path: Path) -> FileStamp:
    """Return a file's stamp without following links. Raises OSError when it is no ordinary file."""
    return _stamp(path.lstat())


def _stamp(status: os.stat_result) -> FileStamp:
    if not stat.S_ISREG(status.st_mode):
        msg = "not an ordinary file"
        raise OSError(None, msg)
    return FileStamp(status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)


def _pass(handle: int, sizes: list[int], signature: hmac.HMAC | None) -> tuple[str, dict[int, str], int]:
    digest = hashlib.sha256()
    prefixes: dict[int, str] = {}
    ahead = iter(sizes)
    boundary = next(ahead, None)
    read = 0
    while chunk := os.read(handle, _CHUNK_BYTES if boundary is None else min(_CHUNK_BYTES, boundary - read)):
        digest.update(chunk)
        if signature is not None:
            signature.update(chunk)
        read += len(chunk)
        if read == boundary:
            prefixes[boundary] = digest.copy().hexdigest()
            boundary = next(ahead, None)
    return digest.hexdigest(), prefixes, read


class HashCache:
    """The remembered hashes of one books folder, in a JSON file that may be removed at any time."""

    def __init__(self, path: Path) -> None:
        """Read the cache at `path`; one that is absent or damaged is empty."""
        self._path = path
        self._entries: dict[str, Hashed] = {}
        self._used: dict[str, Hashed] = {}
        with suppress(OSError, ValueError, TypeError, KeyError, AttributeError):
            document = json.loads(path.read_bytes())
            if document["version"] == _CACHE_VERSION:
                self._entries = {name: _from_json(entry) for name, entry in document["files"].items()}
        self._read = dict(self._entries)

    def get(self, name: str, stamp: FileStamp, prefix_sizes: Iterable[int]) -> Hashed | None:
        """Return what is remembered of a file if it still is that file and every prefix asked for is known."""
        entry = self._entries.get(name)
        if entry is None or entry.stamp != stamp:
            return None
        if any(0 < size < stamp.size and size not in entry.prefixes for size in prefix_sizes):
            return None
        self._used[name] = entry
        return entry

    def put(self, name: str, hashed: Hashed) -> None:
        """Remember a file, unless it is so fresh that a change could go unnoticed."""
        if time.time_ns() - max(hashed.stamp.mtime_ns, hashed.stamp.ctime_ns) > _FRESH_NS:
            self._used[name] = hashed

    def keep(self, name: str) -> None:
        """Keep what is remembered of a file that was not looked at this time."""
        if name in self._entries:
            self._used[name] = self._entries[name]

    def save(self) -> None:
        """Write what was used this time, if anything is new; a cache that cannot be written costs only time."""
        if self._used == self._read:
            return
        document = {"version": _CACHE_VERSION, "files": {name: asdict(entry) for name, entry in self._used.items()}}
        new = self._path.with_name(f"{self._path.name}.{os.getpid()}.tmp")
        with suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            new.write_text(json.dumps(document, separators=(",", ":")), encoding="utf-8")
            new.replace(self._path)


def _from_json(entry: Mapping[str, object]) -> Hashed:
    stamp, sha256, prefixes = entry["stamp"], entry["sha256"], entry["prefixes"]
    if not (isinstance(stamp, dict) and isinstance(sha256, str) and isinstance(prefixes, dict)):
        raise TypeError
    return Hashed(FileStamp(**stamp), sha256, {int(size): str(text) for size, text in prefixes.items()})
