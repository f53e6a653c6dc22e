"""`materialize_range`: one Dagster run for a range, in the instance of the books, with errors as they were raised."""

from __future__ import annotations

import os
import shutil
from datetime import date
from typing import TYPE_CHECKING

import dagster as dg
import pytest

from billing_core.errors import BooksLockedError, CheckFailedError, ConfigurationError
from pipelines.assets.inputs import USAGE_LOGS
from pipelines.assets.publishing import PUBLISHED
from pipelines.assets.tables import TABLES, TOKEN_ACCOUNTS, TOKEN_USAGE
from pipelines.automation import billing_job, range_tags
from pipelines.books.folder import BooksFolder
from pipelines.books.lock import hold_books
from pipelines.dagster_run import PROCESS_TAG, books_instance, close_cut_off_runs, materialize_range
from pipelines.definitions import definitions
from pipelines.partitions import last_published
from tests.pipelines.small_books import LAST, START, add_usage, alter, small_books

if TYPE_CHECKING:
    from pathlib import Path

    from pipelines.warehouse.posting import PostingSummary

DEFECT = "UPDATE books.account_heads SET balance = balance + 1 WHERE account_id = 'account-1'"


Ran = tuple[BooksFolder, dict[str, str], dict[str, str]]


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """Books after one run over three dates, with the environment before and after it."""
    folder = small_books(tmp_path_factory.mktemp("ran"))
    before = dict(os.environ)
    materialize_range(folder, START, LAST)
    return folder, before, dict(os.environ)


