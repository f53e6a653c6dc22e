"""The tables of a posting that the graph shows, each partitioned by billing date."""

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import dagster as dg

from pipelines.assets import inputs
from pipelines.warehouse.connection import open_warehouse
from pipelines.warehouse.migrations import migrate

USAGE_FILES = dg.AssetKey(["audit", "usage_files"])
TOKEN_USAGE = dg.AssetKey(["books", "token_usage"])
TOKEN_TRANSACTIONS = dg.AssetKey(["books", "token_transactions"])
TOKEN_ACCOUNTS = dg.AssetKey(["books", "token_accounts"])
TABLES = (USAGE_FILES, TOKEN_USAGE, TOKEN_TRANSACTIONS, TOKEN_ACCOUNTS)

_DAY_BEFORE = dg.TimeWindowPartitionMapping(start_offset=-1, end_offset=-1)

_DESCRIPTIONS = {
    USAGE_FILES: """The manifest: one row per input file that a posting took, saw again or refused.

Its counts say what became of every record of the file: received = accepted + duplicate + superseded + conflict +
ignored + quarantined + blank. The disposition of each single line is in `audit.line_dispositions`, what could not be
read in `audit.quarantine`.""",
    TOKEN_USAGE: """Rated usage: one row per accepted call, with the price that it got and the rule that gave it.

`billable_tokens` are whole tokens, rounded up once per call; empty while a call is held because no rule prices it.
Costs of the provider are in nano-dollars.""",
    TOKEN_TRANSACTIONS: """The ledger: one append-only row per movement of tokens, numbered per account without a gap.

`token_amount` is in whole tokens, positive where it adds and negative where it takes;
`balance_after = balance_before + token_amount`. Money is in minor units (cents) beside its currency.""",
    TOKEN_ACCOUNTS: """Balances after the posting: one row per account, in whole tokens.

A balance is what the account's token lots (`finance.credit_lots`) still hold less its uncovered debt.

Each date starts from the balances of the date before. A date whose predecessors still wait posts those first, so no
balance ever skips a day that has files.""",
}

_UPSTREAM: dict[dg.AssetKey, list[dg.AssetKey]] = {
    USAGE_FILES: [inputs.USAGE_LOGS, inputs.ACCOUNTS, inputs.CREDITS],
    TOKEN_USAGE: [USAGE_FILES, inputs.RATES],
    TOKEN_TRANSACTIONS: [TOKEN_USAGE, USAGE_FILES, inputs.PACKAGES, inputs.ADMIN_JOURNAL],
    TOKEN_ACCOUNTS: [TOKEN_TRANSACTIONS],
}

_KINDS = {
    USAGE_FILES: {"duckdb", "sql"},
    TOKEN_USAGE: {"duckdb", "polars"},
    TOKEN_TRANSACTIONS: {"duckdb", "polars"},
    TOKEN_ACCOUNTS: {"duckdb", "sql"},
}


def table_name(key: dg.AssetKey) -> str:
    """`schema.table` of an asset key."""
    return ".".join(key.path)


def table_specs() -> list[dg.AssetSpec]:
    """The assets of one posting, from the files to the balances."""
    return [_spec(key) for key in TABLES]


def _spec(key: dg.AssetKey) -> dg.AssetSpec:
    deps = [dg.AssetDep(upstream) for upstream in _UPSTREAM[key]]
    if key == TOKEN_ACCOUNTS:
        deps.append(dg.AssetDep(key, partition_mapping=_DAY_BEFORE))
    return dg.AssetSpec(
        key,
        deps=deps,
        description=_DESCRIPTIONS[key],
        kinds=_KINDS[key],
        group_name="billing",
        metadata={
            "dagster/column_schema": column_schema(table_name(key)),
            "dagster/table_name": f"tollbook.{table_name(key)}",
        },
    )


def column_schema(table: str) -> dg.TableSchema:
    """The columns of a `schema.table`, with their comments where the schema has any."""
    columns = [
        dg.TableColumn(name, kind, description=comment, constraints=dg.TableColumnConstraints(nullable=nullable))
        for owner, name, kind, nullable, comment in _columns()
        if owner == table
    ]
    return dg.TableSchema(columns=columns)


@cache
def _columns() -> list[tuple[str, str, str, bool, str | None]]:
    """Every column of the migrated schema, asked of an empty database that is thrown away: it needs no books."""
    with TemporaryDirectory() as folder, open_warehouse(Path(folder) / "empty.duckdb") as connection:
        migrate(connection, Path(folder) / "empty.duckdb")
        return connection.execute(
            "SELECT schema_name || '.' || table_name, column_name, data_type, is_nullable, comment"
            " FROM duckdb_columns() WHERE NOT internal ORDER BY schema_name, table_name, column_index"
        ).fetchall()
