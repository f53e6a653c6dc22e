"""Tiered calls of a posting: priced where they stand in their account's month, shard by shard of accounts.

The shard count leaves no trace in the result: an account is never split.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import narwhals as nw

from billing_core.tiers import price_tiers
from pipelines.engines.frames import with_frame
from pipelines.warehouse.script import run_script, scalar

if TYPE_CHECKING:
    from collections.abc import Mapping

    import duckdb

    from billing_core.price_book import PriceBook

SHARD_ROWS = 1_000_000
"""Calls that are held in memory at a time, about."""

_SHARD = """
SELECT row_id, account_id, period, epoch_us(occurred_at) AS occurred_us, transaction_id::VARCHAR AS order_id, rate_id,
    rate_version, total_tokens, opening, known_position
FROM tiered_calls WHERE hash(account_id) % $shards = $shard
"""
_KEEP = """
INSERT INTO tiered_prices
SELECT row_id, position, billable_tokens, multiplier_ppm, rating_reason FROM tiered_run
"""


def price_tiered_calls(
    connection: duckdb.DuckDBPyConnection, book: PriceBook, parameters: Mapping[str, object]
) -> None:
    """Price the calls of ``usage_rated`` that their tiers decide, and keep the place that each takes in its month."""
    if not scalar(connection, "SELECT count(*) FROM usage_rated WHERE charge_type = 'tiered'"):
        return
    run_script(connection, "posting/02_tiered.sql", parameters)
    shards = max(1, -(-scalar(connection, "SELECT count(*) FROM tiered_calls") // SHARD_ROWS))
    for shard in range(shards):
        calls = connection.sql(_SHARD, params={"shards": shards, "shard": shard}).pl()
        if calls.height:
            priced = price_tiers(nw.from_native(calls.lazy()), book).to_native().collect()
            with_frame(connection, "tiered_run", priced, _KEEP)
    run_script(connection, "posting/02_tiered_prices.sql", parameters)
