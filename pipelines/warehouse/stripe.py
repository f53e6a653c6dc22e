"""Writing Stripe's objects: runs of sightings become the latest state, whatever the order in which they come."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from pipelines.warehouse.script import roll_back, rows, scalar

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import duckdb

KEYS: dict[str, tuple[str, ...]] = {
    "payment_intents": ("payment_intent_id",),
    "charges": ("charge_id",),
    "refunds": ("refund_id",),
    "disputes": ("dispute_id",),
    "balance_transactions": ("balance_transaction_id",),
    "payouts": ("payout_id",),
    "payout_items": ("payout_id", "balance_transaction_id"),
    "customers": ("customer_id",),
    "checkout_sessions": ("checkout_session_id",),
    "events": ("event_id",),
    "balances": ("taken_at", "balance_type", "currency"),
    "syncs": ("sync_id",),
}
"""What tells the objects of a table apart, within one account and mode."""

TABLES = (*KEYS, "rejected", "loaded_files")
_ARROW = {
    "VARCHAR": pa.string(),
    "JSON": pa.string(),
    "DECIMAL(24,12)": pa.string(),
    "BIGINT": pa.int64(),
    "BOOLEAN": pa.bool_(),
    "VARCHAR[]": pa.list_(pa.string()),
    "TIMESTAMP WITH TIME ZONE": pa.timestamp("us", tz="UTC"),
}


@dataclass(frozen=True, slots=True)
class LoadedFile:
    """How far a file has been loaded; `sha256` covers those bytes."""

    source_file: str
    kind: str
    bytes_read: int
    lines_read: int
    sha256: str
    objects: int
    rejected: int


def loaded_files(connection: duckdb.DuckDBPyConnection) -> dict[str, LoadedFile]:
    """Every file that has been loaded, by path."""
    found = rows(
        connection,
        "SELECT source_file, kind, bytes_read, lines_read, sha256, objects, rejected FROM stripe.loaded_files",
    )
    return {str(values[0]): LoadedFile(*values) for values in found}  # type: ignore[arg-type]


def scope_of(connection: duckdb.DuckDBPyConnection) -> tuple[str, bool] | None:
    """The account and mode of the objects in the tables; None while they are empty."""
    query = " UNION ALL ".join(f"(SELECT stripe_account, livemode FROM stripe.{table} LIMIT 1)" for table in KEYS)
    found = rows(connection, f"SELECT * FROM ({query}) LIMIT 1")
    return (str(found[0][0]), bool(found[0][1])) if found else None


def clear(connection: duckdb.DuckDBPyConnection) -> None:
    """Empty every table, to load the files anew."""
    for table in TABLES:
        connection.execute(f"DELETE FROM stripe.{table}")


def forget_file(connection: duckdb.DuckDBPyConnection, source_file: str) -> None:
    """Drop what was noted of a file that is to be read from its beginning; its objects stay until they are replaced."""
    for table in ("rejected", "loaded_files"):
        connection.execute(f"DELETE FROM stripe.{table} WHERE source_file = $path", {"path": source_file})


def write_run(
    connection: duckdb.DuckDBPyConnection,
    sightings: Mapping[str, Sequence[tuple[Mapping[str, Any], int]]],
    rejected: Iterable[Mapping[str, Any]],
    file: LoadedFile,
) -> None:
    """Write one run of lines of one file, and how far it has been loaded, in one transaction.

    ``sightings`` holds, by table, the values of each row (instants in microseconds) and its rank among sightings of
    the same instant.
    """
    connection.execute("BEGIN")
    try:
        for table, found in sightings.items():
            _merge(connection, table, found)
        refused = list(rejected)
        if refused:
            _stage(connection, "rejected", refused, [0] * len(refused))
            connection.execute("INSERT INTO stripe.rejected BY NAME SELECT * EXCLUDE (rank) FROM staged")
        connection.execute("DELETE FROM stripe.loaded_files WHERE source_file = $path", {"path": file.source_file})
        connection.execute(
            "INSERT INTO stripe.loaded_files VALUES ($path, $kind, $bytes, $lines, $sha, $objects, $rejected)",
            {
                "path": file.source_file,
                "kind": file.kind,
                "bytes": file.bytes_read,
                "lines": file.lines_read,
                "sha": file.sha256,
                "objects": file.objects,
                "rejected": file.rejected,
            },
        )
        connection.execute("COMMIT")
    except BaseException:
        roll_back(connection)
        raise


def _merge(connection: duckdb.DuckDBPyConnection, table: str, found: Sequence[tuple[Mapping[str, Any], int]]) -> None:
    """Of all sightings of an object, old and new, the latest stays.

    Latest is by `fetched_at`, then by the name of the file, so that the order of loading does not matter; what a file
    says later, or says when it is read again, replaces what it said before.
    """
    _stage(connection, table, [values for values, _ in found], [rank for _, rank in found])
    keys = ", ".join((*KEYS[table], "stripe_account", "livemode"))
    at = "taken_at" if table == "balances" else "finished_at" if table == "syncs" else "fetched_at"
    columns = _columns(connection, table)
    earliest = (
        f"* REPLACE (min(first_fetched_at) OVER (PARTITION BY {keys}) AS first_fetched_at)"
        if "first_fetched_at" in columns
        else "*"
    )
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE merged AS SELECT {earliest} FROM ("
        f"SELECT *, true AS is_new FROM staged UNION ALL BY NAME SELECT *, 0 AS rank, false AS is_new"
        f" FROM stripe.{table} SEMI JOIN staged USING ({keys})) QUALIFY row_number() OVER (PARTITION BY {keys}"
        f" ORDER BY {at} DESC, source_file DESC, is_new DESC, rank DESC, source_line DESC) = 1"
    )
    matches = " AND ".join(f"target.{key} = merged.{key}" for key in (*KEYS[table], "stripe_account", "livemode"))
    connection.execute(f"DELETE FROM stripe.{table} AS target USING merged WHERE {matches}")
    connection.execute(f"INSERT INTO stripe.{table} BY NAME SELECT * EXCLUDE (rank, is_new) FROM merged")
    connection.execute("DROP TABLE merged")


def _stage(
    connection: duckdb.DuckDBPyConnection, table: str, found: Sequence[Mapping[str, Any]], ranks: Sequence[int]
) -> None:
    """The rows in a temporary table `staged`, with the types of the table they are for."""
    columns = _columns(connection, table)
    arrays = [_array([values.get(name) for values in found], kind) for name, kind in columns.items()]
    frame = pa.Table.from_arrays([*arrays, pa.array(ranks, pa.int64())], names=[*columns, "rank"])
    connection.register("staged_frame", frame)
    casts = ", ".join(f"{name}::{kind} AS {name}" for name, kind in columns.items())
    connection.execute(f"CREATE OR REPLACE TEMP TABLE staged AS SELECT {casts}, rank FROM staged_frame")
    connection.unregister("staged_frame")


def _array(values: list[Any], kind: str) -> pa.Array:
    arrow = _ARROW[kind]
    if pa.types.is_timestamp(arrow):
        return pa.array(values, pa.int64()).cast(arrow)
    return pa.array(values, arrow)


def _columns(connection: duckdb.DuckDBPyConnection, table: str) -> dict[str, str]:
    found = rows(
        connection,
        "SELECT column_name, data_type FROM duckdb_columns() WHERE database_name = current_database()"
        " AND schema_name = 'stripe' AND table_name = $table ORDER BY column_index",
        {"table": table},
    )
    return {str(name): str(kind) for name, kind in found}


def row_counts(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """Rows of each table."""
    return {table: scalar(connection, f"SELECT count(*) FROM stripe.{table}") for table in TABLES}
