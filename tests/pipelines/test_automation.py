"""The nightly schedule, the file sensor and the weekly verification."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import dagster as dg

from pipelines.automation import billing_daily, new_files, verification_job
from pipelines.definitions import definitions
from pipelines.resources import BooksResource
from tests.pipelines.small_books import LAST, START, add_usage, alter, bill, small_books

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from pipelines.books.folder import BooksFolder

RANGE = ("dagster/asset_partition_range_start", "dagster/asset_partition_range_end")


def test_nightly_schedule_asks_for_yesterday(dagster_instance: dg.DagsterInstance) -> None:
    """At 01:00 UTC the day before is billed, with the undated files."""
    at = datetime(2026, 9, 4, 1, tzinfo=UTC)
    context = dg.build_schedule_context(
        instance=dagster_instance,
        scheduled_execution_time=at,
        repository_def=definitions(START, LAST).get_repository_def(),
    )
    request = billing_daily(context)
    assert isinstance(request, dg.RunRequest)
    assert request.partition_key == "2026-09-03"
    assert request.run_config["ops"] == {"posting": {"config": {"include_undated": True}}}


def test_sensor_asks_for_the_dates_of_new_files_once(
    tmp_path: Path, dagster_instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three dated files: one request over their dates; the same set again is not asked for."""
    monkeypatch.setenv("TOLLBOOK_NOW", "2026-09-04T08:00:00Z")
    folder = small_books(tmp_path)
    result = _tick(folder, dagster_instance)
    assert isinstance(result, dg.SensorResult)
    (request,) = result.run_requests or ()
    assert [request.tags[name] for name in RANGE] == ["2026-09-01", "2026-09-03"]
    assert request.run_key == result.cursor
    assert isinstance(_tick(folder, dagster_instance, cursor=result.cursor), dg.SkipReason)


def test_late_file_joins_the_last_billed_date(
    tmp_path: Path, dagster_instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file for a date that is billed is asked for on the last date billed."""
    monkeypatch.setenv("TOLLBOOK_NOW", "2026-09-04T08:00:00Z")
    folder = small_books(tmp_path, dates=2)
    bill(folder, date(2026, 9, 2))
    assert isinstance(_tick(folder, dagster_instance), dg.SkipReason)
    add_usage(folder.root, START, "late")
    result = _tick(folder, dagster_instance)
    assert isinstance(result, dg.SensorResult)
    (request,) = result.run_requests or ()
    assert [request.tags[name] for name in RANGE] == ["2026-09-02", "2026-09-02"]


def test_file_of_today_waits_until_the_day_is_over(
    tmp_path: Path, dagster_instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sensor asks for whole days only."""
    monkeypatch.setenv("TOLLBOOK_NOW", "2026-09-01T08:00:00Z")
    result = _tick(small_books(tmp_path, dates=1), dagster_instance)
    assert isinstance(result, dg.SkipReason)
    assert "after 2026-08-31" in (result.skip_message or "")


def _tick(folder: BooksFolder, instance: dg.DagsterInstance, cursor: str | None = None) -> object:
    context = dg.build_sensor_context(instance=instance, cursor=cursor)
    return new_files(context, books=BooksResource(path=str(folder.root)))


def test_weekly_verification_finds_an_altered_balance(tmp_path: Path, dagster_instance: dg.DagsterInstance) -> None:
    """Every check passes on the published copy; a balance altered in it turns its check red and shows the row."""
    folder = small_books(tmp_path, dates=1)
    bill(folder, START)
    assert _failing(folder, dagster_instance) == {}
    alter(folder.published, "UPDATE books.token_accounts SET balance = balance + 1 WHERE account_id = 'account-1'")
    failing = _failing(folder, dagster_instance)
    assert "account_balance" in failing
    assert "account-1" in str(failing["account_balance"]["first_rows"].value)


def _failing(folder: BooksFolder, instance: dg.DagsterInstance) -> dict[str, dict[str, Any]]:
    job = definitions(START, LAST).resolve_job_def(verification_job.name)
    result = job.execute_in_process(
        instance=instance, resources={"books": BooksResource(path=str(folder.root))}, raise_on_error=False
    )
    evaluations = result.get_asset_check_evaluations()
    assert evaluations
    return {item.check_name: dict(item.metadata) for item in evaluations if not item.passed}
