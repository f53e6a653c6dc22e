"""Inputs in object stores: listed, staged below warehouse/ in a bounded cache, then read like any file.

An object is told by its URI and its ETag (its version, where the store keeps versions): the same URI with another ETag
is another file. Credentials come from the environment alone, as the stores' own tools read them.
"""

from __future__ import annotations

import hashlib
import importlib
import os
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from billing_core.errors import ConfigurationError, IntegrityError, TollbookError
from pipelines.intake.found import FileStamp
from pipelines.intake.hashing import ChangedWhileReadError, hash_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime
    from pathlib import Path

SCHEMES = ("s3://", "gs://", "az://")
_CHUNK_BYTES = 8 * 1024 * 1024
_SMALL_BYTES = 4096
_ODD = re.compile(r"[^A-Za-z0-9._-]")
_RETRIES: dict[str, Any] = {"max_retries": 4}


class ObjectStoreError(TollbookError):
    """A store could not be asked. What it said is cut: it may hold signed addresses."""


@dataclass(frozen=True, slots=True)
class RemoteObject:
    """An object as it was listed."""

    uri: str
    size: int
    e_tag: str
    last_modified: datetime

    @property
    def stamp(self) -> FileStamp:
        """What tells that the object is the one that was hashed."""
        nanoseconds = int(self.last_modified.timestamp()) * 1_000_000_000
        tag = int.from_bytes(hashlib.sha256(self.e_tag.encode()).digest()[:7])
        return FileStamp(self.size, nanoseconds, nanoseconds, tag)


def is_remote(path: str) -> bool:
    """Whether an input path is a URI of an object store."""
    return path.startswith(SCHEMES)


def key_of(path: str) -> str:
    """The part of a path that may date a file: of a URI the key, without the bucket."""
    return urlsplit(path).path.lstrip("/") if is_remote(path) else path


