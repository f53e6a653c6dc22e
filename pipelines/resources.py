"""What a Dagster run is given from outside: the books, and who is told how far it has come."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime

import dagster as dg
from pydantic import Field

from pipelines.billing import OpenBooks, open_books
from pipelines.books import clock
from pipelines.books.folder import BooksFolder, find_books
from pipelines.warehouse.posting import PostingSummary

WAIT_FOR_LOCK_SECONDS = 600.0
"""How long a run that nobody watches waits for another writer before it fails."""


class BooksResource(dg.ConfigurableResource["BooksResource"]):
    """The books folder of a run."""

    path: str = Field(
        default="",
        description="The books folder. Empty: the variable TOLLBOOK_BOOKS, else the nearest tollbook.toml upwards.",
    )
    env: str = Field(
        default="", description="The overlay tollbook.<env>.toml to put over tollbook.toml; empty for none."
    )
    wait_seconds: float = Field(
        default=WAIT_FOR_LOCK_SECONDS, description="Seconds to wait while another process writes the books."
    )

    def folder(self) -> BooksFolder:
        """Where the books are. Raises ConfigurationError when there are none."""
        return find_books(self.path or None)

    @contextmanager
    def open(self, command: str, now: Callable[[], datetime] = clock.now) -> Iterator[OpenBooks]:
        """Open the books for writing, under the one lock; errors as in ``pipelines.billing.open_books``."""
        with open_books(self.folder(), command=command, env=self.env or None, wait_seconds=self.wait_seconds) as books:
            books.now = now
            yield books


def _nobody(_day: date, _summary: PostingSummary | None) -> None:
    """Tells nobody: a run that the web page or a schedule started."""


@dataclass
class Observer:
    """Who started the run: told of every date that is done; ``summaries`` has the postings in order."""

    on_date: Callable[[date, PostingSummary | None], None] = _nobody
    now: Callable[[], datetime] = clock.now
    summaries: list[PostingSummary] = field(default_factory=list)

    @property
    def is_watched(self) -> bool:
        """Whether someone is told: a command, which says for itself what the rates file means."""
        return self.on_date is not _nobody

    def date_done(self, day: date, summary: PostingSummary | None) -> None:
        """Note a finished date and pass it on."""
        if summary is not None:
            self.summaries.append(summary)
        self.on_date(day, summary)
