"""Handing a Polars frame to a SQL statement."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.parsed_sql import run

if TYPE_CHECKING:
    from collections.abc import Mapping

    import duckdb
    import polars as pl


def with_frame(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    frame: pl.DataFrame,
    statement: str,
    parameters: Mapping[str, object] | None = None,
) -> None:
    """Run a statement that reads ``frame`` under ``name``; the name is gone afterwards."""
    connection.register(name, frame)
    try:
        run(connection, statement, dict(parameters) if parameters else None)
    finally:
        connection.unregister(name)
