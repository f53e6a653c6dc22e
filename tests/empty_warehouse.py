"""Empty books of the newest schema, made once in a process and copied: making them costs as much as some postings."""

from __future__ import annotations

import shutil
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from pipelines.warehouse.connection import OWNER_ONLY, open_warehouse
from pipelines.warehouse.migrations import migrate
from pipelines.warehouse.publish import publish
from pipelines.warehouse.views import create_views

if TYPE_CHECKING:
    from pipelines.books.folder import BooksFolder


def place_warehouse(path: Path) -> None:
    """Put the database at ``path``, as the first opening of books would."""
    _place(_made(), path)


def place_books(folder: BooksFolder) -> None:
    """Put the database into a books folder, and a standby that the first publication brings forward."""
    place_warehouse(folder.database)
    _place(_published(), folder.published.with_name(".standby.duckdb"))


def _place(made: TemporaryDirectory[str], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    shutil.copyfile(Path(made.name) / "tollbook.duckdb", path)
    path.chmod(OWNER_ONLY)


@cache
def _made() -> TemporaryDirectory[str]:
    """The folder of the one that is copied; it goes when the process ends."""
    folder = _folder()
    path = Path(folder.name) / "tollbook.duckdb"
    with open_warehouse(path) as connection:
        migrate(connection, path)
        create_views(connection)
    return folder


@cache
def _published() -> TemporaryDirectory[str]:
    """The same of what readers open."""
    folder = _folder()
    with TemporaryDirectory() as live:
        place_warehouse(Path(live) / "tollbook.duckdb")
        with open_warehouse(Path(live) / "tollbook.duckdb") as connection:
            publish(connection, Path(folder.name) / "tollbook.duckdb")
    return folder


def _folder() -> TemporaryDirectory[str]:
    return TemporaryDirectory(prefix="tollbook-empty-", ignore_cleanup_errors=True)
