"""Convex snapshots as zip files, whole and spoilt."""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


def snapshot(tables: Mapping[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    """The bytes of an export: README.md, _tables, and one documents.jsonl per table."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        archive.writestr("README.md", "# Convex export\n")
        archive.writestr("_tables/documents.jsonl", "".join(f'{{"name":"{name}","id":1}}\n' for name in tables))
        for name, data in tables.items():
            archive.writestr(f"{name}/documents.jsonl", data)
    return buffer.getvalue()


def encrypted(archive: bytes) -> bytes:
    """The same archive with every member marked as encrypted."""
    data = bytearray(archive)
    for mark, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        position = data.find(mark)
        while position >= 0:
            data[position + at] |= 1
            position = data.find(mark, position + 4)
    return bytes(data)
