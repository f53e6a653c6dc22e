"""Posted rows cannot be changed through the database, versions can only be closed, schemas only move forward."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb
import pytest

from billing_core.errors import IntegrityError, TollbookError
from pipelines.warehouse.connection import open_warehouse
from pipelines.warehouse.migrations import APPEND_ONLY, VERSIONED, migrate, missing_triggers, schema_version
from pipelines.warehouse.publish import MIRRORED, RECONCILED
from tests.empty_warehouse import place_warehouse

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NEVER_CLOSED = {
    "audit.schema_versions": "forward only",
    "audit.view_versions": "replaced with the views",
    "audit.guard": "always empty",
}
WORKING_STATE = ("books.token_accounts", "books.account_heads", "books.credits_waiting", "finance.open_debt")


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """An empty database of the newest schema."""
    place_warehouse(tmp_path / "tollbook.duckdb")
    return tmp_path / "tollbook.duckdb"


@pytest.fixture
def connection(database: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """The database, opened as the books open it."""
    with open_warehouse(database) as opened:
        yield opened


def fill(connection: duckdb.DuckDBPyConnection, table: str) -> str:
    """Insert one row into a table, some value in every column; returns the first column's name."""
    columns = connection.execute(
        "SELECT column_name, data_type FROM duckdb_columns() WHERE schema_name || '.' || table_name = $table"
        " AND database_name = current_database() ORDER BY column_index",
        {"table": table},
    ).fetchall()
    words = {
        "kind": "usage",
        "outcome": "taken",
        "transaction_type": "bonus",
        "charge_type": "fixed",
        "balance_after": "1",
    }
    words |= {"balance_before": "0", "input_tokens": "1", "output_tokens": "0", "received": "1", "accepted": "1"}
    if table.startswith("finance"):
        words["kind"] = "burn"
    if table == "books.provider_models":
        words["kind"] = "tokens"
    values = {
        "TIMESTAMP WITH TIME ZONE": "TIMESTAMPTZ '2026-09-01 00:00:00+00'", "DATE": "DATE '2026-09-01'",
        "UUID": "uuid()", "BLOB": "'x'::BLOB", "JSON": "'{}'", "BOOLEAN": "true", "VARCHAR": "'x'",
    }  # fmt: skip
    counts = ("duplicate", "superseded", "conflict", "ignored", "quarantined", "blank")
    texts = [
        f"'{words[name]}'" if name in words else "0" if name in counts else values.get(kind, "1")
        for name, kind in columns
    ]
    connection.execute(f"INSERT INTO {table} VALUES ({', '.join(texts)})")
    return str(columns[0][0])


Filled = tuple[duckdb.DuckDBPyConnection, dict[str, str]]


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Filled]:
    """A database with one row in each of these tables, and the name of each table's first column."""
    path = tmp_path_factory.mktemp("filled") / "tollbook.duckdb"
    place_warehouse(path)
    with open_warehouse(path) as opened:
        yield opened, {table: fill(opened, table) for table in APPEND_ONLY}


@pytest.mark.parametrize("table", APPEND_ONLY)
@pytest.mark.parametrize(
    "statement", ["UPDATE {table} SET {column} = {column}", "DELETE FROM {table}", "TRUNCATE {table}"]
)
def test_posted_row_cannot_change(filled: Filled, table: str, statement: str) -> None:
    """The statement fails with words that say what to do instead, and the row stands."""
    connection, column = filled[0], filled[1][table]
    with pytest.raises(duckdb.Error, match=f"{table} is append-only: post a correction instead"):
        connection.execute(statement.format(table=table, column=column))
    assert connection.execute(f"SELECT count(*) FROM {table}").fetchall() == [(1,)]


def test_every_table_is_guarded_or_working_state(connection: duckdb.DuckDBPyConnection) -> None:
    """No table is forgotten."""
    found = connection.execute(
        "SELECT schema_name || '.' || table_name FROM duckdb_tables() WHERE NOT internal AND NOT temporary"
    ).fetchall()
    replaced = {*WORKING_STATE, *NEVER_CLOSED, *MIRRORED, *RECONCILED}
    assert {name for (name,) in found} == {*APPEND_ONLY, *VERSIONED, *replaced}


@pytest.mark.parametrize("table", VERSIONED)
def test_version_can_only_be_closed(connection: duckdb.DuckDBPyConnection, table: str) -> None:
    """Its end and its successor may be filled in, nothing else; it is never removed."""
    first = fill(connection, table)
    connection.execute(
        f"UPDATE {table} SET effective_to = TIMESTAMPTZ '2026-10-01 00:00:00+00', superseded_by = 'next'"
    )
    with pytest.raises(duckdb.Error, match=f"a version of {table} never changes"):
        connection.execute(f"UPDATE {table} SET {first} = 'other'")
    with pytest.raises(duckdb.Error, match=f"{table} keeps every version"):
        connection.execute(f"DELETE FROM {table}")


def test_migrating_again_changes_nothing(database: Path) -> None:
    """The schema is at its newest version once, and is left alone from then on."""
    with open_warehouse(database) as connection:
        before = connection.execute("SELECT * FROM audit.schema_versions").fetchall()
        assert migrate(connection, database) == schema_version(connection) == len(before)
        assert connection.execute("SELECT * FROM audit.schema_versions").fetchall() == before


def test_newer_schema_is_refused(connection: duckdb.DuckDBPyConnection, database: Path) -> None:
    """An older Tollbook never writes into what it does not know."""
    connection.execute("INSERT INTO audit.schema_versions VALUES (999, 'from the future')")
    with pytest.raises(IntegrityError, match="schema version 999"):
        migrate(connection, database)


def test_missing_guard_is_found(connection: duckdb.DuckDBPyConnection) -> None:
    """A trigger that was dropped, or replaced by one that lets everything pass, is named."""
    assert missing_triggers(connection) == []
    connection.execute("DROP TRIGGER books_token_usage_update ON books.token_usage")
    connection.execute("DROP TRIGGER audit_blocks_delete ON audit.blocks")
    connection.execute(
        "CREATE TRIGGER audit_blocks_delete AFTER DELETE ON audit.blocks REFERENCING OLD TABLE AS gone"
        " FOR EACH STATEMENT INSERT INTO audit.guard SELECT table_name FROM gone"
    )
    assert missing_triggers(connection) == ["DELETE on audit.blocks", "UPDATE on books.token_usage"]


def test_guards_survive_a_reopening(database: Path) -> None:
    """They stand in the file, not in the session."""
    with open_warehouse(database) as connection:
        assert missing_triggers(connection) == []
        fill(connection, "audit.blocks")
    with pytest.raises(TollbookError, match="append-only"), open_warehouse(database) as connection:
        connection.execute("DELETE FROM audit.blocks")
