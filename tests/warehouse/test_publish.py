"""The published copy: the live books as of a posting, for readers of any DuckDB of the last years."""

from __future__ import annotations

import os
import shutil
import stat
from typing import TYPE_CHECKING

import duckdb
import pytest

from pipelines import billing
from pipelines.books.folder import BooksFolder
from pipelines.warehouse.hashes import HISTORY, history_hash
from pipelines.warehouse.lookup_indexes import INDEXED
from pipelines.warehouse.publish import GROWING, MIRRORED, RECONCILED, WHOLE, publish
from tests.empty_warehouse import place_warehouse
from tests.faults.books import FIRST, LAST, NOW, SECOND, write_books

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date
    from pathlib import Path


@pytest.fixture(scope="module")
def first_billed(tmp_path_factory: pytest.TempPathFactory) -> BooksFolder:
    """Books of three dates, the first of them billed, nothing published."""
    folder = write_books(tmp_path_factory.mktemp("first") / "books")
    place_warehouse(folder.database)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TOLLBOOK_NOW", NOW)
        with billing.open_books(folder, command="test") as opened:
            assert billing.bill(opened, billing.survey(opened), FIRST) is not None
    return folder


@pytest.fixture
def books(first_billed: BooksFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[billing.OpenBooks]:
    """A copy of them, opened."""
    monkeypatch.setenv("TOLLBOOK_NOW", NOW)
    shutil.copytree(first_billed.root, tmp_path / "books")
    with billing.open_books(BooksFolder((tmp_path / "books").resolve()), command="test") as opened:
        yield opened


def _bill_and_publish(books: billing.OpenBooks, *dates: date) -> str:
    for day in dates:
        billing.bill(books, billing.survey(books), day)
    billing.publish_books(books)
    return history_hash(books.connection)


def _published_hash(folder: BooksFolder) -> str:
    with duckdb.connect(str(folder.published), read_only=True) as copy:
        copy.execute("SET TimeZone = 'UTC'")
        return history_hash(copy)


def _names(folder: BooksFolder) -> set[str]:
    return {path.name for path in folder.published.parent.iterdir()}


def test_each_way_of_bringing_it_forward_gives_the_live_books(books: billing.OpenBooks) -> None:
    """A first copy, a first standby, a standby brought forward by one and by two postings, and no news at all."""
    for dates in ((), (), (SECOND,), (LAST,), ()):
        live = _bill_and_publish(books, *dates)
        assert _published_hash(books.folder) == live
    assert _names(books.folder) == {books.folder.published.name, ".standby.duckdb"}


def test_only_its_owner_may_read_it(books: billing.OpenBooks) -> None:
    """Copy, standby and folder; it has no triggers and any DuckDB client of the last years opens it."""
    _bill_and_publish(books)
    _bill_and_publish(books)
    for path in books.folder.published.parent.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    assert stat.S_IMODE(books.folder.published.parent.stat().st_mode) == 0o700
    with duckdb.connect(str(books.folder.published), read_only=True) as copy:
        version = copy.execute("SELECT tags['storage_version'] FROM duckdb_databases() WHERE NOT internal").fetchall()
        assert "v1.2.0" in str(version), version
        assert copy.execute("SELECT count(*) FROM duckdb_tables() WHERE table_name = 'guard'").fetchall() == [(0,)]


def test_every_table_is_published_one_way_or_the_other(books: billing.OpenBooks) -> None:
    """A table that a later version adds must be named in one of the lists; raw bytes are in none."""
    found = books.connection.execute(
        "SELECT schema_name || '.' || table_name FROM duckdb_tables()"
        " WHERE NOT temporary AND database_name = 'tollbook'"
    ).fetchall()
    assert {name for (name,) in found} == {*GROWING, *WHOLE, *MIRRORED, *RECONCILED, "audit.guard"}
    assert set(HISTORY) <= {*GROWING, *WHOLE}
    assert not set(GROWING) & set(WHOLE)


@pytest.mark.slow
def test_a_standby_that_is_of_no_use_is_replaced(books: billing.OpenBooks) -> None:
    """Not a database, one of other things, an empty file, or none: a fresh copy is made."""
    live = _bill_and_publish(books)
    standby = books.folder.published.with_name(".standby.duckdb")
    standby.write_bytes(os.urandom(20_000))
    billing.publish_books(books)
    assert _published_hash(books.folder) == live
    standby.unlink()
    with duckdb.connect(str(standby)) as other:
        other.execute("CREATE TABLE something AS SELECT 1 AS one")
    billing.publish_books(books)
    assert _published_hash(books.folder) == live
    for _ in range(2):
        standby.write_bytes(b"")
        billing.publish_books(books)
        assert _published_hash(books.folder) == live
        standby.unlink()


@pytest.mark.slow
def test_a_standby_of_other_books_with_the_same_tables_is_replaced(books: billing.OpenBooks, tmp_path: Path) -> None:
    """Its head is not one of these books, so nothing is appended to it."""
    (tmp_path / "other").mkdir()
    other = write_books(tmp_path / "other/books")
    (other.root / "usage/2026-09-01.jsonl").unlink()
    with billing.open_books(other, command="test") as strangers:
        _bill_and_publish(strangers, FIRST)
    _bill_and_publish(books)
    other.published.rename(books.folder.published.with_name(".standby.duckdb"))
    live = _bill_and_publish(books)
    assert _published_hash(books.folder) == live


@pytest.mark.slow
def test_a_removed_copy_comes_back(books: billing.OpenBooks) -> None:
    """Alone, and with its standby and its folder."""
    _bill_and_publish(books)
    live = _bill_and_publish(books)
    books.folder.published.unlink()
    billing.publish_books(books)
    assert _published_hash(books.folder) == live
    for path in books.folder.published.parent.iterdir():
        path.unlink()
    books.folder.published.parent.rmdir()
    billing.publish_books(books)
    assert _published_hash(books.folder) == live


def test_raw_bytes_stay_out_of_it(books: billing.OpenBooks) -> None:
    """A quarantined line stands there with its reason and hash, not with what it said."""
    _bill_and_publish(books)
    assert b"{torn" not in books.folder.published.read_bytes()
    kept = list(books.folder.quarantine.iterdir())
    assert kept
    assert {stat.S_IMODE(path.stat().st_mode) for path in kept} == {0o600}


@pytest.mark.slow
def test_large_tables_get_indexes_that_later_postings_keep(books: billing.OpenBooks) -> None:
    """Both files have them, a posting adds to them, and a look-up by each column finds what a scan finds."""
    wanted = {f"{table.split('.')[1]}_{column}" for table, columns in INDEXED.items() for column in columns}
    for day in (FIRST, SECOND, LAST):  # the first is billed
        billing.bill(books, billing.survey(books), day)
        publish(books.connection, books.folder.published, index_from=1)
        with duckdb.connect(str(books.folder.published), read_only=True) as copy:
            found = copy.execute("SELECT index_name FROM duckdb_indexes()").fetchall()
            assert {name for (name,) in found} == wanted
            for table, columns in INDEXED.items():
                for column in columns:
                    by_scan = dict(copy.execute(f"SELECT {column}, count(*) FROM {table} GROUP BY {column}").fetchall())
                    for value in filter(None, by_scan):
                        asked = copy.execute(f"SELECT count(*) FROM {table} WHERE {column} = $1", [value]).fetchall()
                        assert asked == [(by_scan[value],)]
    assert _published_hash(books.folder) == history_hash(books.connection)
