"""What intake is asked to read, and what it answers with: small frozen records without behaviour."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date
    from pathlib import Path

    from pipelines.intake.errors import UnreadableFileError
    from pipelines.intake.profiles import Profile


@dataclass(frozen=True)
class Source:
    """One `[[usage]]` block of the configuration, or the credits or the accounts input.

    `name` is part of every dedup key: renaming a source makes its events new. `profile_name` and `profile_sha256` say
    by which text its files were read. `member` is the file to read of a zip archive.
    """

    name: str
    kind: str
    pattern: str
    profile: Profile
    secret: bytes | None = field(default=None, repr=False)
    profile_name: str = ""
    member: str | None = None
    profile_sha256: str = ""


@dataclass(frozen=True)
class FileToRead:
    """One file of a posting: read from byte `byte_from`, whose first record starts on line `first_line` (1-based).

    `byte_to`: where to stop; None for all of a file, as it must be for one that is compressed.
    `member`: the name inside the archive that `path` is, else None. `continues_file_id`: the file in the books that it
    goes on from.
    """

    file_id: int
    path: Path
    relative_path: str
    byte_from: int
    first_line: int
    sha256: str
    member: str | None = None
    continues_file_id: int | None = None
    byte_to: int | None = None


@dataclass(frozen=True)
class ReadContext:
    """What classification must know beyond the profile.

    billing_date: records more than 24 hours after its end (UTC) are refused. start: records before it are ignored.
    auto_create: a first usage opens its account. books_welcome: the books grant the welcome bonus,
    so the app's is not posted.
    metadata_keys: the only keys of request_metadata that are kept.
    """

    billing_date: date
    start: date
    auto_create: bool
    books_welcome: bool
    metadata_keys: tuple[str, ...] = ()


@dataclass(frozen=True)
class ReadResult:
    """received: records framed per file_id. unreadable: the files refused whole, per file_id, with reason and why."""

    received: Mapping[int, int]
    unreadable: Mapping[int, UnreadableFileError]


@dataclass(frozen=True)
class RetriedRecord:
    """One quarantined record to be read again: its place, its file's path (for the format) and its raw bytes."""

    file_id: int
    line_no: int
    record_no: int
    relative_path: str
    sha256: str
    raw: bytes
