"""Running a file of SQL statements with named parameters; each statement is given those that it names."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import duckdb

from pipelines.parsed_sql import run, statements
from pipelines.warehouse.sql import sql_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def run_script(connection: duckdb.DuckDBPyConnection, name: str, parameters: Mapping[str, object]) -> None:
    """Run every statement of ``pipelines/warehouse/sql/<name>`` in order. Raises KeyError for a parameter not given."""
    for statement in statements(sql_text(name)):
        wanted = {key: parameters[key] for key in statement.named_parameters}
        connection.execute(statement, wanted or None)


def rows(
    connection: duckdb.DuckDBPyConnection, query: str, parameters: Mapping[str, object] | None = None
) -> list[tuple[object, ...]]:
    """Every row of a query, fetched whole."""
    return list(run(connection, query, dict(parameters) if parameters else None).fetchall())


def insert_rows(connection: duckdb.DuckDBPyConnection, table: str, values: Sequence[Sequence[object]]) -> None:
    """Insert whole rows into a table of ours, all in one statement: one for each would be planned for each."""
    places = ", ".join(f"unnest(${number})" for number in range(1, len(values[0]) + 1))
    run(connection, f"INSERT INTO {table} SELECT {places}", [list(column) for column in zip(*values, strict=True)])


def roll_back(connection: duckdb.DuckDBPyConnection) -> None:
    """Give the transaction back after an error, which stays the one that is told.

    A failed COMMIT has already ended it, and a database that DuckDB has closed for good has nothing to give.
    """
    with suppress(duckdb.Error):
        connection.execute("ROLLBACK")


def scalar(connection: duckdb.DuckDBPyConnection, query: str, parameters: Mapping[str, object] | None = None) -> int:
    """The one integer of a query."""
    found = run(connection, query, dict(parameters) if parameters else None).fetchall()
    value = found[0][0]
    if not isinstance(value, int):
        message = f"expected one integer, got {value!r}"
        raise TypeError(message)
    return value
