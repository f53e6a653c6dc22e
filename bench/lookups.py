"""The look-ups that an app makes all day, on a copy laid out as postings lay it out: by scan, and as published."""

from __future__ import annotations

import random
import resource
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import duckdb

from bench.measure import median
from pipelines.warehouse.connection import open_warehouse
from pipelines.warehouse.lookup_indexes import INDEX_FROM_ROWS, index_large_tables
from pipelines.warehouse.migrations import migrate
from pipelines.warehouse.publish import publish

if TYPE_CHECKING:
    from collections.abc import Callable

DEFAULT_ROWS = 2_000_000
POSTINGS = 100
ASKED = 15
_DAY = "(TIMESTAMPTZ '2026-01-01 00:00:00+00' + to_days({posting}::INTEGER))"
# Rows of one posting: a day's calls and one purchase in 500, ordered by account as a posting writes them.
_FILL = """
INSERT INTO books.token_transactions BY NAME
SELECT (printf('%012x', epoch_ms(happened_at)) || '8' || digest[1:3] || '8' || digest[4:18])::UUID AS transaction_id,
    'account-' || account AS account_id, number AS account_seq, 'workspace-' || (account // 5) AS workspace_id,
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
    true AS success, false AS gateway_cache_hit, false AS cancelled,
    occurred_at, recorded_at, posting_id, 1 AS file_id, account_seq AS line_no, 1 AS record_no,
    occurred_at::DATE AS billing_date
FROM books.token_transactions WHERE usage_id IS NOT NULL AND posting_id = {posting} ORDER BY account_id, account_seq
"""
_POSTING = """
INSERT INTO audit.postings BY NAME
SELECT {posting} AS posting_id, {day}::DATE AS billing_date, {day} + INTERVAL 1 DAY AS recorded_at, 'h' AS intent_hash,
    'run' AS kind, 0 AS files, {count} AS received, {count} AS accepted, 0 AS duplicate, 0 AS superseded, 0 AS conflict,
    0 AS ignored, 0 AS quarantined, 0 AS blank, {count} AS usage_rows, {count} AS ledger_rows, 0 AS held_rows,
    0 AS tokens_billed, 0 AS tokens_credited, 0 AS admin_seq, '0' AS code_version, 'h' AS previous_head, 'h' AS head
"""
_SMALL = """
INSERT INTO books.token_accounts BY NAME
SELECT 'account-' || i AS account_id, 'user-' || i AS user_id, 'workspace-' || (i // 5) AS workspace_id, 0 AS balance,
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
        "call by key",
        f"{_USAGE_ROWS} WHERE usage_id = $1::UUID",
        f"SELECT usage_id::VARCHAR {_ONE} WHERE usage_id IS NOT NULL",
    ),
    Lookup("calls by account", f"{_USAGE_ROWS} WHERE account_id = $1", f"SELECT account_id {_ONE}"),
    Lookup(
        "calls by project",
        f"{_USAGE_ROWS} WHERE project_id = $1",
        "SELECT project_id FROM (FROM books.token_usage USING SAMPLE 1000 (reservoir, 7))",
    ),
    Lookup("active packages in order", "FROM books.token_pricing WHERE active ORDER BY sort_order", "SELECT 1"),
    Lookup("settings in force", "FROM books.system_settings WHERE superseded_by IS NULL", "SELECT 1"),
)


class Asked(NamedTuple):
    """Median milliseconds, CPU milliseconds per question and median rows of a look-up."""

    wall_ms: float
    cpu_ms: float
    rows: float


def run(rows: int | None, repeats: int) -> None:
    """Print each look-up on a published copy by scan, the baseline, and with the indexes of a large copy.

    And what one more posting costs to publish into either.
    """
    del repeats
    count = rows or DEFAULT_ROWS
    with tempfile.TemporaryDirectory(prefix="bench-lookups-") as scratch:
        live, copy = Path(scratch) / "warehouse" / "tollbook.duckdb", Path(scratch) / "published" / "tollbook.duckdb"
        with open_warehouse(live) as connection:
            migrate(connection, live)
            fill(connection, count)
            first = _costs(lambda: publish(connection, copy, index_from=10 * count))
            plain, scanned = copy.stat().st_size, _ask_all(copy)
            delta = _publish_one_more(connection, copy, count, POSTINGS + 1, index_from=10 * count)
            made = _costs(lambda: _index(connection, copy))
            large, indexed = copy.stat().st_size, _ask_all(copy)
            indexed_delta = _publish_one_more(connection, copy, count, POSTINGS + 2, index_from=1)
    _show(count, scanned, indexed)
    print(f"  first copy: {first}; {plain / 1e6:,.0f} MB")
    print(f"  indexes:    {made}; then {large / 1e6:,.0f} MB")
    print(f"  a posting of {count // POSTINGS:,} more rows, published without indexes: {delta}; with: {indexed_delta}")
    print(f"  a real copy has indexes from {INDEX_FROM_ROWS:,} rows of a table on\n")


def _publish_one_more(
    connection: duckdb.DuckDBPyConnection, copy: Path, count: int, posting: int, *, index_from: int
) -> str:
    """Publish one more posting into a standby that stands where the copy stands; what that costs."""
    shutil.copyfile(copy, copy.with_name(".standby.duckdb"))
    _fill_posting(connection, count, posting)
    connection.execute("CHECKPOINT")
    return _costs(lambda: publish(connection, copy, index_from=index_from))


def _index(connection: duckdb.DuckDBPyConnection, copy: Path) -> None:
    connection.execute(f"ATTACH '{copy}' AS published")
    index_large_tables(connection, 1)
    connection.execute("DETACH published")


def _costs(step: Callable[[], object]) -> str:
    """CPU seconds of a step, and the peak memory of this process when it is done."""
    began = time.process_time()
    step()
    unit = 1 if sys.platform == "darwin" else 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    return f"{time.process_time() - began:.1f} CPU s, peak so far {peak / 2**30:.1f} GiB"


def _show(count: int, scanned: dict[str, Asked], indexed: dict[str, Asked]) -> None:
    print(f"lookups: {ASKED} questions each, whole rows fetched, {count:,} ledger rows in {POSTINGS} postings")
    print(f"  {'':30s}{'rows':>8s}{'scan ms':>11s}{'scan CPU':>11s}{'copy ms':>11s}{'copy CPU':>11s}{'CPU ratio':>11s}")
    for lookup in LOOKUPS:
        base, fast = scanned[lookup.what], indexed[lookup.what]
        print(
            f"  {lookup.what:30s}{fast.rows:8,.0f}{base.wall_ms:11.2f}{base.cpu_ms:11.2f}{fast.wall_ms:11.2f}"
            f"{fast.cpu_ms:11.2f}{fast.cpu_ms / max(base.cpu_ms, 0.001):11.2f}"
        )


def _ask_all(copy: Path) -> dict[str, Asked]:
    with duckdb.connect(str(copy), read_only=True) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        return {lookup.what: ask(connection, lookup) for lookup in LOOKUPS}


def fill(connection: duckdb.DuckDBPyConnection, count: int) -> None:
    """Lay out `count` ledger rows in 100 postings of a day each."""
    for statement in _SMALL.format(accounts=_accounts(count)).split(";"):
        connection.execute(statement) if statement.strip() else None
    for posting in range(1, POSTINGS + 1):
        _fill_posting(connection, count, posting)
    connection.execute("CHECKPOINT")


def _fill_posting(connection: duckdb.DuckDBPyConnection, count: int, posting: int) -> None:
    """One posting of a hundredth of `count` rows, on a day of its own."""
    size, day = count // POSTINGS, _DAY.format(posting=posting)
    accounts = _accounts(count)
    connection.execute(_FILL.format(day=day, posting=posting, first=posting * size, count=size, accounts=accounts))
    connection.execute(_USAGE.format(posting=posting))
    connection.execute(_POSTING.format(day=day, posting=posting, count=size))


def _accounts(count: int) -> int:
    return max(100, count // 200)


def ask(connection: duckdb.DuckDBPyConnection, lookup: Lookup) -> Asked:
    """Ask for seeded values; what a question costs."""
    values = random.Random(7).choices(sorted(set(connection.execute(lookup.values).fetchall())), k=ASKED)
    spent, found, cpu = [], [], time.process_time()
    for value in values:
        parameters = list(value) if "$1" in lookup.query else None
        began = time.perf_counter()
        answer = connection.sql(lookup.query, params=parameters).to_arrow_table()
        spent.append((time.perf_counter() - began) * 1000)
        found.append(answer.num_rows)
    return Asked(median(spent), (time.process_time() - cpu) * 1000 / ASKED, median(found))
