"""The look-ups that an app makes all day, on a ledger laid out as postings lay it out: no index, only zone maps."""

from __future__ import annotations

import random
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import duckdb

from bench.measure import median
from pipelines.warehouse.connection import open_warehouse
from pipelines.warehouse.migrations import migrate

DEFAULT_ROWS = 2_000_000
POSTINGS = 100
ASKED = 15
TARGET_ROWS = 100_000_000
_DAY = "(TIMESTAMPTZ '2026-01-01 00:00:00+00' + to_days({posting}::INTEGER))"
# Rows of one posting: a day's calls and one purchase in 500, ordered by account as a posting writes them.
_FILL = """
INSERT INTO books.token_transactions BY NAME
SELECT (printf('%012x', epoch_ms(happened_at)) || '8' || digest[1:3] || '8' || digest[4:18])::UUID AS transaction_id,
    'account-' || account AS account_id, number AS account_seq, 'workspace-' || (account % 500) AS workspace_id,
    CASE WHEN bought THEN 'purchase' ELSE 'usage' END AS transaction_type,
    CASE WHEN bought THEN 100000 ELSE -1500 END::BIGINT AS token_amount,
    0::BIGINT AS balance_before, token_amount AS balance_after,
    CASE WHEN bought THEN 1000 END AS amount_cents, CASE WHEN bought THEN 'usd' END AS currency,
    CASE WHEN bought THEN NULL ELSE transaction_id END AS usage_id,
    CASE WHEN bought THEN 'pi_' || digest[1:24] END AS stripe_payment_intent_id,
    happened_at AS occurred_at, {day} + INTERVAL 1 DAY AS recorded_at,
    strftime(happened_at, '%Y-%m') AS period, {posting} AS posting_id
FROM (
    SELECT i + {first} AS number, md5((i + {first})::VARCHAR) AS digest, hash(i + {first}) % {accounts} AS account,
        (i + {first}) % 500 = 0 AS bought,
        {day} + to_microseconds((hash(i, {posting}) % 86400000000)::BIGINT) AS happened_at
    FROM range({count}) AS numbers(i))
ORDER BY account_id, happened_at
"""
_USAGE = """
INSERT INTO books.token_usage BY NAME
SELECT usage_id, 'k'::BLOB AS event_key, account_id, workspace_id, 'project-' || (hash(usage_id) % 2000) AS project_id,
    'chat' AS operation_type, 'model' AS model, 900 AS input_tokens, 100 AS output_tokens, 1000 AS total_tokens,
    0 AS cache_read_tokens, 0 AS cache_write_5m_tokens, 0 AS cache_write_1h_tokens, 0 AS reasoning_tokens,
    0 AS audio_input_tokens, 0 AS audio_output_tokens, 0 AS image_input_tokens, 0 AS image_output_tokens,
    0 AS image_count, 1500 AS billable_tokens, 'multiplier' AS charge_type, 1.5 AS multiplier, 's' AS settings_version,
    true AS success, occurred_at, recorded_at, posting_id, 1 AS file_id, account_seq AS line_no, 1 AS record_no,
    occurred_at::DATE AS billing_date
FROM books.token_transactions WHERE usage_id IS NOT NULL AND posting_id = {posting} ORDER BY account_id, account_seq
"""
_SMALL = """
INSERT INTO books.token_accounts BY NAME
SELECT 'account-' || i AS account_id, 'user-' || i AS user_id, 'workspace-' || (i % 500) AS workspace_id, 0 AS balance,
    0 AS lifetime_tokens_purchased, 0 AS lifetime_tokens_used, 0 AS lifetime_actual_tokens_used,
    0 AS lifetime_spent_cents, false AS auto_recharge_enabled,
    CASE WHEN i % 100 = 0 THEN 'suspended' ELSE 'active' END AS status, 'ok' AS balance_level,
    now() AS created_at, now() AS updated_at FROM range({accounts}) AS numbers(i);
INSERT INTO books.token_pricing BY NAME
SELECT 'package-' || i AS package_id, 'Package' AS package_name, 1000 AS token_amount, 100 AS price_cents,
    false AS is_popular, i AS sort_order, i % 2 = 0 AS active, now() AS created_at, now() AS updated_at,
    'v' || i AS package_version FROM range(20) AS numbers(i);
"""


class Lookup(NamedTuple):
    """What is looked up, the query, and the query that draws the values to ask for."""

    what: str
    query: str
    values: str


