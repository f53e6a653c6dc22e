"""journal/postings.jsonl: what each posting takes, written before it, and its head, written after it.

Replaying the log over the files and objects that it names gives the same books. An intent without its done line is a
posting that was cut off: it either committed (the database then holds it) or is replaced by the next intent.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

from billing_core.errors import IntegrityError
from pipelines.books import clock
from pipelines.books.journal import ChainedLine, HashChainedLog
from pipelines.intake.found import FoundFile

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

PostingKind = Literal["run", "retry"]
SeenDates = dict[tuple[str, str], date]


@dataclass(frozen=True, slots=True)
class RetriedRecord:
    """One quarantined record to read again: the sha256 of its file, its source, its place in it."""

    sha256: str
    source: str
    line_no: int
    record_no: int


@dataclass(frozen=True, slots=True)
class Intent:
    """Everything that decides what a posting writes.

    `recorded_at` is UTC text with microseconds; `admin_seq` the last admin entry it may see; `objects` the sha256 of
    each configuration text and of every accounts and credits file taken, by name; `stripe_mark` the head of the journal
    of Stripe's files, empty before the first.
    """

    posting_id: int
    billing_date: date
    recorded_at: str
    kind: PostingKind
    files: tuple[FoundFile, ...]
    admin_seq: int
    retries: tuple[RetriedRecord, ...]
    objects: Mapping[str, str]
    code_version: str
    stripe_mark: str = ""


@dataclass(frozen=True, slots=True)
class LoggedIntent:
    """An intent and the hash of its line, which the posting carries as intent_hash."""

    intent: Intent
    hash: str


@dataclass(frozen=True, slots=True)
class Done:
    """A posting that committed: its head of the chain and its counts."""

    posting_id: int
    head: str
    counts: Mapping[str, int]


@dataclass(frozen=True)
class PostingHistory:
    """The log, read: per posting its intent (the last one before its done line), the done lines, the seen dates.

    `last_recorded_at` is that of the last posting that is done: one that was cut off has recorded nothing.
    """

    intents: dict[int, LoggedIntent] = field(default_factory=dict)
    done: list[Done] = field(default_factory=list)
    seen: SeenDates = field(default_factory=dict)
    last_recorded_at: str | None = None

    @property
    def last_done(self) -> Done | None:
        """The last posting that is known to have committed."""
        return self.done[-1] if self.done else None

    @property
    def open_intent(self) -> LoggedIntent | None:
        """The intent after the last done line, if there is one: a posting that was cut off."""
        return self.intents.get(len(self.done) + 1)


class PostingLog:
    """The log of one books folder."""

    def __init__(self, path: Path, now: Callable[[], datetime] = clock.now) -> None:
        """Use the log at `path`; the first line makes it."""
        self.log = HashChainedLog(path, now)

    def append_intent(self, intent: Intent) -> str:
        """Write what a posting is about to take; return the line's hash. Raises IntegrityError if it cannot follow.

        A posting that was cut off and is announced again in the very same words keeps its line.
        """
        history = self.read_all()
        _require_next(self.log.path, intent, history)
        if history.open_intent is not None and history.open_intent.intent == intent:
            return history.open_intent.hash
        return self.log.append({"kind": "intent", "intent": _intent_to_json(intent)}).hash

    def append_done(self, done: Done) -> str:
        """Write that a posting committed; return the line's hash. Raises IntegrityError without its open intent."""
        history = self.read_all()
        if history.open_intent is None or done.posting_id != len(history.done) + 1:
            msg = f"{self.log.path}: posting {done.posting_id} has no open intent to be done with"
            raise IntegrityError(msg)
        payload = {"kind": "done", "posting_id": done.posting_id, "head": done.head, "counts": dict(done.counts)}
        return self.log.append(payload).hash

    def remember_seen(self, files: tuple[FoundFile, ...]) -> None:
        """Fix the day on which each undated file was first seen; those already fixed stay."""
        seen = self.read_all().seen
        for file in files:
            if file.undated and (file.source, file.sha256) not in seen:
                seen[file.source, file.sha256] = file.file_date
                day = file.file_date.isoformat()
                self.log.append({"kind": "seen", "source": file.source, "sha256": file.sha256, "date": day})

    def read_all(self) -> PostingHistory:
        """Read and verify the log. Raises TornLineError, or IntegrityError when its lines contradict each other."""
        intents: dict[int, LoggedIntent] = {}
        done: list[Done] = []
        seen: SeenDates = {}
        last_recorded_at: str | None = None
        for line in self.log.read():
            try:
                match line.payload["kind"]:
                    case "intent":
                        logged = LoggedIntent(_intent_from_json(line.payload["intent"]), line.hash)
                        _require(logged.intent.posting_id == len(done) + 1)
                        intents[logged.intent.posting_id] = logged
                    case "done":
                        done.append(_done(line))
                        _require(len(done) in intents and done[-1].posting_id == len(done))
                        last_recorded_at = intents[len(done)].intent.recorded_at
                    case "seen":
                        day = date.fromisoformat(line.payload["date"])
                        seen.setdefault((line.payload["source"], line.payload["sha256"]), day)
                    case _:
                        _require(holds=False)
            except (KeyError, TypeError, ValueError):
                msg = f"{self.log.path}, line {line.seq}: not a line that can follow here, or of a newer version"
                raise IntegrityError(msg) from None
        return PostingHistory(intents, done, seen, last_recorded_at)


def next_recorded_at(history: PostingHistory, now: datetime) -> str:
    """Return the instant of the next posting: now, or one microsecond after the last one if the clock did not move."""
    text = clock.iso_micros(now)
    if history.last_recorded_at is None or text > history.last_recorded_at:
        return text
    return clock.iso_micros(datetime.fromisoformat(history.last_recorded_at) + timedelta(microseconds=1))


def _require(holds: bool) -> None:  # noqa: FBT001 the condition is the whole argument
    if not holds:
        raise ValueError


def _require_next(path: Path, intent: Intent, history: PostingHistory) -> None:
    expected = len(history.done) + 1
    if intent.posting_id != expected:
        msg = f"{path}: posting {intent.posting_id} cannot be next, posting {expected} is"
        raise IntegrityError(msg)
    if history.last_recorded_at is not None and intent.recorded_at <= history.last_recorded_at:
        msg = f"{path}: posting {expected} at {intent.recorded_at} would not be after {history.last_recorded_at}"
        raise IntegrityError(msg)


def _intent_to_json(intent: Intent) -> dict[str, Any]:
    return {
        "posting_id": intent.posting_id,
        "billing_date": intent.billing_date.isoformat(),
        "recorded_at": intent.recorded_at,
        "kind": intent.kind,
        "files": [file.to_json() for file in intent.files],
        "admin_seq": intent.admin_seq,
        "retries": [[record.sha256, record.source, record.line_no, record.record_no] for record in intent.retries],
        "objects": dict(intent.objects),
        "code_version": intent.code_version,
        "stripe_mark": intent.stripe_mark,
    }


def _intent_from_json(fields: Mapping[str, Any]) -> Intent:
    parsed = {
        **fields,
        "billing_date": date.fromisoformat(fields["billing_date"]),
        "files": tuple(FoundFile.from_json(file) for file in fields["files"]),
        "retries": tuple(RetriedRecord(*record) for record in fields["retries"]),
    }
    return Intent(**parsed)


def _done(line: ChainedLine) -> Done:
    payload = line.payload
    return Done(payload["posting_id"], payload["head"], payload["counts"])
