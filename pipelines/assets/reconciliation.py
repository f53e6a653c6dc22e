"""The reconciliation in the graph: one operation compares what was posted with what Stripe says."""

from collections.abc import Iterator

import dagster as dg

from pipelines.assets.payments import STRIPE_TABLES
from pipelines.assets.publishing import PUBLISHED
from pipelines.assets.tables import TOKEN_ACCOUNTS, TOKEN_TRANSACTIONS, column_schema
from pipelines.billing import OpenBooks, publish_books
from pipelines.books.config import load_config
from pipelines.metadata import Metadata, preview
from pipelines.payments.load import load_objects
from pipelines.reconciliation import reconcile_opened
from pipelines.resources import BooksResource, Observer
from pipelines.warehouse.stripe import row_counts

RECONCILIATION = dg.AssetKey(["recon", "summary"])
NO_RESIDUAL, NO_GRAVE_BREAK = "residual_is_zero", "no_grave_break"

_BREAKS = """
SELECT code, severity, count(*) AS items, sum(residual_amount)::BIGINT AS residual, any_value(resolution) AS resolution
FROM recon.breaks WHERE state = 'break' GROUP BY code, severity
ORDER BY list_position(['critical', 'high', 'med', 'low', 'info'], severity), code
"""
_LAST_SYNC = """
SELECT sync_id, window_end, objects, requests FROM stripe.syncs ORDER BY finished_at DESC, sync_id DESC LIMIT 1
"""
_GRAVE = "SELECT count(*) FROM recon.breaks WHERE state = 'break' AND severity IN ('high', 'critical')"


def reconciliation_asset() -> dg.AssetsDefinition:
    """The asset of the reconciliation, with its two checks."""

    @dg.asset(
        key=RECONCILIATION,
        deps=[TOKEN_TRANSACTIONS, TOKEN_ACCOUNTS, *STRIPE_TABLES],
        kinds={"duckdb", "stripe"},
        group_name="reconciliation",
        check_specs=[
            dg.AssetCheckSpec(
                NO_RESIDUAL,
                asset=RECONCILIATION,
                blocking=True,
                description="Ledger total + carrier lines = Stripe total, and so for the other three stages.",
            ),
            dg.AssetCheckSpec(
                NO_GRAVE_BREAK,
                asset=RECONCILIATION,
                description="No open break of high or critical severity; `tollbook recon list` names them.",
            ),
        ],
        metadata={
            "dagster/column_schema": column_schema("recon.summary"),
            "dagster/table_name": "tollbook.recon.summary",
        },
    )
    def reconciliation(
        context: dg.AssetExecutionContext, books: BooksResource, observer: dg.ResourceParam[Observer]
    ) -> Iterator[dg.MaterializeResult[None]]:
        """Ledger against Stripe by period and currency, to the minor unit, as of the last billing date.

        Every money row and every movement of a sale stands in one match group; what a group does not come to is carried
        by one line with one code. `recon.breaks` has what is wrong, `recon.bridge` the bridges of all four stages.
        """
        if load_config(books.folder(), books.env or None).stripe.mode == "off":
            yield _nothing('[stripe] mode is "off"')
            return
        with books.open("reconcile", observer.now) as opened:
            if opened.last_date() is None:
                yield _nothing("nothing was posted yet")
                return
            if opened.config.stripe.mode == "files":
                _load_files(context, opened)
            else:
                _show_last_sync(context, opened)
            yield _reconcile(opened)
            selected = context.run.asset_selection
            if selected and PUBLISHED not in selected:
                publish_books(opened)

    return reconciliation


def _load_files(context: dg.AssetExecutionContext, opened: OpenBooks) -> None:
    """Read new files of Stripe objects; nobody fetches them, so the run that compares them shows their tables."""
    loaded = load_objects(opened.connection, opened.folder, opened.config, now=opened.now)
    for notice in loaded.notices:
        context.log.warning(notice)
    figures: Metadata = {"mode": "files", "new_objects": loaded.objects, "rejected_lines": loaded.rejected}
    _show_tables(context, opened, figures)


def _show_last_sync(context: dg.AssetExecutionContext, opened: OpenBooks) -> None:
    """`tollbook stripe sync` does not start Dagster: what it brought is shown by the run that compares it, once."""
    found = opened.connection.execute(_LAST_SYNC).fetchall()
    if not found or found[0][0] == _shown_sync(context.instance):
        return
    sync_id, window_end, objects, requests = found[0]
    figures: Metadata = {"mode": "api", "sync_id": sync_id, "complete_until": window_end.isoformat()}
    _show_tables(context, opened, {**figures, "fetched_objects": objects, "requests": requests})


def _shown_sync(instance: dg.DagsterInstance) -> object:
    """The sync of which the graph already shows the tables."""
    event = instance.get_latest_materialization_event(STRIPE_TABLES[0])
    shown = event.asset_materialization if event is not None else None
    return shown.metadata["sync_id"].value if shown is not None and "sync_id" in shown.metadata else None


def _show_tables(context: dg.AssetExecutionContext, opened: OpenBooks, figures: Metadata) -> None:
    for table, counted in row_counts(opened.connection).items():
        if (key := dg.AssetKey(["stripe", table])) in STRIPE_TABLES:
            context.log_event(dg.AssetMaterialization(key, metadata={"dagster/row_count": counted, **figures}))


def _nothing(why: str) -> dg.MaterializeResult[None]:
    passed = [dg.AssetCheckResult(check_name=name, passed=True) for name in (NO_RESIDUAL, NO_GRAVE_BREAK)]
    return dg.MaterializeResult(asset_key=RECONCILIATION, metadata={"note": why}, check_results=passed)


def _reconcile(opened: OpenBooks) -> dg.MaterializeResult[None]:
    result = reconcile_opened(opened)
    connection = opened.connection
    grave = int(connection.execute(_GRAVE).fetchall()[0][0])
    return dg.MaterializeResult(
        asset_key=RECONCILIATION,
        metadata={
            "as_of": result.as_of.isoformat(),
            "ledger_rows": result.ledger_rows,
            "movements": result.movements,
            "match_groups": result.match_groups,
            "open_breaks": result.open_breaks,
            "summary": preview(
                connection, "SELECT period, currency, ledger_total, stripe_total, residual FROM recon.summary"
            ),
            "breaks": preview(connection, _BREAKS),
        },
        check_results=[
            dg.AssetCheckResult(
                check_name=NO_RESIDUAL, passed=result.residual_lines == 0, metadata={"bridges": result.residual_lines}
            ),
            dg.AssetCheckResult(
                check_name=NO_GRAVE_BREAK,
                passed=grave == 0,
                severity=dg.AssetCheckSeverity.WARN,
                metadata={"breaks": grave},
            ),
        ],
    )
