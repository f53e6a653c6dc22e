"""What each table, view and column means, kept in the database itself as COMMENT ON; the texts are files of SQL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.parsed_sql import run
from pipelines.warehouse.sql import sql_names, sql_text

if TYPE_CHECKING:
    import duckdb


def describe_tables(connection: duckdb.DuckDBPyConnection) -> None:
    """Comment every table and its columns; to be called inside the transaction of the newest migration."""
    for name in sql_names("comments/tables"):
        run(connection, sql_text(name))


def describe_views(connection: duckdb.DuckDBPyConnection) -> None:
    """Comment every view and its columns: a view that is replaced has lost its comments."""
    for name in sql_names("comments/views"):
        run(connection, sql_text(name))


def describe_publication(connection: duckdb.DuckDBPyConnection) -> None:
    """Comment the one table that only the published copy has."""
    run(connection, sql_text("comments/publication.sql"))
