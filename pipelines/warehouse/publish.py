"""The published copy: what every reader opens, so that none ever holds or waits for the live database.

It keeps its path. A standby file beside it is brought forward by what is new, takes the published name in one rename,
and the file that had the name becomes the next standby. A reader that has the old file open keeps it, whole.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

import duckdb

from billing_core.errors import TollbookError
from pipelines.books.objects import fsync_folder
from pipelines.parsed_sql import run
from pipelines.warehouse.comments import describe_publication
from pipelines.warehouse.lookup_indexes import INDEX_FROM_ROWS, index_large_tables
from pipelines.warehouse.script import roll_back, rows, scalar
from pipelines.warehouse.views import replace_views, views_stand

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PUBLISHED_STORAGE = "v1.2.0"
"""Any DuckDB client of the last years opens this storage version."""

GROWING = (
    "audit.postings",
    "audit.blocks",
    "audit.usage_files",
    "audit.line_dispositions",
    "audit.quarantine",
    "audit.check_results",
    "books.account_versions",
    "books.credits",
    "books.provider_usage",
    "books.tier_positions",
    "books.provider_models",
    "books.provider_prices",
    "books.rate_states",
    "books.token_transactions",
    "books.token_usage",
    "books.usage_revisions",
    "books.usage_versions",
    "finance.credit_lots",
    "finance.lot_allocations",
)
"""Tables that only grow by posting: their new rows are appended. Every other table is small and copied whole."""

WHOLE = (
    "audit.admin_actions",
    "audit.period_closes",
    "audit.schema_versions",
    "audit.verifications",
    "audit.view_versions",
    "books.account_heads",
    "books.credits_waiting",
    "books.rates",
    "books.system_settings",
    "books.token_accounts",
    "books.token_pricing",
    "finance.open_debt",
)

RECONCILED = (
    "recon.bank_lines",
    "recon.break_codes",
    "recon.breaks",
    "recon.bridge",
    "recon.candidates",
    "recon.first_seen",
    "recon.lines",
    "recon.overrides",
    "recon.pairs",
    "recon.parameters",
    "recon.placements",
    "recon.runs",
    "recon.summary",
)
"""Tables that a reconciliation writes: copied whole, as they stand, and only when there was a run since."""

MIRRORED = (
    "stripe.balance_transactions",
    "stripe.balances",
    "stripe.charges",
    "stripe.checkout_sessions",
    "stripe.customers",
    "stripe.disputes",
    "stripe.events",
    "stripe.loaded_files",
    "stripe.payment_intents",
    "stripe.payout_items",
    "stripe.payouts",
    "stripe.refunds",
    "stripe.rejected",
    "stripe.syncs",
)
"""Tables that follow from the files of Stripe objects: copied whole, and only when those have grown."""

_OWNER_ONLY = 0o600


def publish(connection: duckdb.DuckDBPyConnection, published: Path, *, index_from: int = INDEX_FROM_ROWS) -> Path:
    """Bring the published copy to the last posting; returns its path.

    Tables of at least ``index_from`` rows get indexes for look-ups.
    Raises TollbookError when the disk refuses; the copy published before then stays as it was.
    """
    published.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    standby, spare = published.with_name(".standby.duckdb"), published.with_name(".spare.duckdb")
    _tidy(standby, spare)
    try:
        if not (standby.exists() and _forward(connection, standby, index_from)):
            _remove(standby)
            with _attached(connection, standby):
                _bring_forward(connection, index_from)
        _swap(standby, published, spare)
    except (duckdb.Error, OSError) as error:
        text = str(error).strip().splitlines()[0]
        raise TollbookError(
            f"{published} could not be brought forward ({text}). What was posted stands, readers keep the copy of "
            "before. Free some disk space, then run the command again."
        ) from error
    return published


def _tidy(standby: Path, spare: Path) -> None:
    """Put right what a crash between the two renames left: the spare is the next standby."""
    if spare.exists():
        if standby.exists():
            spare.unlink()
        else:
            spare.replace(standby)


def _forward(connection: duckdb.DuckDBPyConnection, standby: Path, index_from: int) -> bool:
    """Append to the standby what it lacks; False when it is held by a reader, foreign or of another schema."""
    try:
        with _attached(connection, standby):
            if not _follows(connection):
                return False
            _bring_forward(connection, index_from)
    except duckdb.Error:
        # Held by a reader, or not a usable database: a fresh copy takes its place.
        return False
    return True


@contextmanager
def _attached(connection: duckdb.DuckDBPyConnection, path: Path) -> Iterator[None]:
    name = str(path).replace("'", "''")
    connection.execute(f"ATTACH '{name}' AS published (STORAGE_VERSION '{PUBLISHED_STORAGE}')")
    path.chmod(_OWNER_ONLY)
    try:
        yield
    finally:
        connection.execute("DETACH published")


def _follows(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether the attached file is an earlier state of these very books, with the same schema."""
    if not scalar(
        connection,
        "SELECT count(*) FROM duckdb_tables() WHERE database_name = 'published' AND table_name = 'publication'",
    ):
        return False
    found = rows(
        connection,
        "SELECT publication.posting_id = 0 OR posting.head = publication.head"
        " FROM published.audit.publication AS publication"
        " LEFT JOIN audit.postings AS posting USING (posting_id)"
        " WHERE schema_version = (SELECT max(version) FROM audit.schema_versions)",
    )
    return bool(found) and bool(found[0][0])


