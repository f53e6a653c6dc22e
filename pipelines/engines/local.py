"""The local engine: Polars prices calls with the core's expressions, a run of rows at a time, so memory stays bounded.

How many runs there were leaves no trace in the result.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import narwhals as nw

from billing_core.rating import rate
from pipelines.engines.frames import with_frame

if TYPE_CHECKING:
    import duckdb

    from billing_core.settings import SettingsBook

RUN_ROWS = 250_000
"""Rows that are held in memory at a time."""

_TABLE = """
CREATE OR REPLACE TEMP TABLE usage_rated (
    row_id BIGINT, account_id VARCHAR, occurred_at TIMESTAMPTZ, supersedes BOOLEAN, usage_id UUID, transaction_id UUID,
    settings_version VARCHAR, rate_id VARCHAR, rate_version VARCHAR, charge_type VARCHAR, multiplier_ppm BIGINT,
    fixed_cost BIGINT, billable_tokens BIGINT, rating_reason VARCHAR)
"""
_TO_RATE = """
SELECT row_id, epoch_us(occurred_at) AS occurred_us, operation_type, model, total_tokens, image_count, success,
    gateway_cache_hit, cancelled
FROM classified_usage
WHERE disposition = 'accepted' AND row_id BETWEEN $first AND $last
"""
_KEEP = """
INSERT INTO usage_rated
SELECT
    rated.row_id, usage.account_id, usage.occurred_at, usage.supersedes,
    derived_id_of_hex(usage.occurred_at, 'event', hex(usage.event_key)),
    derived_id_of_hex(usage.occurred_at, 'usage', hex(usage.event_key)),
    rated.settings_version, rated.rate_id, rated.rate_version, rated.charge_type, rated.multiplier_ppm,
    rated.fixed_cost, rated.billable_tokens, rated.rating_reason
FROM rated_run AS rated
JOIN classified_usage AS usage USING (row_id)
"""


def rate_usage(connection: duckdb.DuckDBPyConnection, book: SettingsBook) -> None:
    """Price every accepted row of ``classified_usage`` into the temp table ``usage_rated``, one row each."""
    connection.execute(_TABLE)
    count = connection.execute("SELECT coalesce(max(row_id), 0) FROM classified_usage").fetchall()[0][0]
    for first in range(1, count + 1, RUN_ROWS):
        events = connection.sql(_TO_RATE, params={"first": first, "last": first + RUN_ROWS - 1}).pl()
        if events.height:
            rated = rate(nw.from_native(events.lazy()), book).to_native().collect()
            with_frame(connection, "rated_run", rated, _KEEP)
