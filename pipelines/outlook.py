"""What the next run would find, without taking the lock or opening the live database."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

from billing_core.errors import IntegrityError
from pipelines.billing import configured_sources, staged_objects
from pipelines.books import clock
from pipelines.books.admin_journal import AdminJournal
from pipelines.books.posting_log import PostingLog
from pipelines.intake.discovery import discover
from pipelines.warehouse.files import known_files
from reports.published import open_published

if TYPE_CHECKING:
    from pipelines.books.config_models import BooksConfig
    from pipelines.books.folder import BooksFolder
    from pipelines.books.posting_log import PostingHistory
    from pipelines.intake.discovery import FoundFile, KnownFile, Waiting


@dataclass(frozen=True, kw_only=True)
class Outlook:
    """Where the books stand and what waits for them.

    `last_date` is the billing date of the last posting, `head` its hash. `files` are not posted yet: taken, noted or
    refused by the run that reaches their date. `waiting` cannot be taken now; each says why. `unread_entries` are admin
    entries that no posting has read.
    """

    today: date
    start: date
    last_date: date | None
    postings: int
    head: str | None
    files: tuple[FoundFile, ...]
    waiting: tuple[Waiting, ...]
    notices: tuple[str, ...]
    unread_entries: int

    @property
    def refused(self) -> tuple[tuple[str, str], ...]:
        """The files that are refused as they stand, however long ago that was first said: path and reason."""
        return tuple((item.path, item.refused) for item in self.waiting if item.refused is not None)

    @property
    def first_open_date(self) -> date:
        """The date from which there may be something to bill."""
        return self.last_date or self.start

    @property
    def through(self) -> date:
        """The date that a run without dates ends with: yesterday, or the last one billed when that is later."""
        return max(self.today - timedelta(days=1), self.first_open_date)

    def billing_date(self, file: FoundFile) -> date:
        """The date whose posting takes a file: its own, or the last one billed when it is late."""
        return max(file.file_date, self.first_open_date)


def look_ahead(folder: BooksFolder, config: BooksConfig) -> Outlook:
    """Walk the input files and read the journal. Raises ConfigurationError, or IntegrityError for a broken journal."""
    history = PostingLog(folder.posting_log).read_all()
    now = clock.now()
    discovery = discover(
        folder.root,
        configured_sources(folder, config).values(),
        known=_published_files(folder),
        seen=history.seen,
        now=now,
        start=config.books.start,
        settle_seconds=config.intake.settle_seconds,
        cache_path=folder.file_hashes,
        objects=staged_objects(folder, config, evicts=False),
    )
    posted = _posted(history)
    done = len(history.done)
    return Outlook(
        today=now.date(),
        start=config.books.start,
        last_date=history.intents[done].intent.billing_date if done else None,
        postings=done,
        head=history.last_done.head if history.last_done else None,
        files=tuple(file for file in discovery.files if _key(file) not in posted),
        waiting=discovery.waiting,
        notices=discovery.notices,
        unread_entries=AdminJournal(folder.admin_journal).head_seq()
        - (history.intents[done].intent.admin_seq if done else 0),
    )


def _published_files(folder: BooksFolder) -> list[KnownFile]:
    """The files that the books know, as of the published copy; none where there is no copy to read."""
    if not folder.published.is_file():
        return []
    try:
        with open_published(folder.published) as connection:
            return known_files(connection)
    except IntegrityError:
        return []


def _key(file: FoundFile) -> tuple[str | None, ...]:
    """A file and what is to become of it: one that was refused may be taken later."""
    return (file.source, file.path, file.sha256, file.outcome, file.reason)


def _posted(history: PostingHistory) -> set[tuple[str | None, ...]]:
    """What finished postings took, noted or refused, from the journal: the published copy may be a posting behind."""
    return {
        _key(file)
        for posting_id, logged in history.intents.items()
        if posting_id <= len(history.done)
        for file in logged.intent.files
    }
