"""Which input files are new: taken, continued, noted as duplicates, refused, or left waiting. Writes no books.

A file's identity is (source, sha256 of its stored bytes). Nothing is told by its name or times alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from billing_core.vocabulary import Reason
from pipelines.intake.archives import split_member
from pipelines.intake.endings import newlines, rows_end, whole_end
from pipelines.intake.found import (
    DUPLICATE,
    REFUSED,
    TAKEN,
    Discovery,
    FileStamp,
    FoundFile,
    KnownFile,
    SourceLike,
    Waiting,
)
from pipelines.intake.hashing import ChangedWhileReadError, HashCache, Hashed, stamp_of
from pipelines.intake.known import KnownFiles
from pipelines.intake.remote import ObjectStoreError, is_remote
from pipelines.intake.shelf import Shelf
from pipelines.intake.signatures import new_digest
from pipelines.intake.walk import date_of_path, is_plain, walk

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from hmac import HMAC
    from pathlib import Path

    from pipelines.intake.remote import StagedObjects


__all__ = ["Discovery", "FoundFile", "KnownFile", "SourceLike", "Waiting", "changed_since", "discover", "due"]

_KIND_ORDER = {"accounts": 0, "credits": 1, "usage": 2, "provider_usage": 3}
_DATED_WHEN_SEEN = ("usage", "provider_usage")
_NS_PER_SECOND = 1_000_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
REST_HOURS = 24
"""How long the start of a line waits for its end; after that it is all that its writer meant to write."""
_REFUSED_BEFORE = {
    Reason.UNREADABLE.value: "refused before as unreadable (damaged); put a whole copy in its place",
    Reason.MISSING_MEMBER.value: "refused before: the zip has no such file; check `member`, or deliver a whole one",
    Reason.ENCRYPTED.value: "refused before: the zip is encrypted; deliver it without a password",
}


def discover(  # noqa: PLR0913 everything that decides what is found is an argument
    root: Path,
    sources: Iterable[SourceLike],
    *,
    known: Sequence[KnownFile],
    seen: Mapping[tuple[str, str], date],
    now: datetime,
    start: date,
    settle_seconds: int,
    cache_path: Path,
    objects: StagedObjects | None = None,
) -> Discovery:
    """Walk the books folder and judge every input file.

    `known` are the rows of audit.usage_files, `seen` the first-seen dates of the posting log by (source, sha256),
    `start` the first day of the books, which dates accounts and credits files without a date in their path.
    Raises ConfigurationError when a file matches two sources, ObjectStoreError when a store cannot be listed.
    """
    found = walk(root, sources, objects)
    shelf = Shelf(root, objects, found.objects)
    search = _Search(shelf, KnownFiles(known), dict(seen), now, start, settle_seconds, HashCache(cache_path))
    search.notices.extend(found.notices)
    # Files at a known path first: only what they no longer hold may have moved to another path.
    new_paths = [path for path, source in found.sources.items() if search.known.at(source.name, path) is None]
    for path in sorted(found.sources.keys() - set(new_paths)):
        search.judge(path, found.sources[path])
    search.known.note_sizes(search.sizes)
    for path in new_paths:
        search.judge(path, found.sources[path])
    search.cache.save()
    waiting = sorted(search.waiting, key=lambda item: item.path)
    return Discovery(_one_taken_each(search.files), tuple(waiting), tuple(sorted(search.notices)), search.stamps)


def due(discovery: Discovery, billing_date: date, *, include_undated: bool = False) -> list[FoundFile]:
    """Return the files of a posting for `billing_date`: dated at most that day, accounts before credits before usage.

    With `include_undated` the files that only their first-seen day dates join whatever that day is. A duplicate waits
    for the file whose bytes it repeats.
    """

    def is_due(file: FoundFile) -> bool:
        return file.file_date <= billing_date or (include_undated and file.undated)

    def original(file: FoundFile) -> FoundFile:
        return originals.get((file.source, file.sha256), file) if file.outcome == DUPLICATE else file

    originals = {(file.source, file.sha256): file for file in discovery.files if file.outcome == TAKEN}
    chosen = [file for file in discovery.files if is_due(file) and is_due(original(file))]
    return sorted(chosen, key=lambda file: (_KIND_ORDER[file.kind], file.path))


def changed_since(root: Path, discovery: Discovery, files: Iterable[FoundFile]) -> tuple[str, ...]:
    """Return the paths of taken files that are no longer what was hashed: to be asked after they were read."""
    return tuple(file.path for file in files if file.outcome == TAKEN and not _is_same(root, discovery, file.path))


def _is_same(root: Path, discovery: Discovery, path: str) -> bool:
    if is_remote(path):
        return True  # what was staged is what was hashed; another object of that URI is another file
    try:
        return stamp_of(root / split_member(path)[0]) == discovery.stamps.get(path)
    except OSError:
        return False


@dataclass
class _Search:
    """One walk in progress."""

    shelf: Shelf
    known: KnownFiles
    seen: dict[tuple[str, str], date]
    now: datetime
    start: date
    settle_seconds: int
    cache: HashCache
    files: list[FoundFile] = field(default_factory=list)
    waiting: list[Waiting] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    stamps: dict[str, FileStamp] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)

    def judge(self, path: str, source: SourceLike) -> None:
        """Decide about one file; whatever keeps it from being read leaves it for the next run."""
        try:
            stamp = self.shelf.stamp(path)
            self.sizes[path] = stamp.size
            if self._is_settling(stamp):
                self.cache.keep(path)
                self._wait(path, f"changed less than {self.settle_seconds} s ago; the next run takes it")
            else:
                self._judge_settled(path, source, stamp)
        except ChangedWhileReadError:
            self._wait(path, "changed while it was read; the next run takes it")
        except FileNotFoundError:
            self._wait(path, "disappeared while it was looked at")
        except ObjectStoreError as error:
            self._wait(path, str(error))
        except OSError as error:
            self._wait(path, f"cannot be read ({error.strerror}); mend its permissions")

    def _is_settling(self, stamp: FileStamp) -> bool:
        """A time ahead of the clock by more than the settling time says nothing: such a file must not wait for ever."""
        return self._age_ns(stamp) < self.settle_seconds * _NS_PER_SECOND

    def _age_ns(self, stamp: FileStamp) -> int:
        """How far the last change lies from now."""
        return abs((self.now - _EPOCH) // timedelta(microseconds=1) * 1000 - stamp.mtime_ns)

    def _judge_settled(self, path: str, source: SourceLike, stamp: FileStamp) -> None:
        sizes = self.known.prefix_sizes(source.name, path) if is_plain(path) else []
        hashed = self.cache.get(path, stamp, sizes)
        reason: Reason | None = None
        if source.secret is not None and (hashed is None or not self.known.taken(source.name, hashed.sha256)):
            # What a cache says is no proof: bytes that are not yet taken are signed bytes, read now.
            signature = new_digest(source.secret)
            hashed = self._hash(path, sizes, signature)
            reason = self.shelf.refusal(path, signature)
        elif hashed is None:
            hashed = self._hash(path, sizes, None)
        self.stamps[path] = hashed.stamp
        may_grow = source.secret is None and is_plain(path)
        whole = self._without_rest(path, source, hashed, sizes) if may_grow else hashed
        if whole is not None:
            self._decide(path, source, whole, reason)

    def _without_rest(self, path: str, source: SourceLike, hashed: Hashed, sizes: list[int]) -> Hashed | None:
        """The file as far as its lines are whole; None where nothing of that is new. What follows may still be written.

        A signed file is whole by its signature, a compressed one by its checksum.
        """
        stamp, size = hashed.stamp, hashed.stamp.size
        if self.known.taken(source.name, hashed.sha256) or self._age_ns(stamp) >= REST_HOURS * 3600 * _NS_PER_SECOND:
            return hashed
        end = whole_end(self.shelf.local(path), size)
        if end == size:
            return hashed
        self._wait(
            path,
            f"{size - end:,} bytes after its last whole line wait for the end of theirs, "
            f"or for {REST_HOURS} hours without a change",
        )
        begins = self.known.begins_with(source.name, hashed.prefixes)
        if end <= (begins.size_bytes if begins else 0):
            return None
        asked = [*sizes, end]
        longer = self.cache.get(path, stamp, asked) or self._hash(path, asked, None)
        if longer.stamp != stamp:
            raise ChangedWhileReadError
        return replace(longer, stamp=replace(stamp, size=end), sha256=longer.prefixes[end])

    def _hash(self, path: str, sizes: list[int], signature: HMAC | None) -> Hashed:
        hashed = self.shelf.hash(path, sizes, signature)
        self.cache.put(path, hashed)
        return hashed

    def _decide(self, path: str, source: SourceLike, hashed: Hashed, reason: Reason | None) -> None:
        original = self.known.taken(source.name, hashed.sha256)
        file = self._found(path, source, hashed)
        if original is not None:
            if original.path != path and not self.known.has(source.name, hashed.sha256, path, DUPLICATE):
                self.files.append(replace(file, outcome=DUPLICATE))
            return
        if reason is not None:
            self._refuse(replace(file, outcome=REFUSED, reason=reason.value))
        elif why := self.known.unreadable(source.name, hashed.sha256, path):
            self._wait(path, _REFUSED_BEFORE[why], refused=why)
        else:
            tag, version = self.shelf.identity(path)
            self.files.append(replace(self._continued(file, hashed), e_tag=tag, version=version))

    def _refuse(self, file: FoundFile) -> None:
        """A refused file is a row once for each reason, and is named as waiting every time."""
        name = self.shelf.signature_name(file.path)
        why = f"refused, {file.reason}: {name} must hold the HMAC-SHA256 of its bytes"
        self._wait(file.path, why, refused=file.reason)
        if not self.known.is_refused(file.source, file.sha256, file.reason or ""):
            self.files.append(file)

    def _found(self, path: str, source: SourceLike, hashed: Hashed) -> FoundFile:
        in_path = date_of_path(path)
        undated = in_path is None and source.kind in _DATED_WHEN_SEEN
        file_date = in_path or self.start
        if undated:
            file_date = self.seen.get((source.name, hashed.sha256), self.now.astimezone(UTC).date())
        return FoundFile(
            source=source.name,
            kind=source.kind,
            path=path,
            sha256=hashed.sha256,
            size_bytes=hashed.stamp.size,
            byte_from=0,
            first_line=1,
            continues_file_id=None,
            file_date=file_date,
            undated=undated,
            outcome=TAKEN,
            reason=None,
        )

    def _continued(self, file: FoundFile, hashed: Hashed) -> FoundFile:
        """Return the file as what it adds to the longest known file that it begins with; else as it is, a new one."""
        begins = self.known.begins_with(file.source, hashed.prefixes) if is_plain(file.path) else None
        latest = self.known.at(file.source, file.path)
        if latest is not None and (begins is None or begins.size_bytes < latest.size_bytes):
            self.known.note_moved(latest)
            self.notices.append(
                f"{file.path}: no longer begins with the {latest.size_bytes:,} bytes taken before "
                f"(file {latest.file_id}); what follows is read as new lines"
            )
        if begins is None:
            return file
        return self._from_known(file, begins)

    def _from_known(self, file: FoundFile, begins: KnownFile) -> FoundFile:
        """Go on after the last whole line: one that had no end was read as it stood, and is read again with it."""
        path = self.shelf.local(file.path)
        start = rows_end(path, begins.size_bytes)
        return replace(file, byte_from=start, first_line=newlines(path, start) + 1, continues_file_id=begins.file_id)

    def _wait(self, path: str, why: str, *, refused: str | None = None) -> None:
        self.waiting.append(Waiting(path, why, refused))


def _one_taken_each(files: list[FoundFile]) -> tuple[FoundFile, ...]:
    """Of new files with the same bytes the earliest is taken (a date in its path first), the others are duplicates."""
    taken: set[tuple[str, str]] = set()
    judged = []
    for file in sorted(files, key=lambda file: (file.file_date, file.undated, file.path)):
        identity = (file.source, file.sha256)
        if file.outcome == TAKEN and identity in taken:
            judged.append(replace(file, outcome=DUPLICATE, byte_from=0, first_line=1, continues_file_id=None))
        else:
            judged.append(file)
            taken |= {identity} if file.outcome == TAKEN else set()
    return tuple(judged)
