"""The data dictionary: docs/data-dictionary.md, written from the comments that stand in the database itself.

``python -m pipelines.warehouse.dictionary`` writes it anew.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.warehouse.connection import open_warehouse
from pipelines.warehouse.migrations import migrate
from pipelines.warehouse.script import rows
from pipelines.warehouse.views import create_views

if TYPE_CHECKING:
    import duckdb

PAGE = Path(__file__).resolve().parents[2] / "docs" / "data-dictionary.md"
SCHEMAS = {
    "books": "The books: accounts, calls, the token ledger, packages, settings and rules.",
    "finance": "Lots of tokens and what became of them.",
    "stripe": "Stripe's objects as last seen, and the files that they come from.",
    "recon": "The reconciliation: what both sides are, how they fit, what breaks, and the bridges between them.",
    "audit": "The trail: files, records, postings, seals, verifications.",
    "checks": "The checks: each view lists the rows that must not be, so an empty view is a pass.",
}
_HEAD = """\
# Data dictionary

Every table, view and column of the books, from the comments in the database: the live one and the published copy carry
the same. Times are UTC; tokens are whole numbers; money is in minor units beside its currency. This page is generated
by `python -m pipelines.warehouse.dictionary`; the texts stand in `pipelines/warehouse/sql/comments`.
"""
_TABLE_HEAD = "| Column | Type | Meaning |\n|---|---|---|\n"
_RELATIONS = """
SELECT schema_name, table_name, comment, 'table' FROM duckdb_tables()
WHERE NOT internal AND NOT temporary AND database_name = current_database()
UNION ALL
SELECT schema_name, view_name, comment, 'view' FROM duckdb_views()
WHERE NOT internal AND NOT temporary AND database_name = current_database()
ORDER BY ALL
"""
_COLUMNS = """
SELECT schema_name, table_name, column_name, data_type, comment FROM duckdb_columns()
WHERE NOT internal AND database_name = current_database() ORDER BY schema_name, table_name, column_index
"""


def dictionary(connection: duckdb.DuckDBPyConnection) -> str:
    """The page, as Markdown, of the database that is open."""
    relations = rows(connection, _RELATIONS)
    columns: dict[tuple[object, object], list[str]] = {}
    for schema, table, column, kind, comment in rows(connection, _COLUMNS):
        line = f"| {column} | {_short(str(kind))} | {_cell(comment)} |"
        columns.setdefault((schema, table), []).append(line)
    parts = [_HEAD]
    for name, meaning in SCHEMAS.items():
        parts.append(f"## {name}\n\n{meaning}\n")
        for schema, table, comment, kind in relations:
            if schema == name:
                body = "\n".join(columns[schema, table])
                parts.append(f"### {schema}.{table} ({kind})\n\n{comment}\n\n{_TABLE_HEAD}{body}\n")
    return "\n".join(parts)


def _short(kind: str) -> str:
    return "TIMESTAMPTZ" if kind == "TIMESTAMP WITH TIME ZONE" else kind


def _cell(text: object) -> str:
    return str(text).replace("|", "\\|")


def fresh_dictionary() -> str:
    """The page of an empty database of this version."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tollbook.duckdb"
        with open_warehouse(path) as connection:
            migrate(connection, path)
            create_views(connection)
            return dictionary(connection)


def main() -> None:
    """Write the page."""
    PAGE.write_text(fresh_dictionary(), encoding="utf-8")


if __name__ == "__main__":
    main()
