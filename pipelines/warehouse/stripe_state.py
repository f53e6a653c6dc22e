"""What the Stripe tables say before a sync: how objects looked, what is not final, what is not itemised."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.warehouse.script import rows
from pipelines.warehouse.stripe import KEYS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    import duckdb

_SCOPE = "stripe_account = $account AND livemode = $livemode"

OPEN = {
    "payment_intents": "status IN ('requires_confirmation', 'requires_action', 'processing', 'requires_capture')",
    "charges": "status = 'pending' OR (status = 'succeeded' AND captured AND balance_transaction_id IS NULL)",
    "refunds": "status IN ('pending', 'requires_action') OR (status = 'succeeded' AND balance_transaction_id IS NULL)",
    "disputes": "status NOT IN ('won', 'lost', 'warning_closed', 'prevented')",
    "payouts": "status IN ('pending', 'in_transit')"
    " OR (status = 'paid' AND arrival_date > $now::TIMESTAMPTZ - INTERVAL 7 DAY)"
    " OR (automatic AND status = 'paid' AND reconciliation_status = 'in_progress')",
}
"""What may still change without being young. An abandoned PaymentIntent is not among it: if somebody pays it after all,
there is an event. A paid payout may fail within five business days."""


def stored_hashes(connection: duckdb.DuckDBPyConnection, table: str, scope: Mapping[str, object]) -> dict[str, str]:
    """raw_sha256 by id."""
    (key,) = KEYS[table]
    found = rows(connection, f"SELECT {key}, raw_sha256 FROM stripe.{table} WHERE {_SCOPE}", scope)
    return {str(identity): str(digest) for identity, digest in found}


def open_objects(
    connection: duckdb.DuckDBPyConnection, table: str, scope: Mapping[str, object], now: datetime
) -> dict[str, int]:
    """Creation in Unix seconds by id, of what is not final at an instant."""
    if table not in OPEN:
        return {}
    (key,) = KEYS[table]
    query = f"SELECT {key}, epoch_us(created) // 1000000 FROM stripe.{table} WHERE {_SCOPE} AND ({OPEN[table]})"
    given = {**scope, "now": now} if "$now" in query else scope
    return {str(identity): int(str(created)) for identity, created in rows(connection, query, given)}


def oldest_pending(connection: duckdb.DuckDBPyConnection, scope: Mapping[str, object]) -> int | None:
    """Creation in Unix seconds of the oldest movement that is not available yet."""
    query = "SELECT min(epoch_us(created)) // 1000000 FROM stripe.balance_transactions WHERE status = 'pending' AND "
    ((found,),) = rows(connection, query + _SCOPE, scope)
    return found if isinstance(found, int) else None


def payouts_without_items(connection: duckdb.DuckDBPyConnection, scope: Mapping[str, object]) -> list[str]:
    """Automatic payouts that Stripe has itemised and the books have not."""
    found = rows(
        connection,
        f"SELECT payout_id FROM stripe.payouts WHERE {_SCOPE} AND automatic AND reconciliation_status = 'completed'"
        " AND payout_id NOT IN (SELECT payout_id FROM stripe.payout_items)",
        scope,
    )
    return [str(payout) for (payout,) in found]
