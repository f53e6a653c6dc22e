"""The sync as Dagster runs it, in files mode: every table with its rows, published at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb

from pipelines.stripe_double import actions as do
from pipelines.stripe_double.export import write_objects
from tests.empty_warehouse import place_warehouse
from tests.payments.stripe_books import CONFIG

if TYPE_CHECKING:
    from pathlib import Path

    from dagster import DagsterInstance

    from pipelines.stripe_double.world import World


def test_assets_show_rows_and_the_copy_holds_them(
    tmp_path: Path, world: World, dagster_instance: DagsterInstance
) -> None:
    """One run materialises all tables of schema stripe, with counts, and readers see them."""
    import dagster as dg

    from pipelines.assets.payments import STRIPE_TABLES, stripe_assets
    from pipelines.resources import BooksResource, Observer

    (tmp_path / "tollbook.toml").write_text(CONFIG.format(mode="files", more=""), encoding="utf-8")
    place_warehouse(tmp_path / "warehouse" / "tollbook.duckdb")
    do.refund(world, str(do.pay(world, amount=900).charge))
    write_objects(world, tmp_path / "stripe")
    resources = {"books": BooksResource(path=str(tmp_path)), "observer": Observer()}
    done = dg.materialize([stripe_assets()], instance=dagster_instance, resources=resources)
    counts = {
        event.asset_key.path[-1]: event.materialization.metadata["dagster/row_count"].value
        for event in done.get_asset_materialization_events()
        if event.asset_key is not None
    }
    assert len(counts) == len(STRIPE_TABLES)
    assert (counts["charges"], counts["refunds"], counts["balance_transactions"]) == (1, 1, 2)
    with duckdb.connect(str(tmp_path / "warehouse" / "published" / "tollbook.duckdb"), read_only=True) as copy:
        assert copy.execute("SELECT amount, status FROM stripe.refunds").fetchall() == [(900, "succeeded")]


def test_schedule_asks_for_live_data_only_where_the_books_are_live(tmp_path: Path) -> None:
    """Off is skipped; live mode is the word of the books' owner, in tollbook.toml."""
    import dagster as dg

    from pipelines.automation import stripe_sync_hourly
    from pipelines.resources import BooksResource

    found = []
    for mode, more in (("off", ""), ("files", ""), ("api", "livemode = true"), ("api", "")):
        (tmp_path / "tollbook.toml").write_text(CONFIG.format(mode=mode, more=more), encoding="utf-8")
        context = dg.build_schedule_context(resources={"books": BooksResource(path=str(tmp_path))})
        asked = stripe_sync_hourly(context)
        live = asked.run_config["ops"]["stripe_objects"]["config"]["live"] if isinstance(asked, dg.RunRequest) else None
        found.append(live)
    assert found == [None, False, True, False]
