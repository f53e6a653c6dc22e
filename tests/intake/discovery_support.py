"""A books folder with files in it, and a memory of what was taken: what the discovery tests share."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from pipelines.intake.discovery import Discovery, FoundFile, KnownFile, discover

if TYPE_CHECKING:
    from pathlib import Path

START = date(2026, 9, 1)
NOW = datetime(2026, 9, 10, 12, tzinfo=UTC)
LONG_AGO_NS = int(datetime(2026, 9, 1, tzinfo=UTC).timestamp()) * 10**9


@dataclass(frozen=True)
class FakeSource:
    """A source without a profile: discovery never looks into files."""

    name: str = "gateway"
    kind: str = "usage"
    pattern: str = "usage/**/*"
    secret: bytes | None = None
    member: str | None = None


@dataclass
class World:
    """One books folder; `take` does what a posting does with what was found."""

    root: Path
    sources: list[FakeSource] = field(default_factory=lambda: [FakeSource()])
    known: list[KnownFile] = field(default_factory=list)
    seen: dict[tuple[str, str], date] = field(default_factory=dict)
    settle_seconds: int = 0
    now: datetime = NOW

    def write(self, path: str, content: bytes | str = b"{}\n") -> Path:
        """Write a file of the books, old enough to be settled."""
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content.encode() if isinstance(content, str) else content)
        os.utime(target, ns=(LONG_AGO_NS, LONG_AGO_NS))
        return target

    def look(self) -> Discovery:
        """Discover."""
        return discover(
            self.root,
            self.sources,
            known=self.known,
            seen=self.seen,
            now=self.now,
            start=START,
            settle_seconds=self.settle_seconds,
            cache_path=self.root / "warehouse" / "file_hashes.json",
        )

    def take(self) -> tuple[FoundFile, ...]:
        """Discover and post everything that was found."""
        files = self.look().files
        for file in files:
            self.post(file)
        return files

    def post(self, file: FoundFile, outcome: str | None = None, reason: str | None = None) -> None:
        """Remember a file as audit.usage_files would."""
        self.known.append(
            KnownFile(
                file_id=len(self.known) + 1,
                source=file.source,
                path=file.path,
                sha256=file.sha256,
                size_bytes=file.size_bytes,
                outcome=outcome or file.outcome,
                reason=reason or file.reason,
            )
        )