def test_range_is_one_run_that_the_instance_keeps(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Three dates: postings in order, one run, every partition present, the copy published, nothing printed."""
    folder = small_books(tmp_path, opened_before=False)
    heard: list[tuple[date, PostingSummary | None]] = []
    summaries = materialize_range(folder, START, LAST, on_date=lambda day, summary: heard.append((day, summary)))
    assert [summary.posting_id for summary in summaries] == [1, 2, 3]
    assert [day.day for day, summary in heard if summary is not None] == [1, 2, 3]
    assert folder.published.is_file()
    with books_instance(folder) as instance:
        assert [(run.job_name, run.status.value) for run in instance.get_runs()] == [("billing", "SUCCESS")]
        for key in TABLES:
            assert instance.get_materialized_partitions(key) == {"2026-09-01", "2026-09-02", "2026-09-03"}
        assert instance.get_latest_materialization_event(PUBLISHED) is not None
    assert capfd.readouterr() == ("", "")


def test_second_run_finds_nothing_new(ran: Ran, tmp_path: Path) -> None:
    """The same range again posts nothing and is told of every date."""
    folder = BooksFolder(tmp_path.resolve() / "books")
    shutil.copytree(ran[0].root, folder.root)
    heard: list[PostingSummary | None] = []
    assert materialize_range(folder, START, LAST, on_date=lambda _, summary: heard.append(summary)) == []
    assert heard == [None, None, None]


@pytest.mark.slow
def test_dates_that_waited_before_the_range_are_shown_too(tmp_path: Path) -> None:
    """A run for one date posts the dates before it that have files, and their partitions are present."""
    folder = small_books(tmp_path)
    assert len(materialize_range(folder, LAST, LAST, bare=False)) == 3
    with books_instance(folder) as instance:
        assert instance.get_materialized_partitions(TOKEN_USAGE) == {"2026-09-01", "2026-09-02", "2026-09-03"}


def test_telemetry_and_greeting_are_off(tmp_path: Path) -> None:
    """The instance of the books sends nothing home and greets nobody."""
    with books_instance(small_books(tmp_path)) as instance:
        assert not instance.telemetry_enabled
        assert not instance.nux_enabled


def test_locked_books_are_said_to_be_locked(tmp_path: Path) -> None:
    """Another writer: BooksLockedError itself, not a wrapper of Dagster's."""
    folder = small_books(tmp_path, dates=1)
    with hold_books(folder.lock, "test"), pytest.raises(BooksLockedError):
        materialize_range(folder, START, LAST)


def test_configuration_error_comes_out_before_a_run_is_made(tmp_path: Path) -> None:
    """Broken books give ConfigurationError and leave no instance behind."""
    folder = small_books(tmp_path, opened_before=False)
    folder.config.write_text("[books]\nstart = 5\n", encoding="utf-8")
    with pytest.raises(ConfigurationError):
        materialize_range(folder, START, LAST)
    assert not folder.dagster_home.exists()


def test_date_before_the_start_is_refused(tmp_path: Path) -> None:
    """The books have no partition before their start, and the error says where they begin."""
    with pytest.raises(ConfigurationError, match="2026-09-01"):
        materialize_range(small_books(tmp_path), date(2026, 8, 31), LAST)


def test_failing_check_turns_red(tmp_path: Path) -> None:
    """A balance altered in the file: the date is rolled back, its check and the run fail, the date before stands."""
    folder = small_books(tmp_path, dates=1)
    materialize_range(folder, START, START)
    alter(folder.database, DEFECT)
    add_usage(folder.root, date(2026, 9, 2))
    with pytest.raises(CheckFailedError) as caught:
        materialize_range(folder, date(2026, 9, 2), LAST)
    failing = {name for name, count in caught.value.failing.items() if count}
    assert failing
    with books_instance(folder) as instance:
        assert instance.get_runs(limit=1)[0].status is dg.DagsterRunStatus.FAILURE
        red = [
            result
            for event in instance.all_logs(
                instance.get_runs(limit=1)[0].run_id, dg.DagsterEventType.ASSET_CHECK_EVALUATION
            )
            if event.dagster_event is not None
            and not (result := event.dagster_event.asset_check_evaluation_data).passed
        ]
        assert {result.check_name for result in red} == failing
        assert all(result.severity is dg.AssetCheckSeverity.ERROR and result.blocking for result in red)
        assert instance.get_materialized_partitions(TOKEN_ACCOUNTS) == {"2026-09-01"}


@pytest.mark.slow
def test_backfill_without_the_copy_brings_it_forward_itself(
    tmp_path: Path, dagster_instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run of the partitioned assets alone, as the web page's backfill is, still ends with a published copy."""
    folder = small_books(tmp_path)
    monkeypatch.setenv("TOLLBOOK_BOOKS", str(folder.root))
    result = (
        definitions(START, LAST)
        .resolve_job_def(billing_job.name)
        .execute_in_process(
            instance=dagster_instance,
            asset_selection=list(TABLES),
            tags=range_tags(START, LAST),
        )
    )
    assert PUBLISHED in {event.asset_key for event in result.get_asset_materialization_events()}
    assert last_published(folder) == LAST


def test_inputs_say_what_a_run_took(ran: Ran) -> None:
    """The external assets are observed by each run, so that the graph begins with figures."""
    with books_instance(ran[0]) as instance:
        (record,) = instance.fetch_observations(USAGE_LOGS, limit=1).records
        assert record.asset_observation is not None
        assert {key: value.value for key, value in record.asset_observation.metadata.items()} == {
            "files_taken": 3,
            "records": 6,
        }


def test_run_whose_process_was_killed_is_closed_by_the_next(tmp_path: Path) -> None:
    """A run that is still shown as started, but whose process is gone, becomes a failed one; others are left alone."""
    with books_instance(small_books(tmp_path)) as instance:
        job = dg.GraphDefinition(name="billing").to_job()
        gone, alien = (
            instance.create_run_for_job(job, tags=tags) for tags in ({PROCESS_TAG: str(2**22 + 1)}, {"other": "x"})
        )
        for run in (gone, alien):
            instance.report_dagster_event(
                dg.DagsterEvent(event_type_value="PIPELINE_START", job_name="billing"), run_id=run.run_id
            )
        close_cut_off_runs(instance)
        statuses = [found.status for run in (gone, alien) if (found := instance.get_run_by_id(run.run_id)) is not None]
        assert statuses == [dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.STARTED]


def test_environment_is_left_as_it_was(ran: Ran) -> None:
    """A run sets nothing in the environment that outlives it."""
    _, before, after = ran
    assert after == before
