"""What a walk over the input files finds: plain values, written to the posting log and read back."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any, Protocol

from billing_core.errors import IntegrityError

if TYPE_CHECKING:
    from collections.abc import Mapping

TAKEN = "taken"
DUPLICATE = "duplicate"
REFUSED = "refused"


class SourceLike(Protocol):
    """What discovery needs of a source: its name, kind (usage, credits, accounts), glob and HMAC secret."""

    @property
    def name(self) -> str:
        """The first half of a file's identity."""

    @property
    def kind(self) -> str:
        """One of usage, credits, accounts."""

    @property
    def pattern(self) -> str:
        """A glob relative to the books folder."""

    @property
    def member(self) -> str | None:
        """The file to read of a zip archive."""

    @property
    def secret(self) -> bytes | None:
        """The secret that files are signed with, if they are."""


@dataclass(frozen=True, slots=True)
class KnownFile:
    """A row of audit.usage_files. `size_bytes` and `sha256` cover the file from its first byte."""

    file_id: int
    source: str
    path: str
    sha256: str
    size_bytes: int
    outcome: str
    reason: str | None


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file that a posting takes, notes as a duplicate or refuses.

    `path` is relative to the books folder. `sha256` is over bytes 0 to `size_bytes`: all of them, or those
    before a last line that may still be written. The lines to read are those of bytes `byte_from` to `size_bytes`, the
    first of which is number `first_line`.
    Of an object `path` is its URI, `e_tag` and `version` say which one it was.
    `undated` is true when nothing but the day it was first seen dates it.
    """

    source: str
    kind: str
    path: str
    sha256: str
    size_bytes: int
    byte_from: int
    first_line: int
    continues_file_id: int | None
    file_date: date
    undated: bool
    outcome: str
    reason: str | None
    e_tag: str | None = None
    version: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values for the posting log."""
        fields = {name: getattr(self, name) for name in self.__dataclass_fields__}
        kept = {name: value for name, value in fields.items() if value is not None or name not in ("e_tag", "version")}
        return {**kept, "file_date": self.file_date.isoformat()}

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> FoundFile:
        """Read the fields back. Raises IntegrityError when they are not those of a found file."""
        try:
            return cls(**{**fields, "file_date": date.fromisoformat(fields["file_date"])})
        except (KeyError, TypeError, ValueError):
            msg = f"the posting log holds a file entry that this version cannot read: keys {sorted(fields)}"
            raise IntegrityError(msg) from None


@dataclass(frozen=True, slots=True)
class Waiting:
    """A file that is not taken now, or the rest of one, and why, as a sentence for people."""

    path: str
    why: str
    refused: str | None = None
    """The reason, where the file is refused rather than early or unfinished."""


@dataclass(frozen=True, slots=True)
class FileStamp:
    """What tells that a file's bytes are those that were hashed, as long as nobody forges times."""

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int


@dataclass(frozen=True)
class Discovery:
    """Everything a walk found. `stamps` are the files' stamps, by path, when they were hashed."""

    files: tuple[FoundFile, ...]
    waiting: tuple[Waiting, ...]
    notices: tuple[str, ...]
    stamps: Mapping[str, FileStamp] = field(default_factory=dict)
