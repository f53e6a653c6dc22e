"""World files and typed tables: Parquet per table beside labels.csv and world.json, and how our engine loads them."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING

import polars as pl

from bench.recon.closing import close_world
from bench.recon.world import ACCOUNT, AS_OF, EPOCH, PACKAGES, World

if TYPE_CHECKING:
    from pathlib import Path

    import duckdb

_SEEN = "TIMESTAMPTZ '2026-09-01 00:00:00+00'"
_COMMON = f"NULL AS api_version, {_SEEN} AS fetched_at, {_SEEN} AS first_fetched_at, '' AS raw_sha256, 'world' AS source_file, 0 AS source_line"
_OWNED = f"'{ACCOUNT}' AS stripe_account, false AS livemode"
DEFAULTS: dict[str, str] = {
    "payment_intents": f"{_OWNED}, {_COMMON}",
    "charges": f"{_OWNED}, {_COMMON}",
    "refunds": f"{_OWNED}, {_COMMON}",
    "disputes": f"{_OWNED}, {_COMMON}",
    "balance_transactions": f"{_OWNED}, {_COMMON}",
    "payouts": f"{_OWNED}, {_COMMON}",
    "payout_items": f"{_OWNED}, {_SEEN} AS fetched_at, 'world' AS source_file, 0 AS source_line",
    "balances": f"{_OWNED}, NULL AS api_version, '' AS raw_sha256, 'world' AS source_file, 0 AS source_line",
    "checkout_sessions": f"'payment' AS mode, 'paid' AS payment_status, [] AS price_ids, [] AS product_ids, '{{}}' AS metadata, {_OWNED}, {_COMMON}",
    "syncs": f"'s' AS sync_id, true AS is_full, window_end AS started_at, window_end AS finished_at, 0 AS requests, 0 AS objects, '' AS api_version, 'world' AS source_file, 0 AS source_line, {_OWNED}",
    "rejected": "'world' AS source_file, row_number() OVER () AS source_line, 'charge' AS object_type, '' AS line_sha256",
}
"""What a table needs beyond what a world says of it."""
_LEDGER = """
INSERT INTO books.token_transactions BY NAME
SELECT transaction_id::UUID AS transaction_id, account_id, account_seq, transaction_type, token_amount,
    balance_before, balance_before + token_amount AS balance_after, amount_cents, currency,
    stripe_payment_intent_id, stripe_refund_id, corrects_transaction_id::UUID AS corrects_transaction_id,
    tax_cents, discount_cents, CASE WHEN amount_cents IS NOT NULL THEN coalesce(settled_by, 'stripe') END AS settled_by,
    json_object('credit_id', credit_id, 'package_id', package_id, 'stripe_charge_id', stripe_charge_id,
        'source_credit_id', NULL) AS metadata,
    occurred_at, occurred_at AS recorded_at, period, 0 AS posting_id
FROM {source}
"""
_ACCOUNTS = """
INSERT INTO books.account_versions BY NAME
SELECT account_id, account_id AS user_id, auto_recharge_enabled, auto_recharge_threshold, stripe_customer_id, created_at,
    updated_at, 1 AS posting_id FROM {source}
"""
_PACKAGES = """
INSERT INTO books.token_pricing BY NAME
SELECT $1 AS package_id, $1 AS package_name, $2 AS token_amount, $3 AS price_cents, $4 AS price_eur, $5 AS price_gbp,
    false AS is_popular, 1 AS sort_order, true AS active, $6::TIMESTAMPTZ AS created_at, $6::TIMESTAMPTZ AS updated_at,
    'v' AS package_version