_LEDGER = "FROM books.token_transactions"
_USAGE_ROWS = "FROM books.token_usage"
_ONE = "FROM (FROM books.token_transactions USING SAMPLE 20000 (reservoir, 7))"
LOOKUPS = (
    Lookup("one account", "FROM books.token_accounts WHERE account_id = $1", f"SELECT account_id {_ONE}"),
    Lookup(
        "accounts by user", "FROM books.token_accounts WHERE user_id = $1", f"SELECT 'user-' || account_id[9:] {_ONE}"
    ),
    Lookup("accounts by status", "FROM books.token_accounts WHERE status = $1", "SELECT 'suspended'"),
    Lookup("ledger by account", f"{_LEDGER} WHERE account_id = $1", f"SELECT account_id {_ONE}"),
    Lookup(
        "ledger by account and a week",
        f"{_LEDGER} WHERE account_id = $1 AND occurred_at >= $2::TIMESTAMPTZ AND occurred_at < $2::TIMESTAMPTZ "
        "+ INTERVAL 7 DAY",
        f"SELECT account_id, occurred_at::VARCHAR {_ONE}",
    ),
    Lookup("ledger by workspace", f"{_LEDGER} WHERE workspace_id = $1", f"SELECT workspace_id {_ONE}"),
    Lookup("ledger by type: purchases", f"{_LEDGER} WHERE transaction_type = $1", "SELECT 'purchase'"),
    Lookup(
        "ledger by PaymentIntent",
        f"{_LEDGER} WHERE stripe_payment_intent_id = $1",
        f"SELECT stripe_payment_intent_id {_ONE} WHERE stripe_payment_intent_id IS NOT NULL",
    ),
    Lookup("ledger row by key", f"{_LEDGER} WHERE transaction_id = $1::UUID", f"SELECT transaction_id::VARCHAR {_ONE}"),
    Lookup(
        "calls by project",
        f"{_USAGE_ROWS} WHERE project_id = $1",
        "SELECT project_id FROM (FROM books.token_usage USING SAMPLE 1000 (reservoir, 7))",
    ),
    Lookup("active packages in order", "FROM books.token_pricing WHERE active ORDER BY sort_order", "SELECT 1"),
    Lookup("settings in force", "FROM books.system_settings WHERE superseded_by IS NULL", "SELECT 1"),
)


def run(rows: int | None, repeats: int) -> None:
    """Print median milliseconds at a quarter of the rows and at all of them; `repeats` has no meaning here."""
    del repeats
    count = rows or DEFAULT_ROWS
    few, many = _measure(count // 4), _measure(count)
    print(f"lookups: median ms of {ASKED} questions, whole rows fetched, {POSTINGS} postings")
    print(f"  {'':32s}{count // 4:>12,}{count:>12,}{'rows found':>12s}{'if linear, ' + f'{TARGET_ROWS:,}':>24s}")
    for lookup in LOOKUPS:
        (small, _), (large, found) = few[lookup.what], many[lookup.what]
        per_row = max(0.0, (large - small) / (count - count // 4))
        guess = (
            f"{large + per_row * (TARGET_ROWS - count):,.0f} ms"
            if lookup.query.startswith((_LEDGER, _USAGE_ROWS))
            else "does not grow"
        )
        print(f"  {lookup.what:32s}{small:12.2f}{large:12.2f}{found:12,.0f}{guess:>24s}")
    print("  the last column is no measurement: it draws the line through the two before it\n")


def _measure(count: int) -> dict[str, tuple[float, float]]:
    with tempfile.TemporaryDirectory(prefix="bench-lookups-") as scratch:
        path = Path(scratch) / "warehouse" / "tollbook.duckdb"
        with open_warehouse(path) as connection:
            migrate(connection, path)
            fill(connection, count)
        with duckdb.connect(str(path), read_only=True) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            return {lookup.what: ask(connection, lookup) for lookup in LOOKUPS}


def fill(connection: duckdb.DuckDBPyConnection, count: int) -> None:
    """Lay out `count` ledger rows in 100 postings of a day each."""
    accounts, size = max(100, count // 200), count // POSTINGS
    for statement in _SMALL.format(accounts=accounts).split(";"):
        connection.execute(statement) if statement.strip() else None
    for posting in range(1, POSTINGS + 1):
        day = _DAY.format(posting=posting)
        connection.execute(_FILL.format(day=day, posting=posting, first=posting * size, count=size, accounts=accounts))
        connection.execute(_USAGE.format(posting=posting))
    connection.execute("CHECKPOINT")


def ask(connection: duckdb.DuckDBPyConnection, lookup: Lookup) -> tuple[float, float]:
    """Median milliseconds and median rows found, of questions with seeded values."""
    values = random.Random(7).choices(sorted(set(connection.execute(lookup.values).fetchall())), k=ASKED)
    spent, found = [], []
    for value in values:
        parameters = list(value) if "$1" in lookup.query else None
        began = time.perf_counter()
        answer = connection.sql(lookup.query, params=parameters).to_arrow_table()
        spent.append((time.perf_counter() - began) * 1000)
        found.append(answer.num_rows)
    return median(spent), median(found)
