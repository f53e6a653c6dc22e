"""The published copy: what readers open."""

import dagster as dg

from pipelines.assets.tables import TABLES
from pipelines.billing import OpenBooks, publish_books
from pipelines.metadata import Metadata, markdown_table
from pipelines.resources import BooksResource, Observer

PUBLISHED = dg.AssetKey(["published_books"])


def published_books_asset() -> dg.AssetsDefinition:
    """The asset of the published copy."""

    @dg.asset(
        key=PUBLISHED, deps=[*TABLES, dg.AssetKey(["recon", "summary"])], kinds={"duckdb"}, group_name="published"
    )
    def published_books(books: BooksResource, observer: dg.ResourceParam[Observer]) -> dg.MaterializeResult[None]:
        """The published copy: one DuckDB file with every table and check view, always one whole posting.

        Readers, reports and `tollbook sql` open it read-only while the live books go on. It keeps its path; a reader
        that has an older copy open keeps that one until it closes it.
        """
        with books.open("publish", observer.now) as opened:
            return dg.MaterializeResult(metadata=publication(opened))

    return published_books


def publication(opened: OpenBooks) -> Metadata:
    """Publish, and say what the copy now holds."""
    path = publish_books(opened)
    connection = opened.connection
    found = connection.execute(
        "SELECT count(*), max(billing_date)::VARCHAR, arg_max(head, posting_id),"
        " coalesce(sum(tokens_billed), 0)::BIGINT, coalesce(sum(tokens_credited), 0)::BIGINT FROM audit.postings"
    ).fetchall()
    names = ("postings", "last_billing_date", "head", "tokens_billed", "tokens_credited")
    tables = connection.execute(
        "SELECT schema_name || '.' || table_name, estimated_size FROM duckdb_tables()"
        " WHERE schema_name IN ('audit', 'books', 'finance', 'stripe', 'recon') AND estimated_size > 0 ORDER BY ALL"
    ).fetchall()
    return {
        "path": dg.MetadataValue.path(str(path)),
        "size_bytes": path.stat().st_size,
        **{name: value for name, value in zip(names, found[0], strict=True) if value is not None},
        "tables": markdown_table(["table", "rows (estimate)"], tables),
    }
