"""The reconciliation as a run sees it: what was loaded, what was compared, its two checks."""

from __future__ import annotations

from datetime import UTC, datetime, time
from typing import TYPE_CHECKING, Any

import dagster as dg
import pytest

from pipelines.assets.payments import STRIPE_TABLES
from pipelines.assets.posting import posting_assets
from pipelines.assets.reconciliation import NO_GRAVE_BREAK, NO_RESIDUAL, RECONCILIATION, reconciliation_asset
from pipelines.partitions import billing_dates
from pipelines.resources import BooksResource, Observer
from pipelines.stripe_double import actions as do
from pipelines.stripe_double.export import write_objects
from pipelines.stripe_double.world import World
from tests.pipelines.small_books import START, small_books

if TYPE_CHECKING:
    from pathlib import Path

MODE = "TOLLBOOK__STRIPE__MODE"


@pytest.fixture
def billed(tmp_path: Path, dagster_instance: dg.DagsterInstance) -> dict[str, Any]:
    """What a run needs for books of one billed date whose app knows of no payment."""
    folder = small_books(tmp_path, dates=1)
    resources = {"books": BooksResource(path=str(folder.root), wait_seconds=0), "observer": Observer()}
    assets = posting_assets(billing_dates(START, START))
    dg.materialize([assets], instance=dagster_instance, resources=resources, partition_key=START.isoformat())
    return {"instance": dagster_instance, "resources": resources}


def test_files_of_stripe_are_loaded_shown_and_compared(
    tmp_path: Path, billed: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A payment that nobody credited: the tables show their rows, nothing is left over, the grave break warns."""
    world = World(seed=3)
    world.now = int(datetime.combine(START, time(), UTC).timestamp())
    do.pay(world, amount=900)
    write_objects(world, tmp_path / "stripe")
    monkeypatch.setenv(MODE, "files")
    done = dg.materialize([reconciliation_asset()], **billed)
    shown = {event.asset_key: event.materialization.metadata for event in done.get_asset_materialization_events()}
    assert set(shown) == {RECONCILIATION, *STRIPE_TABLES}
    assert shown[dg.AssetKey(["stripe", "charges"])]["dagster/row_count"].value == 1
    assert "payment_not_credited" in str(shown[RECONCILIATION]["breaks"].value)
    results = {result.check_name: result for result in done.get_asset_check_evaluations()}
    assert results[NO_RESIDUAL].passed
    assert not results[NO_GRAVE_BREAK].passed
    assert results[NO_GRAVE_BREAK].severity is dg.AssetCheckSeverity.WARN


def test_what_a_sync_by_command_brought_is_shown_once(billed: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """In api mode the run that compares shows the tables of the last sync; a run after it does not show them anew."""
    monkeypatch.setenv(MODE, "api")
    with billed["resources"]["books"].open("a test", datetime.now) as opened:
        opened.connection.execute(
            "INSERT INTO stripe.syncs SELECT 's-1', 'acct_1', false, true, now(), now(), now(), 3, 5, 'v', 'f', 1"
        )
    counts = []
    for _ in range(2):
        done = dg.materialize([reconciliation_asset()], **billed)
        shown = [event.materialization for event in done.get_asset_materialization_events()]
        counts.append(len(shown))
    assert counts == [1 + len(STRIPE_TABLES), 1]


def test_books_without_stripe_say_why_nothing_was_compared(
    billed: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With `[stripe] mode` off the asset stands, with the reason, and no table of Stripe is shown."""
    monkeypatch.setenv(MODE, "off")
    done = dg.materialize([reconciliation_asset()], **billed)
    (shown,) = done.get_asset_materialization_events()
    assert "off" in str(shown.materialization.metadata["note"].value)
    assert all(result.passed for result in done.get_asset_check_evaluations())
