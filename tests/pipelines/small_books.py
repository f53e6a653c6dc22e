"""Small real books for the tests of the Dagster layer: three dates, two calls each, accounts opened by first use."""

from __future__ import annotations

import json
import shutil
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb

from pipelines.billing import bill_range, open_books, publish_books
from pipelines.books.folder import BooksFolder
from pipelines.dagster_run import books_instance
from tests.empty_warehouse import place_books

START = date(2026, 9, 1)
LAST = date(2026, 9, 3)

_CONFIG = """\
[books]
name = "Small books"
start = 2026-09-01

[[usage]]
name = "app"
path = "usage/**/*"
profile = "tollbook"

[intake]
settle_seconds = 0

[accounts]
auto_create = true
"""


def small_books(root: Path, dates: int = 3, *, opened_before: bool = True) -> BooksFolder:
    """Books with one usage file for each of the first ``dates`` days.

    Of books that were opened before, the empty database and the Dagster instance stand there already: making those
    costs as much as billing three dates.
    """
    root.mkdir(parents=True, exist_ok=True)
    (root / "tollbook.toml").write_text(_CONFIG, encoding="utf-8")
    for offset in range(dates):
        add_usage(root, START + timedelta(days=offset))
    folder = BooksFolder(root.resolve())
    if opened_before:
        place_books(folder)
        place_instance(folder)
    return folder


def place_instance(folder: BooksFolder) -> None:
    """Put an instance that has seen no run into a books folder."""
    shutil.copytree(_instance().name, folder.dagster_home, dirs_exist_ok=True)


@cache
def _instance() -> TemporaryDirectory[str]:
    """The home of a Dagster instance that has seen no run; its own file names its place and is written anew."""
    made = TemporaryDirectory(prefix="tollbook-dagster-", ignore_cleanup_errors=True)
    with TemporaryDirectory() as root:
        folder = BooksFolder(Path(root).resolve())
        with books_instance(folder):
            pass
        shutil.copytree(folder.dagster_home, made.name, dirs_exist_ok=True)
    return made


def add_usage(root: Path, day: date, name: str = "calls") -> Path:
    """Write a file of two calls of that day, by two accounts."""
    lines = [
        {
            "event_id": f"{day}-{name}-{number}",
            "account_id": f"account-{number}",
            "occurred_at": f"{day}T0{number}:00:00Z",
            "operation_type": "generation",
            "provider": "openai",
            "model": "gpt-4o",
            "input_tokens": 100 * number,
            "output_tokens": 10,
            "success": True,
        }
        for number in (1, 2)
    ]
    path = root / "usage" / f"{day}-{name}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")
    return path


def bill(folder: BooksFolder, through: date) -> None:
    """Bill and publish without Dagster: for tests that are about what comes after."""
    with open_books(folder, command="a test") as books:
        bill_range(books, START, through, bare=True, on_date=lambda _day, _summary: None)
        publish_books(books)


def alter(database: Path, statement: str) -> None:
    """Change a closed database file behind the books' back."""
    with duckdb.connect(str(database)) as connection:
        connection.execute(statement)
