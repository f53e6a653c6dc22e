"""The event log of the books: what is stored at once reads like what Dagster stores one by one."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import dagster as dg
import pytest

from pipelines.assets.tables import TABLES, TOKEN_USAGE
from pipelines.dagster_run import books_instance, materialize_range
from pipelines.dagster_storage import BATCH_VARIABLE, BatchedEventLog
from tests.pipelines.small_books import LAST, START, small_books

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.slow
def test_a_batch_reads_like_single_events(tmp_path: Path) -> None:
    """The events of a real run, stored both ways: the same logs, partitions and asset records."""
    folder = small_books(tmp_path / "books")
    materialize_range(folder, START, LAST)
    with books_instance(folder) as instance:
        (run,) = instance.get_runs()
        events = instance.all_logs(run.run_id)
    singly, at_once = (BatchedEventLog(str(tmp_path / name)) for name in ("singly", "at_once"))
    for event in events:
        singly.store_event(event)
    at_once.store_event_batch(events)
    for storage in (singly, at_once):
        kept = storage.get_logs_for_run(run.run_id)
        assert sorted(map(repr, kept)) == sorted(map(repr, events))
        for key in TABLES:
            assert storage.get_materialized_partitions(key) == {"2026-09-01", "2026-09-02", "2026-09-03"}
    one, other = (
        [(record.asset_entry.asset_key, record.asset_entry.last_run_id, record.asset_entry.last_materialization)
         for record in storage.get_asset_records(list(TABLES))]
        for storage in (singly, at_once)
    )  # fmt: skip
    assert sorted(map(repr, one)) == sorted(map(repr, other))
    planned = dg.EventRecordsFilter(dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED, asset_key=TOKEN_USAGE)
    assert len(singly.get_event_records(planned)) == len(at_once.get_event_records(planned)) == 3
    for storage in (singly, at_once):
        storage.dispose()


def test_batches_end_with_the_run(tmp_path: Path) -> None:
    """The variable that asks Dagster for them is not left behind, and the user's own value is left alone."""
    folder = small_books(tmp_path, dates=1)
    materialize_range(folder, START, START)
    assert BATCH_VARIABLE not in os.environ
