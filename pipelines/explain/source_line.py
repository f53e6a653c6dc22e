"""The very line behind a record, if its file still holds the bytes that a posting took."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import pyarrow.compute as pc

from billing_core.errors import TollbookError
from pipelines.books.objects import ObjectStore
from pipelines.intake.archives import split_member
from pipelines.intake.formats import batches
from pipelines.intake.remote import is_remote
from pipelines.intake.sources import FileToRead
from pipelines.intake.walk import is_plain

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pipelines.books.folder import BooksFolder

_CHUNK_BYTES = 1 << 20


def source_line(folder: BooksFolder, file: Mapping[str, Any], line_no: int) -> tuple[str | None, str | None]:
    """(raw text, why there is none): one of the two is None.

    `file` is a row of audit.usage_files. Bytes that are no text are shown as escapes.
    """
    stored, member = split_member(file["path"])
    if is_remote(stored):
        return None, f"{file['path']} lies in an object store; look at the object there"
    path = folder.root / stored
    if not path.is_file():
        path = _kept(folder, file["sha256"]) or path
    if not path.is_file():
        return None, f"{file['path']} is not there any more"
    if _sha256(path, file["size_bytes"]) != file["sha256"]:
        return None, f"{file['path']} no longer holds the bytes that were read"
    to_read = FileToRead(
        file_id=file["file_id"],
        path=path,
        relative_path=file["path"],
        byte_from=file["byte_from"],
        byte_to=file["size_bytes"] if is_plain(file["path"]) else None,
        first_line=file["first_line"],
        sha256=file["sha256"],
        member=member,
    )
    try:
        return _text(to_read, line_no), None
    except (TollbookError, OSError) as error:
        return None, str(error)


def _kept(folder: BooksFolder, sha256: str) -> Path | None:
    """Credits and accounts files are kept among the journal's objects."""
    store = ObjectStore(folder.objects)
    return store.path_of(sha256) if sha256 in store else None


def _sha256(path: Path, size: int) -> str:
    digest, left = hashlib.sha256(), size
    with path.open("rb") as file:
        while left and (chunk := file.read(min(left, _CHUNK_BYTES))):
            digest.update(chunk)
            left -= len(chunk)
    return digest.hexdigest()


def _text(file: FileToRead, line_no: int) -> str | None:
    for batch in batches(file):
        rows = batch.table.filter(pc.equal(batch.table["line_no"], line_no)).slice(0, 1).to_pylist()
        if rows:
            line, raw = rows[0]["line"], rows[0]["raw"]
            return str(line) if line is not None else bytes(raw or b"").decode("utf-8", "backslashreplace")
    return None
