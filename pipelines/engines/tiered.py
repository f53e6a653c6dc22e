"""Tiered calls of a posting: priced where they stand in their account's month, shard by shard of accounts.

The shard count leaves no trace in the result: an account is never split.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import narwhals as nw

from billing_core.charges import Tier, TierCharge
from billing_core.tiers import price_tiers
from pipelines.engines.frames import with_frame
from pipelines.parsed_sql import statements
from pipelines.warehouse.script import rows, run_script, scalar

if TYPE_CHECKING:
    from collections.abc import Mapping

    import duckdb

SHARD_ROWS = 1_000_000
"""Calls that are held in memory at a time, about."""

_SHARD = """
SELECT row_id, account_id, period, epoch_us(occurred_at) AS occurred_us, transaction_id::VARCHAR AS order_id, rate_id,
    rate_version, total_tokens, opening, known_position, month_tokens
FROM calls_to_price WHERE hash(account_id) % $shards = $shard
"""
_KEEP = """
INSERT INTO tiered_prices
SELECT row_id, position, billable_tokens, multiplier_ppm, rating_reason FROM tiered_run
"""


_RULES = """
SELECT rate_version, integers, (charge -> '$.volume') IS NOT NULL FROM books.rates
WHERE (integers -> '$.tiers') IS NOT NULL
"""


def price_tiered_calls(connection: duckdb.DuckDBPyConnection, parameters: Mapping[str, object]) -> bool:
    """Price the calls of ``usage_rated`` that their tiers decide, and keep the place that each takes in its month.

    Calls of before in a month under volume tiers that is over come to ``usage_rated`` where the month's total prices
    them otherwise. Returns whether any rule of the books has tiers.
    """
    found = rows(connection, _RULES)
    charges = {str(version): _charge(integers, is_volume) for version, integers, is_volume in found}
    if not charges:
        return False
    run_script(connection, "posting/02_tiered.sql", parameters)
    shards = max(1, -(-scalar(connection, "SELECT count(*) FROM calls_to_price") // SHARD_ROWS))
    for shard in range(shards):
        calls = connection.sql(statements(_SHARD)[0], params={"shards": shards, "shard": shard}).pl()
        if calls.height:
            priced = price_tiers(nw.from_native(calls.lazy()), charges).to_native().collect()
            with_frame(connection, "tiered_run", priced, _KEEP)
    run_script(connection, "posting/02_tiered_prices.sql", parameters)
    return True


def _charge(integers: object, is_volume: object) -> TierCharge:
    tiers = json.loads(str(integers))["tiers"]
    return TierCharge(tuple(Tier(tier["up_to"], tier["ppm"]) for tier in tiers), is_volume=bool(is_volume))
