"""Zip snapshots: one table of one archive read as a file of its own, its checksum verified, bombs refused.

A member's path goes on from its archive's: `convex/snapshot_1.zip/tokenUsage/documents.jsonl`. The bytes that identify
and sign it are those of the whole archive.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from typing import TYPE_CHECKING

from billing_core.vocabulary import Reason
from pipelines.intake.errors import UnreadableFileError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SUFFIX = ".zip"
_MEMBER = re.compile(r"(?P<archive>.+?\.zip)/(?P<member>.+)", re.DOTALL)
_BLOCK_BYTES = 8 * 1024 * 1024
_BOMB_BYTES = 64 * 1024 * 1024
_BOMB_RATIO = 500
"""A member that is larger than _BOMB_BYTES and this many times its stored size is refused: no log packs so well."""
_NAMES_SHOWN = 5
_ENCRYPTED = 0x1


def split_member(path: str) -> tuple[str, str | None]:
    """(path of the stored file, name inside it) of an input path; None for a file that is no archive's."""
    match = _MEMBER.fullmatch(path)
    return (match["archive"], match["member"]) if match else (path, None)


def member_blocks(path: Path, member: str) -> Iterator[bytes]:
    """The bytes of a member in blocks, its CRC checked at the end.

    Raises UnreadableFileError with the reason missing_member, encrypted or unreadable.
    """
    try:
        with zipfile.ZipFile(path) as archive, archive.open(_checked(archive, path, member)) as stream:
            while block := stream.read(_BLOCK_BYTES):
                yield block
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError, OSError, ValueError) as error:
        raise UnreadableFileError(path.name, f"cannot be read as a zip: {error}") from None


def _checked(archive: zipfile.ZipFile, path: Path, member: str) -> zipfile.ZipInfo:
    found = [info for info in archive.infolist() if info.filename == member]
    if not found:
        why = f"holds no {member}; it holds {_names(archive)}"
        raise UnreadableFileError(path.name, why, Reason.MISSING_MEMBER)
    if len(found) > 1:
        raise UnreadableFileError(path.name, f"holds {member} {len(found)} times")
    (info,) = found
    if info.flag_bits & _ENCRYPTED:
        raise UnreadableFileError(path.name, f"holds {member} encrypted", Reason.ENCRYPTED)
    if info.file_size > _BOMB_BYTES and info.file_size > _BOMB_RATIO * max(info.compress_size, 1):
        raise UnreadableFileError(
            path.name, f"holds {member} packed {_BOMB_RATIO} times or more ({info.file_size:,} bytes unpacked)"
        )
    return info


def _names(archive: zipfile.ZipFile) -> str:
    names = [name for name in archive.namelist() if name.endswith((".jsonl", ".ndjson"))]
    more = f" and {len(names) - _NAMES_SHOWN:,} more" if len(names) > _NAMES_SHOWN else ""
    return f"{', '.join(sorted(names)[:_NAMES_SHOWN]) or 'no table'}{more}"
