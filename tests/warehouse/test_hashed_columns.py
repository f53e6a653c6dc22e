"""The column list of each hash version stays what it was."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.warehouse.connection import open_warehouse
from pipelines.warehouse.hashed_columns import HASHED_COLUMNS
from pipelines.warehouse.hashes import HASH_VERSION, SEALED
from pipelines.warehouse.migrations import VERSIONED, migrate

if TYPE_CHECKING:
    from pathlib import Path


def test_the_newest_version_seals_every_column(tmp_path: Path) -> None:
    """A column that a table gains without a new hash version would stand outside every seal."""
    path = tmp_path / "tollbook.duckdb"
    with open_warehouse(path) as connection:
        migrate(connection, path)
        for sealed in SEALED:
            found = connection.execute(
                "SELECT column_name FROM duckdb_columns() WHERE schema_name || '.' || table_name = $table",
                {"table": sealed.table},
            ).fetchall()
            # What is filled in once a successor is known cannot be part of the seal of before.
            later = set(VERSIONED.get(sealed.table, "").split(", "))
            assert {name for (name,) in found} - later == set(HASHED_COLUMNS[HASH_VERSION][sealed.table].split())
