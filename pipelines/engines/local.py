# ruff: noqa: S608  -- column names of a fixed list only; values are bound
"""The local engine: Polars prices calls with the core's expressions, a run of rows at a time, so memory stays bounded.

How many runs there were leaves no trace in the result.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import narwhals as nw

from billing_core.rating import EVENT_COLUMNS, rate
from pipelines.engines.frames import with_frame
from pipelines.engines.tiered import price_tiered_calls
from pipelines.parsed_sql import statements
from pipelines.warehouse.script import run_script, scalar

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import duckdb

    from billing_core.price_book import PriceBook

RUN_ROWS = 250_000
"""Rows that are held in memory at a time."""

_TABLE = """
CREATE OR REPLACE TEMP TABLE usage_rated (
    row_id BIGINT, account_id VARCHAR, occurred_at TIMESTAMPTZ, supersedes BOOLEAN, usage_id UUID, transaction_id UUID,
    settings_version VARCHAR, rate_id VARCHAR, rate_version VARCHAR, charge_type VARCHAR, multiplier_ppm BIGINT,
    fixed_cost BIGINT, billable_tokens BIGINT, rating_reason VARCHAR, total_tokens BIGINT)
"""
_NEW_CALLS = """
SELECT *, epoch_us(occurred_at) AS occurred_us FROM classified_usage
WHERE disposition = 'accepted' AND row_id BETWEEN $first AND $last
"""
_HELD_CALLS = """
SELECT *, epoch_us(occurred_at) AS occurred_us FROM held_calls
WHERE row_id BETWEEN $first AND $last
"""
_COLUMNS = ", ".join(column for column in EVENT_COLUMNS if column not in {"account_id", "workspace", "plan"})
_WITHOUT_SCOPE = f"""
SELECT account_id, NULL::VARCHAR AS workspace, NULL::VARCHAR AS plan, {_COLUMNS} FROM ({{calls}})
"""
_WITH_SCOPE = f"""
SELECT calls.account_id, span.workspace, span.plan, {_COLUMNS}
FROM ({{calls}}) AS calls
ASOF LEFT JOIN account_spans AS span
    ON span.account_id = calls.account_id AND calls.occurred_us >= span.starts_us
"""
_KEEP_NEW = """
INSERT INTO usage_rated
SELECT
    rated.row_id, usage.account_id, usage.occurred_at, usage.supersedes,
    derived_id_of_hex(usage.occurred_at, 'event', hex(usage.event_key)),
    derived_id_of_hex(usage.occurred_at, 'usage', hex(usage.event_key)),
    rated.settings_version, rated.rate_id, rated.rate_version, rated.charge_type, rated.multiplier_ppm,
    rated.fixed_cost, rated.billable_tokens, rated.rating_reason, usage.total_tokens
FROM rated_run AS rated
JOIN classified_usage AS usage USING (row_id)
"""
# A held call that is still held leaves no row; one that is priced corrects nothing but is no new event either.
_KEEP_HELD = """
INSERT INTO usage_rated
SELECT
    rated.row_id, held.account_id, held.occurred_at, true, held.usage_id,
    derived_id_of_hex(held.occurred_at, 'usage', hex(held.event_key)),
    rated.settings_version, rated.rate_id, rated.rate_version, rated.charge_type, rated.multiplier_ppm,
    rated.fixed_cost, rated.billable_tokens, rated.rating_reason, held.total_tokens
FROM rated_run AS rated
JOIN held_calls AS held USING (row_id)
WHERE rated.charge_type IS NOT NULL
"""


def rate_usage(
    connection: duckdb.DuckDBPyConnection, book: PriceBook, parameters: Mapping[str, object], *, with_held: bool
) -> bool:
    """Price every accepted row of ``classified_usage`` into the temp table ``usage_rated``, one row each.

    ``with_held``: calls that were held before and that the book prices now come too, with row numbers below 0; so do
    calls whose month under volume tiers came to another tier. Returns whether there can be any of the latter.
    """
    connection.execute(_TABLE)
    scoped = _with_scopes(connection, book)
    count = scalar(connection, "SELECT coalesce(max(row_id), 0) FROM classified_usage")
    for first, last in _runs(count):
        _rate(connection, book, scoped.format(calls=_NEW_CALLS), _KEEP_NEW, first, last)
    if with_held:
        run_script(connection, "posting/02_held.sql", parameters)
        # What this posting brings a later version of is priced by that.
        connection.execute(
            "DELETE FROM held_calls WHERE event_key IN (SELECT event_key FROM classified_usage WHERE supersedes)"
        )
        _rate_held(connection, book, scoped)
    return price_tiered_calls(connection, parameters)


def prices_held_calls(connection: duckdb.DuckDBPyConnection, book: PriceBook) -> bool:
    """Whether the book prices a call of the books that no rule did."""
    run_script(connection, "posting/02_held.sql", {})
    if not scalar(connection, "SELECT count(*) FROM held_calls"):
        return False
    connection.execute(_TABLE)
    _rate_held(connection, book, _with_scopes(connection, book))
    return scalar(connection, "SELECT count(*) FROM usage_rated") > 0


def _rate_held(connection: duckdb.DuckDBPyConnection, book: PriceBook, scoped: str) -> None:
    count = scalar(connection, "SELECT count(*) FROM held_calls")
    for first, last in _runs(count):
        _rate(connection, book, scoped.format(calls=_HELD_CALLS), _KEEP_HELD, -last, -first)


def _runs(count: int) -> Iterator[tuple[int, int]]:
    return ((first, first + RUN_ROWS - 1) for first in range(1, count + 1, RUN_ROWS))


def _rate(connection: duckdb.DuckDBPyConnection, book: PriceBook, calls: str, keep: str, first: int, last: int) -> None:
    events = connection.sql(statements(calls)[0], params={"first": first, "last": last}).pl()
    if events.height:
        rated = rate(nw.from_native(events.lazy()), book).to_native().collect()
        with_frame(connection, "rated_run", rated, keep)


def _with_scopes(connection: duckdb.DuckDBPyConnection, book: PriceBook) -> str:
    """The query that adds workspace and plan of the account's version in force, where a rule asks for them."""
    if not any(rule.match.workspace or rule.match.plan for rule in book.rates):
        return _WITHOUT_SCOPE
    run_script(connection, "posting/02_account_spans.sql", {})
    return _WITH_SCOPE