@dataclass
class StagedObjects:
    """The cache of objects on this machine: at most `limit_bytes`, but for what a posting under way reads.

    The least recently used go first; only who holds the books evicts.
    """

    folder: Path
    limit_bytes: int
    evicts: bool = True
    pinned: set[Path] = field(default_factory=set)

    def list(self, prefix_uri: str) -> list[RemoteObject]:
        """Every object below a URI that ends where its first wildcard stands. Raises ObjectStoreError."""
        bucket, key = _split(prefix_uri)
        library = _library()
        try:
            found = library.list(_store(bucket), prefix=key.rpartition("/")[0] or None)
            metas = [meta for chunk in found for meta in chunk]
        except Exception as error:  # noqa: BLE001 each store raises its own; none may show what it was asked with
            raise _failed(prefix_uri, error) from None
        return [
            RemoteObject(f"{bucket}/{meta['path']}", meta["size"], meta["e_tag"] or "", meta["last_modified"])
            for meta in metas
        ]

    def stage(self, uri: str, e_tag: str, version: str | None = None) -> Path:
        """A local copy of the object with this ETag, or of this version.

        Raises ChangedWhileReadError when the object is another one by now, FileNotFoundError when it is gone,
        ObjectStoreError.
        """
        path = self._place(uri, e_tag)
        if not path.is_file():
            self._fetch(uri, path, {"version": version} if version else {"if_match": e_tag} if e_tag else {})
        os.utime(path)
        self._evict(keep=path)
        return path

    def version_of(self, uri: str, e_tag: str) -> str | None:
        """The store's version of the object, where it keeps versions and the object is still this one."""
        meta = self._ask(uri, "head", {})
        return meta.get("version") if meta and meta.get("e_tag") == e_tag else None

    def small(self, uri: str) -> bytes | None:
        """The first bytes of a small object beside another; None where there is none."""
        found = self._ask(uri, "get", {})
        return None if found is None else bytes(found.bytes())[:_SMALL_BYTES]

    def place(self, uri: str, e_tag: str, sha256: str, size: int, version: str | None) -> Path:
        """The local copy of which a posting reads the first `size` bytes: these verified, and kept from eviction.

        Raises IntegrityError when the store no longer has these bytes.
        """
        try:
            path = self.stage(uri, e_tag, version)
        except (FileNotFoundError, ChangedWhileReadError):
            raise IntegrityError(_gone(uri, sha256)) from None
        hashed = hash_file(path, [size])
        if hashed.prefixes.get(size, hashed.sha256) != sha256:
            path.unlink()
            raise IntegrityError(_gone(uri, sha256))
        self.pinned.add(path)
        return path

    def _place(self, uri: str, e_tag: str) -> Path:
        digest = hashlib.sha256(f"{uri}\n{e_tag}".encode()).hexdigest()
        return self.folder / f"{digest[:40]}-{_ODD.sub('_', uri.rpartition('/')[2])[-100:]}"

    def _fetch(self, uri: str, path: Path, options: Mapping[str, str]) -> None:
        found = self._ask(uri, "get", options)
        if found is None:
            raise FileNotFoundError(uri)
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        new = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        try:
            with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                for chunk in _chunks(uri, found):
                    file.write(chunk)
                is_whole = file.tell() == found.meta["size"]
            if is_whole:
                new.replace(path)
        finally:
            new.unlink(missing_ok=True)
        if not is_whole:
            raise ChangedWhileReadError

    def _ask(self, uri: str, verb: str, options: Mapping[str, str]) -> Any:
        """What a store says of an object; None where it has none."""
        bucket, key = _split(uri)
        library = _library()
        try:
            if verb == "head":
                return library.head(_store(bucket), key)
            return library.get(_store(bucket), key, options=dict(options) or None)
        except FileNotFoundError:
            return None
        except Exception as error:  # noqa: BLE001 as in list
            if isinstance(error, library.exceptions.PreconditionError):
                raise ChangedWhileReadError from None
            raise _failed(uri, error) from None

    def _evict(self, keep: Path) -> None:
        if not self.evicts:
            return
        files = sorted((path.stat().st_mtime_ns, path) for path in self.folder.iterdir() if path.is_file())
        total = sum(path.stat().st_size for _, path in files)
        for _, path in files:
            if total <= self.limit_bytes:
                return
            if path != keep and path not in self.pinned:
                total -= path.stat().st_size
                path.unlink()


def _split(uri: str) -> tuple[str, str]:
    """(URI of the bucket, key) of an object's URI."""
    parts = urlsplit(uri)
    return f"{parts.scheme}://{parts.netloc}", uri.partition("://")[2].partition("/")[2]


def _chunks(uri: str, found: Any) -> Iterator[bytes]:
    try:
        yield from found.stream(min_chunk_size=_CHUNK_BYTES)
    except Exception as error:  # noqa: BLE001 as in list
        raise _failed(uri, error) from None


def _library() -> Any:
    """The library, loaded when the first object is asked for. Raises ConfigurationError when it is not installed."""
    try:
        importlib.import_module("obstore.store")
        importlib.import_module("obstore.exceptions")
        return importlib.import_module("obstore")
    except ImportError:
        raise ConfigurationError("object stores need the extra `objects`: pip install 'tollbook[objects]'") from None


def _store(bucket: str) -> Any:
    return _library().store.from_url(bucket, retry_config=_RETRIES)


def _failed(uri: str, error: Exception) -> ObjectStoreError:
    """A store's refusal in one line, without the query of any address and without the body of any answer."""
    said = re.sub(r"\?\S*", "", str(error).strip().partition("\n")[0].partition("<")[0])[:300].strip(" :-")
    return ObjectStoreError(
        f"{uri}: the store could not be asked ({type(error).__name__}: {said}). Nothing of it was read; check the "
        "address, the credentials in the environment and the network, then run the command again"
    )


def _gone(uri: str, sha256: str) -> str:
    return (
        f"{uri}: the object that a posting took (sha256 {sha256[:12]}...) is gone: it was overwritten or deleted, and "
        "the bucket keeps no versions. Put the object back as it was; a rebuild reads every usage file again"
    )
