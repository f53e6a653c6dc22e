"""Forward-only migrations, each in a transaction of its own, after a checkpoint and a backup."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from billing_core.errors import IntegrityError
from pipelines.parsed_sql import run
from pipelines.warehouse.comments import describe_tables
from pipelines.warehouse.script import roll_back
from pipelines.warehouse.sql import sql_names, sql_text

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    import duckdb

APPEND_ONLY = (
    "audit.postings",
    "audit.blocks",
    "audit.usage_files",
    "audit.line_dispositions",
    "audit.quarantine",
    "audit.admin_actions",
    "audit.check_results",
    "audit.period_closes",
    "audit.verifications",
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
    "recon.first_seen",
    "recon.overrides",
    "recon.runs",
)
"""Tables in which no posted row may ever change or vanish; a trigger refuses."""

VERSIONED = {
    "books.rates": "effective_to, superseded_by",
    "books.system_settings": "effective_to, superseded_by",
    "books.token_pricing": "effective_to, superseded_by, updated_at",
}
"""Tables of dated versions: only these columns of a row may be filled in later, when its successor is known."""


def missing_triggers(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """The guards that do not stand as this version makes them: ``UPDATE on books.token_usage``; none when all is well.

    A trigger guards against accidents; who drops one leaves its name here, and the seals show what was changed.
    """
    found = connection.execute(
        "SELECT schema_name || '.' || table_name, event_manipulation, sql FROM duckdb_triggers()"
        " WHERE database_name = current_database()"
    ).fetchall()
    standing = {(table, event) for table, event, text in found if '"error"(' in text and " WHERE " not in text}
    wanted = [(table, event) for table in (*APPEND_ONLY, *VERSIONED) for event in ("UPDATE", "DELETE")]
    return [f"{event} on {table}" for table, event in wanted if (table, event) not in standing]


def migrate(connection: duckdb.DuckDBPyConnection, path: Path) -> int:
    """Bring the schema forward to the newest version and return it.

    Raises IntegrityError when the file was written by a newer Tollbook.
    """
    current = schema_version(connection)
    names = sql_names("migrations")
    if current > len(names):
        message = (
            f"{path} has schema version {current}, this Tollbook knows {len(names)}. "
            "Use the Tollbook that wrote it, or a newer one."
        )
        raise IntegrityError(message)
    for version, name in enumerate(names, start=1):
        if version > current:
            if current:
                _back_up(connection, path, version)
            _apply(connection, version, name)
    if current < len(names):
        connection.execute("CHECKPOINT")
    return len(names)


def schema_version(connection: duckdb.DuckDBPyConnection) -> int:
    """The version of an opened file; 0 for an empty one."""
    found = connection.execute(
        "SELECT count(*) FROM duckdb_tables() WHERE schema_name = 'audit' AND table_name = 'schema_versions'"
    ).fetchall()
    if not found[0][0]:
        return 0
    return int(connection.execute("SELECT coalesce(max(version), 0) FROM audit.schema_versions").fetchall()[0][0])


def _back_up(connection: duckdb.DuckDBPyConnection, path: Path, version: int) -> None:
    """Keep the file as it is before a migration; a new one has nothing to lose."""
    connection.execute("CHECKPOINT")
    shutil.copy2(path, path.with_suffix(f".before-{version}.duckdb"))


def _apply(connection: duckdb.DuckDBPyConnection, version: int, name: str) -> None:
    connection.execute("BEGIN")
    try:
        run(connection, sql_text(name))
        if version == 1:
            connection.execute("CREATE TABLE audit.guard (message VARCHAR)")
        run(connection, _guards(_new_tables(connection)))
        if version == len(sql_names("migrations")):
            describe_tables(connection)
        connection.execute(
            "INSERT INTO audit.schema_versions VALUES ($version, $name)", {"version": version, "name": name}
        )
        connection.execute("COMMIT")
    except BaseException:
        roll_back(connection)
        raise


def _new_tables(connection: duckdb.DuckDBPyConnection) -> set[str]:
    """The tables of a migration under way, as ``schema.table``: those that stand without a guard yet."""
    found = connection.execute(
        "SELECT schema_name || '.' || table_name FROM duckdb_tables() WHERE database_name = current_database() EXCEPT"
        " SELECT schema_name || '.' || table_name FROM duckdb_triggers() WHERE database_name = current_database()"
    ).fetchall()
    return {table for (table,) in found}


def _guards(tables: Collection[str]) -> str:
    """The triggers of these tables: an UPDATE or DELETE of a posted row fails the statement, whoever sends it."""
    statements = [
        _refusal(table, event, "is append-only: post a correction instead")
        for table in APPEND_ONLY
        if table in tables
        for event in ("UPDATE", "DELETE")
    ]
    for table, open_columns in VERSIONED.items():
        if table not in tables:
            continue
        statements.append(_refusal(table, "DELETE", "keeps every version"))
        statements.append(
            f"CREATE TRIGGER {table.replace('.', '_')}_update AFTER UPDATE ON {table} "
            "REFERENCING OLD TABLE AS gone NEW TABLE AS fresh FOR EACH STATEMENT "
            f"INSERT INTO audit.guard SELECT error('a version of {table} never changes') FROM "
            f"(SELECT * EXCLUDE ({open_columns}) FROM gone EXCEPT ALL SELECT * EXCLUDE ({open_columns}) FROM fresh);"
        )
    return "\n".join(statements)


def _refusal(table: str, event: str, why: str) -> str:
    """A trigger that fails every statement of one kind which touches a row of the table."""
    return (
        f"CREATE TRIGGER {table.replace('.', '_')}_{event.lower()} AFTER {event} ON {table} "
        "REFERENCING OLD TABLE AS gone FOR EACH STATEMENT "
        f"INSERT INTO audit.guard SELECT error('{table} {why}') FROM gone;"
    )
