"""Real traces as books: laid out by the documented example, billed, and read back from the published copy."""

from __future__ import annotations

import importlib.util
import shutil
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from pipelines import billing
from pipelines.books.folder import BooksFolder
from pipelines.warehouse.hashes import content_hash
from tests.empty_warehouse import place_books

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date
    from types import ModuleType

EXAMPLE = Path(__file__).resolve().parents[2] / "docs" / "examples" / "real-logs"
WELCOME = 10_000
"""Tokens that an account starts with where no rates file says otherwise."""
BILLED = "((input_tokens + output_tokens) * 3 + 1) // 2"
"""Tokens of a call times 1.5, rounded up, in integers: what books without a rates file bill."""


def prepare() -> ModuleType:
    """The example's script, loaded from where it stands: the documentation is what is tested."""
    spec = importlib.util.spec_from_file_location("real_logs_prepare", EXAMPLE / "prepare.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def trace(shared_dir: Path, name: str) -> Path:
    """One of the shared Parquet files; skips where it is absent."""
    path = shared_dir / "data" / name
    if not path.is_file():
        pytest.skip(f"the trace {name} is not in ../shared/data")
    return path


def new_books(name: str, root: Path) -> Path:
    """The example's books folder of that name, without inputs, settled at once."""
    shutil.copytree(EXAMPLE / name, root)
    with (root / "tollbook.toml").open("a", encoding="utf-8") as config:
        config.write("\n[intake]\nsettle_seconds = 0\n")
    return root


@dataclass(frozen=True)
class Billed:
    """The sums of the postings' figures, content_hash, and the published copy."""

    counts: Mapping[str, int]
    content: str
    published: Path

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Ask the published copy."""
        with closing(duckdb.connect(str(self.published), read_only=True)) as connection:
            return connection.execute(query).fetchall()

    def balances(self) -> dict[str, int]:
        """Balance by account."""
        return dict(self.rows("SELECT account_id, balance FROM books.token_accounts"))

    def tokens(self) -> tuple[int, int]:
        """Input and output tokens of all accepted calls."""
        ((found_in, found_out),) = self.rows(
            "SELECT sum(input_tokens)::BIGINT, sum(output_tokens)::BIGINT FROM books.token_usage"
        )
        return int(found_in), int(found_out)

    def seven(self) -> dict[str, int]:
        """Records received and what became of them, without what did not occur."""
        names = ("received", "accepted", "duplicate", "superseded", "conflict", "ignored", "quarantined", "blank")
        return {name: self.counts[name] for name in names if self.counts[name]}


def bill(root: Path, dates: Sequence[date]) -> Billed:
    """Bill the dates, publish, and run every full check: none may find a row."""
    counts: dict[str, int] = {}
    place_books(BooksFolder(root))
    with billing.open_books(BooksFolder(root), command="test") as books:
        for day in dates:
            summary = billing.bill(books, billing.survey(books), day)
            for name, value in (summary.counts if summary else {}).items():
                counts[name] = counts.get(name, 0) + value
        return Billed(counts, content_hash(books.connection), billing.publish_books(books))


def recomputed(query: str) -> list[tuple[Any, ...]]:
    """Ask the source Parquet, in a database that knows nothing of the books."""
    with closing(duckdb.connect()) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        return connection.execute(query).fetchall()