def _bring_forward(connection: duckdb.DuckDBPyConnection, index_from: int) -> None:
    """Append, replace and describe inside one transaction of the attached file, then write it out."""
    connection.execute("BEGIN")
    try:
        last = _prepare(connection)
        for table in GROWING:
            connection.execute(
                f"INSERT INTO published.{table} SELECT * FROM {table} WHERE posting_id > $last", {"last": last}
            )
        for table in WHOLE:
            connection.execute(f"CREATE OR REPLACE TABLE published.{table} AS SELECT * FROM {table} ORDER BY ALL")
        _mirror(connection)
        _reconciled(connection)
        connection.execute(
            "CREATE OR REPLACE TABLE published.audit.publication AS"
            " SELECT coalesce(max(posting_id), 0)::BIGINT AS posting_id, arg_max(head, posting_id) AS head,"
            " (SELECT max(version) FROM audit.schema_versions) AS schema_version FROM audit.postings"
        )
        connection.execute("USE published")
        if not views_stand(connection):
            replace_views(connection)
        describe_publication(connection)
        _describe(connection)
        connection.execute("COMMIT")
    except BaseException:
        roll_back(connection)
        raise
    finally:
        connection.execute(f"USE {_live_name(connection)}")
    index_large_tables(connection, index_from)
    connection.execute("CHECKPOINT published")


def _mirror(connection: duckdb.DuckDBPyConnection) -> None:
    """Copy the tables of Stripe's objects, unless the copy holds them as the files give them."""
    if not _is_copied(connection, "stripe.loaded_files"):
        for table in MIRRORED:
            connection.execute(f"CREATE OR REPLACE TABLE published.{table} AS SELECT * FROM {table}")


def _reconciled(connection: duckdb.DuckDBPyConnection) -> None:
    """Copy what reconciliations found, unless the copy has seen the last run."""
    if not _is_copied(connection, "recon.runs"):
        for table in RECONCILED:
            connection.execute(f"CREATE OR REPLACE TABLE published.{table} AS SELECT * FROM {table}")


def _is_copied(connection: duckdb.DuckDBPyConnection, table: str) -> bool:
    """Whether the copy holds a small table row by row as it stands."""
    is_there = scalar(
        connection,
        "SELECT count(*) FROM duckdb_tables()"
        " WHERE database_name = 'published' AND schema_name || '.' || table_name = $table",
        {"table": table},
    )
    return bool(is_there) and not rows(
        connection,
        f"(FROM {table} EXCEPT ALL FROM published.{table}) UNION ALL"
        f" (FROM published.{table} EXCEPT ALL FROM {table}) LIMIT 1",
    )


def _live_name(connection: duckdb.DuckDBPyConnection) -> str:
    found = rows(
        connection,
        "SELECT database_name FROM duckdb_databases() WHERE NOT internal AND database_name <> 'published'",
    )
    return f'"{found[0][0]}"'


def _prepare(connection: duckdb.DuckDBPyConnection) -> int:
    """Make the tables of a new file; returns the last posting that the file holds."""
    for schema in ("audit", "books", "finance", "stripe", "recon", "checks"):
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS published.{schema}")
    for table in GROWING:
        connection.execute(f"CREATE TABLE IF NOT EXISTS published.{table} AS SELECT * FROM {table} LIMIT 0")
    return scalar(connection, "SELECT coalesce(max(posting_id), 0) FROM published.audit.postings")


def _describe(connection: duckdb.DuckDBPyConnection) -> None:
    """Carry the comments over to tables that have none yet."""
    found = rows(
        connection,
        "SELECT live.schema_name, live.table_name, NULL, live.comment FROM duckdb_tables() AS live"
        " JOIN duckdb_tables() AS copy ON copy.schema_name = live.schema_name AND copy.table_name = live.table_name"
        " AND copy.database_name = 'published' AND copy.comment IS NULL"
        " WHERE live.database_name NOT IN ('published', 'system', 'temp') AND live.comment IS NOT NULL"
        " UNION ALL"
        " SELECT live.schema_name, live.table_name, live.column_name, live.comment FROM duckdb_columns() AS live"
        " JOIN duckdb_columns() AS copy ON copy.schema_name = live.schema_name AND copy.table_name = live.table_name"
        " AND copy.column_name = live.column_name AND copy.database_name = 'published' AND copy.comment IS NULL"
        " WHERE live.database_name NOT IN ('published', 'system', 'temp') AND live.comment IS NOT NULL",
    )
    for schema, table, column, comment in found:
        target = f"TABLE {schema}.{table}" if column is None else f"COLUMN {schema}.{table}.{column}"
        text = str(comment).replace("'", "''")
        run(connection, f"COMMENT ON {target} IS '{text}'")


def _swap(standby: Path, published: Path, spare: Path) -> None:
    """Give the standby the published name; the file that had it becomes the next standby."""
    if published.exists():
        os.link(published, spare)
    standby.replace(published)
    if spare.exists():
        spare.replace(standby)
    fsync_folder(published.parent)


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.with_name(f"{path.name}.wal").unlink(missing_ok=True)
