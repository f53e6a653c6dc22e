"""Content-addressed store: configuration texts and small inputs kept under their own sha256.

A rebuild reads what a posting read, even when the user has edited or removed the file since.
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from billing_core.errors import IntegrityError, TollbookError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from tempfile import _TemporaryFileWrapper

_CHUNK_BYTES = 1 << 20
_SHA256 = re.compile(r"[0-9a-f]{64}")


class ObjectStore:
    """Objects of `root` as ab/cdef...: the first two hex digits are the folder. Only ever added to.

    Both puts raise TollbookError when the disk refuses; nothing is kept then.
    """

    def __init__(self, root: Path) -> None:
        """Use `root`; it is made by the first put."""
        self.root = root

    def path_of(self, sha256: str) -> Path:
        """Return where the object of this hash lies, whether or not it is there."""
        if not _SHA256.fullmatch(sha256):
            msg = f"{sha256!r} is not the sha256 of an object in {self.root}"
            raise IntegrityError(msg)
        return self.root / sha256[:2] / sha256[2:]

    def put(self, content: bytes) -> str:
        """Keep the bytes and return their sha256; the same bytes again change nothing."""
        sha256 = hashlib.sha256(content).hexdigest()
        if not self._is_kept(sha256, len(content)):
            with self._refusals_told(), self._new_file() as file:
                file.write(content)
                self._keep(file, sha256)
        return sha256

    def put_file(self, path: Path, size: int) -> str:
        """Keep a file's first bytes, read in chunks, and return their sha256."""
        return self.put_blocks(_first_blocks(path, size))

    def put_blocks(self, blocks: Iterable[bytes]) -> str:
        """Keep bytes that come in blocks, and return their sha256."""
        digest = hashlib.sha256()
        with self._refusals_told(), self._new_file() as file:
            for chunk in blocks:
                digest.update(chunk)
                file.write(chunk)
            sha256 = digest.hexdigest()
            if not self._is_kept(sha256, file.tell()):
                self._keep(file, sha256)
        return sha256

    def get(self, sha256: str) -> bytes:
        """Return the bytes of an object. Raises IntegrityError when it is missing or no longer hashes to its name."""
        path = self.path_of(sha256)
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            msg = f"{path}: a posting names this object but it is missing; restore the journal folder from a backup"
            raise IntegrityError(msg) from None
        if hashlib.sha256(content).hexdigest() != sha256:
            msg = f"{path}: its bytes no longer hash to its name; restore the journal folder from a backup"
            raise IntegrityError(msg)
        return content

    def __contains__(self, sha256: str) -> bool:
        """Whether the object is kept."""
        return self.path_of(sha256).is_file()

    def _is_kept(self, sha256: str, size: int) -> bool:
        path = self.path_of(sha256)
        return path.is_file() and path.stat().st_size == size

    @contextmanager
    def _refusals_told(self) -> Iterator[None]:
        """A full disk in words that say what to do."""
        try:
            yield
        except OSError as error:
            msg = f"{self.root}: could not be written ({error.strerror}); nothing was posted. Free some space"
            raise TollbookError(msg) from error

    @contextmanager
    def _new_file(self) -> Iterator[_TemporaryFileWrapper[bytes]]:
        self.root.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(prefix=".new-", dir=self.root, delete=False) as file:
            try:
                yield file
            finally:
                Path(file.name).unlink(missing_ok=True)

    def _keep(self, file: _TemporaryFileWrapper[bytes], sha256: str) -> None:
        """Give the written file its name: content first, then the name, then the folder reach the disk."""
        target = self.path_of(sha256)
        file.flush()
        os.fsync(file.fileno())
        target.parent.mkdir(parents=True, exist_ok=True)
        Path(file.name).replace(target)
        fsync_folder(target.parent)
        fsync_folder(self.root)


def _first_blocks(path: Path, size: int) -> Iterator[bytes]:
    with path.open("rb") as source:
        while size > 0 and (chunk := source.read(min(_CHUNK_BYTES, size))):
            size -= len(chunk)
            yield chunk


def fsync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
