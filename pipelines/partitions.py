"""The partitions: one per billing date, daily in UTC, from the start of the books."""

from contextlib import suppress
from datetime import UTC, date, datetime, timedelta

import dagster as dg
import duckdb

from billing_core.errors import TollbookError
from pipelines.books.config import load_config
from pipelines.books.folder import BooksFolder, find_books

DEFAULT_START = date(2026, 1, 1)
"""The first partition where there are no books to ask: the graph can be looked at before anything is set up."""


def billing_dates(start: date, through: date | None = None) -> dg.DailyPartitionsDefinition:
    """The billing dates from ``start`` to yesterday, or to ``through`` where that is later (today, a demo's future)."""
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    ahead = max((through - yesterday).days, 0) if through is not None else 0
    return dg.DailyPartitionsDefinition(start_date=start.isoformat(), timezone="UTC", end_offset=ahead)


def known_dates() -> tuple[date, date | None]:
    """The start of the books at hand and their last billing date; the default start where there are none.

    Broken books do not keep the graph from loading: the run itself says what is wrong with them.
    """
    start, last = DEFAULT_START, None
    with suppress(TollbookError):
        folder = find_books()
        start = load_config(folder).books.start
        last = last_published(folder)
    return start, last


def last_published(folder: BooksFolder) -> date | None:
    """The last billing date of the published copy, None before there is one."""
    if not folder.published.is_file():
        return None
    with suppress(duckdb.Error), duckdb.connect(str(folder.published), read_only=True) as connection:
        found = connection.execute("SELECT max(billing_date) FROM audit.postings").fetchall()[0][0]
        return found if isinstance(found, date) else None
    return None
