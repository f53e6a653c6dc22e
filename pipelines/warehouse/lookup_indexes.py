"""Indexes of the published copy for look-ups that clustering does not serve, once a table is too large to scan."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb

from pipelines.warehouse.script import rows

if TYPE_CHECKING:
    from collections.abc import Iterator

INDEX_FROM_ROWS = 5_000_000
"""Below, a scan answers in a fraction of a second, and an index would cost a third more disk for nothing."""

INDEXED = {
    "books.token_transactions": ("account_id", "workspace_id", "stripe_payment_intent_id"),
    "books.token_usage": ("account_id", "workspace_id", "project_id"),
}
"""Selective columns without an order of their own. Times and ids rise from row to row: zone maps serve those."""


def index_large_tables(connection: duckdb.DuckDBPyConnection, from_rows: int = INDEX_FROM_ROWS) -> list[str]:
    """Make the indexes that the attached copy lacks, outside a transaction; returns the names of those made.

    An index is a help, not a part of the books: one that does not fit in memory is left out.
    """
    made = []
    for name, statement in _missing(connection, from_rows):
        try:
            connection.execute(statement)
        except duckdb.OutOfMemoryException:
            break
        made.append(name)
    return made


def _missing(connection: duckdb.DuckDBPyConnection, from_rows: int) -> Iterator[tuple[str, str]]:
    """Name and statement of each index that is called for."""
    sizes = rows(
        connection,
        "SELECT schema_name || '.' || table_name, estimated_size FROM duckdb_tables()"
        " WHERE database_name = 'published'",
    )
    large = {str(table) for table, size in sizes if int(str(size)) >= from_rows}
    found = rows(connection, "SELECT index_name FROM duckdb_indexes() WHERE database_name = 'published'")
    standing = {str(name) for (name,) in found}
    for table, columns in INDEXED.items():
        for column in columns if table in large else ():
            name = f"{table.split('.')[1]}_{column}"
            if name not in standing:
                yield name, f"CREATE INDEX {name} ON published.{table} ({column})"
