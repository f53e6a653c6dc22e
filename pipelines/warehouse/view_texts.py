"""The views of a published copy, compared word for word with those that this version ships."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb

from pipelines.warehouse.connection import open_warehouse
from pipelines.warehouse.migrations import migrate
from pipelines.warehouse.publish import publish

_TEXTS = """
SELECT schema_name || '.' || view_name, sql, comment FROM duckdb_views()
WHERE database_name = current_database() AND NOT internal AND NOT temporary
"""
_READINGS = 3


def differing_views(copy: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """What is wrong with the views of an opened copy, by the view's name: edited, missing, or not one of ours."""
    shipped = shipped_texts()
    found = {name: (sql, comment) for name, sql, comment in copy.execute(_TEXTS).fetchall()}
    wrong = dict.fromkeys(shipped.keys() - found.keys(), "missing")
    wrong |= dict.fromkeys(found.keys() - shipped.keys(), "not a view that this version ships")
    wrong |= {name: "edited" for name in found.keys() & shipped.keys() if found[name] not in shipped[name]}
    return dict(sorted(wrong.items()))


@cache
def shipped_texts() -> dict[str, frozenset[tuple[str, str]]]:
    """The texts of each view as a copy of empty books holds them.

    There are several: DuckDB sets the brackets of a view differently every other time that a file is written again.
    """
    texts: dict[str, set[tuple[str, str]]] = {}
    with TemporaryDirectory() as folder:
        live, copy = Path(folder) / "tollbook.duckdb", Path(folder) / "published" / "tollbook.duckdb"
        with open_warehouse(live) as connection:
            migrate(connection, live)
            publish(connection, copy)
        for _ in range(_READINGS):
            with duckdb.connect(str(copy)) as connection:
                for name, sql, comment in connection.execute(_TEXTS).fetchall():
                    texts.setdefault(name, set()).add((sql, comment))
                connection.execute("CREATE OR REPLACE TABLE audit.publication AS FROM audit.publication")
                connection.execute("CHECKPOINT")
    return {name: frozenset(each) for name, each in texts.items()}
