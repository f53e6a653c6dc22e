"""Everything in the database says what it means, live and published, and the docs say the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb

from pipelines.billing import publish_books
from pipelines.warehouse.dictionary import PAGE, fresh_dictionary

if TYPE_CHECKING:
    from tests.warehouse.ledger_books import LedgerBooks

_WITHOUT = """
SELECT schema_name || '.' || table_name FROM duckdb_tables() WHERE NOT internal AND NOT temporary AND comment IS NULL
UNION ALL
SELECT schema_name || '.' || view_name FROM duckdb_views() WHERE NOT internal AND NOT temporary AND comment IS NULL
UNION ALL
SELECT schema_name || '.' || table_name || '.' || column_name FROM duckdb_columns()
WHERE NOT internal AND comment IS NULL AND schema_name IN ('audit', 'books', 'finance', 'stripe', 'recon', 'checks')
"""
_COMMENTS = """
SELECT schema_name, table_name, column_name, comment FROM duckdb_columns()
WHERE NOT internal AND schema_name IN ('audit', 'books', 'finance', 'stripe', 'recon', 'checks')
AND table_name NOT IN ('publication', 'guard') ORDER BY ALL
"""


def test_nothing_lacks_a_comment(books: LedgerBooks) -> None:
    """Neither in the live file nor in the copy, at its first publication or a later one."""
    books.call("e1", 1)
    for day in (1, 2, 3):
        books.call(f"e{day}", day)
        books.bill(day)
        publish_books(books.opened())
        with duckdb.connect(str(books.folder.published), read_only=True) as copy:
            assert copy.execute(_WITHOUT).fetchall() == []
            published = copy.execute(_COMMENTS).fetchall()
        assert books.rows(_WITHOUT) == []
        assert books.rows(_COMMENTS) == published


def test_data_dictionary_is_up_to_date() -> None:
    """The page is what the database says: ``python -m pipelines.warehouse.dictionary`` writes it anew."""
    assert PAGE.read_text(encoding="utf-8") == fresh_dictionary()
