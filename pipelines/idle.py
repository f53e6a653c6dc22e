"""Whether a run would find nothing at all, told from the published copy: such a run need not start Dagster.

The copy is proof enough when it stands at the last posting, was published after the last date to bill was over or
posted, and is newer than whatever else a run reads. Anything doubtful is not idle: the run itself then looks.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import duckdb

from billing_core.errors import TollbookError
from pipelines.billing import comes_due, end_of
from pipelines.books.config import has_overrides
from pipelines.current_copy import is_current
from pipelines.warehouse.views import views_stand
from reports.published import open_published, publication

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date
    from pathlib import Path

    from pipelines.books.config_models import BooksConfig
    from pipelines.books.folder import BooksFolder
    from pipelines.outlook import Outlook


def is_idle(folder: BooksFolder, config: BooksConfig, outlook: Outlook, through: date, *, bare: bool) -> bool:
    """Whether billing through a date would change nothing, not even the published copy."""
    if outlook.unread_entries or any(file.undated and bare for file in outlook.files):
        return False
    if any(outlook.billing_date(file) <= through for file in outlook.files):
        return False
    return _is_fresh(folder, config, outlook, through) and _stands_at_last(
        folder, outlook, through, config.books.timezone
    )


def _is_fresh(folder: BooksFolder, config: BooksConfig, outlook: Outlook, through: date) -> bool:
    """Whether the copy was made when the date was over or posted, and after every text and object that a run reads."""
    if not folder.published.is_file() or config.stripe.mode == "api" or has_overrides():
        return False
    published = folder.published.stat().st_mtime_ns
    if through != outlook.last_date and datetime.fromtimestamp(published / 1e9, UTC) < end_of(through):
        return False
    return all(path.stat().st_mtime_ns < published for path in _read_by_a_run(folder, config))


def _read_by_a_run(folder: BooksFolder, config: BooksConfig) -> Iterator[Path]:
    yield from folder.root.glob("*.toml")
    yield from folder.profiles.glob("*.toml")
    yield from (path for name in (config.rates.path, config.packages.path) if (path := folder.root / name).is_file())
    yield from (path for path in folder.root.glob(config.stripe.path) if path.is_file())


def _stands_at_last(folder: BooksFolder, outlook: Outlook, through: date, timezone: str) -> bool:
    """Whether the copy is this version's, at the journal's last posting, and nothing falls due through the date."""
    try:
        with open_published(folder.published) as connection:
            state = publication(connection)
            if state.head != outlook.head or not is_current(connection) or not views_stand(connection):
                return False
            last = outlook.last_date
            return last is not None and not comes_due(connection, last, through, timezone)
    except (TollbookError, duckdb.Error):
        return False