"""
_LEDGER_EXTRAS = ("tax_cents", "discount_cents", "settled_by")


def frames(world: World) -> dict[str, pl.DataFrame]:
    """Each table of a closed world; columns that only some rows state are empty in the others."""
    for row in world.rows["ledger"]:
        for name in _LEDGER_EXTRAS:
            row.setdefault(name, None)
    return {name: pl.DataFrame(rows, infer_schema_length=None) for name, rows in world.rows.items() if rows}


def write_world(world: World, folder: Path) -> None:
    """Write a world's files: one Parquet file per table, labels.csv, world.json."""
    close_world(world)
    folder.mkdir(parents=True, exist_ok=True)
    for name, frame in frames(world).items():
        frame.write_parquet(folder / f"{name}.parquet")
    with (folder / "labels.csv").open("w", newline="", encoding="utf-8") as file:
        out = csv.writer(file)
        out.writerow(["code", "subject", "aliases"])
        out.writerows([code, subject, " ".join(aliases)] for code, subject, aliases in world.labels)
    (folder / "world.json").write_text(json.dumps(terms_of(world), indent=2) + "\n", encoding="utf-8")


def terms_of(world: World) -> dict[str, object]:
    """What an engine must know beside the tables."""
    return {
        "seed": world.seed,
        "as_of": AS_OF.isoformat(),
        "timezone": "UTC",
        "mode": world.mode,
        "account": ACCOUNT,
        "livemode": False,
        "fee_bands": [{"method": "card", "country": None, "min_bp": 250, "max_bp": 350, "fixed": 30}]
        if world.fee_bands
        else [],
        "packages": [
            {"package_id": name, "token_amount": tokens, "prices": prices} for name, tokens, prices in PACKAGES
        ],
    }


def load_world(connection: duckdb.DuckDBPyConnection, world: World) -> None:
    """Put a closed world into the typed tables of an empty warehouse."""
    made = frames(world)
    for name, frame in made.items():
        connection.register("world_frame", frame.to_arrow())
        _load(connection, name, frame.columns, "world_frame")
        connection.unregister("world_frame")
    load_packages(connection)


def load_files(connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
    """The same from a world's files."""
    for path in sorted(folder.glob("*.parquet")):
        source = f"read_parquet('{path}')"
        columns = [str(row[0]) for row in connection.execute(f"DESCRIBE FROM {source}").fetchall()]
        _load(connection, path.stem, columns, source)
    load_packages(connection)


def load_packages(connection: duckdb.DuckDBPyConnection) -> None:
    """The packages of every world."""
    for name, tokens, prices in PACKAGES:
        connection.execute(_PACKAGES, [name, tokens, prices["usd"], prices["eur"], prices["gbp"], EPOCH])


def _load(connection: duckdb.DuckDBPyConnection, name: str, columns: list[str], source: str) -> None:
    match name:
        case "ledger":
            connection.execute(_LEDGER.format(source=source))
        case "accounts":
            connection.execute(_ACCOUNTS.format(source=source))
        case "closes":
            connection.execute(f"INSERT INTO audit.period_closes SELECT period, closed_at FROM {source}")  # noqa: S608 as above
        case "bank":
            pass  # the bank's statement is no table of the mirror: it is handed over with the terms
        case _:
            _load_stripe(connection, name, columns, source)


def _load_stripe(connection: duckdb.DuckDBPyConnection, table: str, columns: list[str], source: str) -> None:
    """A table of the mirror: what the world states, and a default for what it leaves open."""
    kinds = connection.execute(
        "SELECT column_name, data_type FROM duckdb_columns() WHERE schema_name = 'stripe' AND table_name = $1", [table]
    ).fetchall()
    defaults = dict(item.rsplit(" AS ", 1)[::-1] for item in _split(DEFAULTS[table]))
    chosen = []
    for column, kind in kinds:
        default = defaults.get(column, "NULL")
        stated = f"coalesce({column}::{kind}, {default})" if default != "NULL" else f"{column}::{kind}"
        chosen.append(f"{stated if column in columns else default} AS {column}")
    connection.execute(f"INSERT INTO stripe.{table} BY NAME SELECT {', '.join(chosen)} FROM {source}")  # noqa: S608 as above


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split(", ")]
