"""Stripe's objects in the graph: one operation fetches, loads and publishes, because one sync has one window."""

from collections import defaultdict
from collections.abc import Iterator

import dagster as dg
from pydantic import Field

from pipelines.assets.inputs import STRIPE
from pipelines.assets.tables import column_schema, table_name
from pipelines.payments.mirror import SyncResult, sync_stripe
from pipelines.payments.options import SyncOptions
from pipelines.resources import BooksResource, Observer

_DESCRIPTIONS = {
    "payment_intents": "PaymentIntents as last seen, one row each. Amounts are minor units beside a currency.",
    "charges": "Charges as last seen, failed ones too. Amounts are minor units in the currency that the customer saw.",
    "refunds": "Refunds as last seen, with the movements of the balance that they made.",
    "disputes": "Disputes and inquiries as last seen, with the movements of the balance that they made.",
    "balance_transactions": """Movements of the Stripe balance: the truth about money.

Gross, fee and net are minor units of the settlement currency; `amount - fee = net`.""",
    "payouts": "Payouts to the bank as last seen. Amounts are minor units beside a currency.",
    "payout_items": "Which movements each automatic payout settles, one row per pair.",
    "customers": "Customers as last seen, without name, address or email.",
    "checkout_sessions": "Checkout sessions as last seen, with the prices and products that were bought.",
    "events": "Events of the change feed and of the webhook archive, once each.",
    "balances": "Snapshots of the balance at each sync, in minor units per currency and kind of balance.",
    "syncs": "Syncs that came to their end, with the window that they cover.",
}

STRIPE_TABLES = tuple(dg.AssetKey(["stripe", table]) for table in _DESCRIPTIONS)


class StripeConfig(dg.Config):
    """How one sync runs."""

    full: bool = Field(default=False, description="Whether everything is listed anew, whatever the cursor says.")
    live: bool = Field(default=False, description="Whether a live key is allowed; without it only test data is read.")


def stripe_assets() -> dg.AssetsDefinition:
    """The assets of Stripe's objects."""
    specs = [
        dg.AssetSpec(
            key,
            deps=[STRIPE],
            description=_DESCRIPTIONS[key.path[-1]],
            kinds={"stripe", "duckdb"},
            group_name="payments",
            metadata={
                "dagster/column_schema": column_schema(table_name(key)),
                "dagster/table_name": f"tollbook.{table_name(key)}",
            },
        )
        for key in STRIPE_TABLES
    ]

    @dg.multi_asset(name="stripe_objects", specs=specs)
    def stripe_objects(
        context: dg.AssetExecutionContext,
        config: StripeConfig,
        books: BooksResource,
        observer: dg.ResourceParam[Observer],
    ) -> Iterator[dg.MaterializeResult[None]]:
        """Fetch what is new from Stripe, or read the files, load it and publish."""
        steps: dict[str, int] = defaultdict(int)

        def on_step(step: str, count: int) -> None:
            steps[step] += count

        options = SyncOptions(
            env=books.env or None, full=config.full, live=config.live, now=observer.now, on_step=on_step
        )
        result = sync_stripe(books.folder(), options)
        for step, count in steps.items():
            context.log.info("%s: %s objects", step, f"{count:,}")
        for notice in result.notices:
            context.log.warning(notice)
        for key in STRIPE_TABLES:
            yield dg.MaterializeResult(asset_key=key, metadata=_metadata(result, key.path[-1]))

    return stripe_objects


def _metadata(result: SyncResult, table: str) -> dict[str, int | str]:
    """Rows of the table, and what the sync did."""
    until = result.window_end.isoformat() if result.window_end is not None else None
    told = {"sync_id": result.sync_id, "complete_until": until}
    return {
        "dagster/row_count": result.rows[table],
        "mode": result.mode,
        "new_objects": result.objects,
        "rejected_lines": result.rows["rejected"],
        "requests": result.requests,
        **{name: value for name, value in told.items() if value is not None},
    }
