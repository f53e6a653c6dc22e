"""Opening the live database: one writer, UTC, bounded memory, errors that a person can act on."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

import duckdb

from billing_core.errors import BooksLockedError, IntegrityError, TollbookError
from pipelines.parsed_sql import run
from pipelines.warehouse.sql import sql_text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LIVE_STORAGE = "v2.0.0"
"""Triggers, which keep the ledger append-only, need this storage version."""

_STORAGE: dict[str, str | bool | int | float | list[str]] = {"storage_compatibility_version": LIVE_STORAGE}

OWNER_ONLY = 0o600
"""Mode of every file that holds the books: they name customers and what they paid."""

_HOLDER = re.compile(r"held in (?P<program>.+?) \(PID (?P<pid>\d+)\)")


@contextmanager
def open_warehouse(
    path: Path, *, memory_limit: str = "1500MB", threads: int | None = None
) -> Iterator[duckdb.DuckDBPyConnection]:
    """The live database, opened for writing and closed whatever happens.

    Raises BooksLockedError when another process has it open, IntegrityError when DuckDB finds the file damaged.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        _create(path)
    connection = _connect(path, _STORAGE)
    try:
        prepare(connection, path.parent / "tmp", memory_limit, threads)
        yield connection
    except duckdb.Error as error:
        raise readable(error, path) from error
    finally:
        connection.close()


def prepare(connection: duckdb.DuckDBPyConnection, spill: Path, memory_limit: str, threads: int | None) -> None:
    """Session settings and macros that every statement of the books relies on."""
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET memory_limit = $limit", {"limit": memory_limit})
    connection.execute("SET temp_directory = $spill", {"spill": str(spill)})
    connection.execute("SET enable_progress_bar = false")
    if threads is not None:
        connection.execute("SET threads = $threads", {"threads": threads})
    run(connection, sql_text("macros/session.sql"))


def _create(path: Path) -> None:
    """Make an empty database, then give it its name: half a file, left by a full disk or a crash, never opens again."""
    fresh = path.with_name(f".{path.name}.new")
    try:
        fresh.unlink(missing_ok=True)
        _connect(fresh, _STORAGE).close()
        fresh.chmod(OWNER_ONLY)
        fresh.replace(path)
    except duckdb.Error as error:
        raise readable(error, path) from error


def _connect(path: Path, config: dict[str, str | bool | int | float | list[str]]) -> duckdb.DuckDBPyConnection:
    try:
        return duckdb.connect(str(path), config=config)
    except duckdb.Error as error:
        raise readable(error, path) from error


def readable(error: duckdb.Error, path: Path) -> TollbookError:
    """The same failure in words that say what to do."""
    text = str(error)
    if "Could not set lock" in text or "Conflicting lock" in text:
        holder = _HOLDER.search(text)
        who = f"process {holder['pid']} ({holder['program']})" if holder else "another process"
        return BooksLockedError(f"{path} is open in {who}. Wait for it to end, or stop it, then run the command again.")
    if "No space left" in text or "File too large" in text or "Could not write" in text:
        return TollbookError(
            f"the disk is full: DuckDB could not write {path} ({_first_line(text)}). The unfinished posting was rolled "
            "back and what was posted before stands. Free some space, then run the command again."
        )
    if isinstance(error, duckdb.IOException | duckdb.SerializationException) or "Corrupt" in text:
        return IntegrityError(
            f"{path} cannot be read: {_first_line(text)}. Do not delete its .wal file. Restore the file from a backup, "
            "or rebuild it from the journal with `tollbook verify --rebuild`."
        )
    return TollbookError(f"the database refused a statement: {_first_line(text)}")


def _first_line(text: str) -> str:
    return text.strip().splitlines()[0]
