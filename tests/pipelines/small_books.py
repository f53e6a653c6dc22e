"""Small real books for the tests of the Dagster layer: three dates, two calls each, accounts opened by first use."""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import TYPE_CHECKING

import duckdb

from pipelines.books.folder import BooksFolder

if TYPE_CHECKING:
    from pathlib import Path

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


def small_books(root: Path, dates: int = 3) -> BooksFolder:
    """Books with one usage file for each of the first ``dates`` days."""
    root.mkdir(parents=True, exist_ok=True)
    (root / "tollbook.toml").write_text(_CONFIG, encoding="utf-8")
    for offset in range(dates):
        add_usage(root, START + timedelta(days=offset))
    return BooksFolder(root.resolve())


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


def alter(database: Path, statement: str) -> None:
    """Change a closed database file behind the books' back."""
    with duckdb.connect(str(database)) as connection:
        connection.execute(statement)
