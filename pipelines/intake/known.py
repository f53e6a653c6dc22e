"""The files that the books know, looked up by identity, by path and by what a grown file may begin with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from billing_core.vocabulary import Reason
from pipelines.intake.archives import split_member
from pipelines.intake.found import REFUSED, TAKEN, KnownFile

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class KnownFiles:
    """An index of audit.usage_files."""

    def __init__(self, known: Iterable[KnownFile]) -> None:
        """Index the rows; those of a path are told apart by file_id, the later the newer."""
        self._taken: dict[tuple[str, str], KnownFile] = {}
        self._by_path: dict[tuple[str, str], list[KnownFile]] = {}
        self._rows: set[tuple[str, str, str, str]] = set()
        self._refused: set[tuple[str, str, str]] = set()
        self._refused_at: set[tuple[str, str, str, str]] = set()
        self._moved: dict[str, list[KnownFile]] = {}
        rows = sorted(known, key=lambda file: file.file_id)
        self._taken.update({(row.source, row.sha256): row for row in reversed(rows) if row.outcome == TAKEN})
        for row in rows:
            self._rows.add((row.source, row.sha256, row.path, row.outcome))
            if row.outcome == REFUSED:
                self._refused.add((row.source, row.sha256, row.reason or ""))
                # A damaged file is damaged under any name, but a zip that lacks one file may hold another.
                member = split_member(row.path)[1]
                self._refused_at.add((row.source, row.sha256, member or "", row.reason or ""))
            elif original := self.taken(row.source, row.sha256):
                # A duplicate stands for the file whose bytes it repeats: when it grows, it goes on from there.
                self._by_path.setdefault((row.source, row.path), []).append(original)

    def taken(self, source: str, sha256: str) -> KnownFile | None:
        """Return the file taken with these bytes."""
        return self._taken.get((source, sha256))

    def has(self, source: str, sha256: str, path: str, outcome: str) -> bool:
        """Whether these bytes at this path already have a row of this outcome."""
        return (source, sha256, path, outcome) in self._rows

    def at(self, source: str, path: str) -> KnownFile | None:
        """Return the last file taken at a path, whole or as a duplicate; one without a byte is none."""
        files = self._by_path.get((source, path))
        return files[-1] if files and files[-1].size_bytes else None

    def is_refused(self, source: str, sha256: str, reason: str) -> bool:
        """Whether these bytes were refused before for this reason."""
        return (source, sha256, reason) in self._refused

    def unreadable(self, source: str, sha256: str, path: str) -> str | None:
        """Why these bytes could not be read before; another file of the same archive is tried anew."""
        damaged = (Reason.UNREADABLE, Reason.MISSING_MEMBER, Reason.ENCRYPTED)
        member = split_member(path)[1] or ""
        return next((why.value for why in damaged if (source, sha256, member, why.value) in self._refused_at), None)

    def note_sizes(self, sizes: Mapping[str, int]) -> None:
        """Say how large the files at known paths are now: one that is gone or smaller may have moved and grown."""
        for (_, path), files in self._by_path.items():
            if sizes.get(path, -1) < files[-1].size_bytes:
                self.note_moved(files[-1])

    def note_moved(self, file: KnownFile) -> None:
        """Say that a known file is no longer where it was."""
        self._moved.setdefault(file.source, []).append(file)

    def prefix_sizes(self, source: str, path: str) -> list[int]:
        """Return the sizes in bytes at which a file could end being a known one and go on being new."""
        return [file.size_bytes for file in self._candidates(source, path)]

    def begins_with(self, source: str, prefixes: Mapping[int, str]) -> KnownFile | None:
        """Return the longest known file that a file with these prefix hashes begins with."""
        for size in sorted(prefixes, reverse=True):
            file = self.taken(source, prefixes[size])
            if file is not None and file.size_bytes == size:
                return file
        return None

    def _candidates(self, source: str, path: str) -> list[KnownFile]:
        own = self._by_path.get((source, path))
        return own or self._moved.get(source, [])
