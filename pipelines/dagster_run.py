"""Running the billing job in this process, against the Dagster instance of a books folder."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path

import dagster as dg

from billing_core.errors import ConfigurationError
from pipelines.automation import billing_job, range_tags, run_config
from pipelines.books import clock
from pipelines.books.config import load_config
from pipelines.books.folder import BooksFolder
from pipelines.dagster_storage import BATCH_EVENTS, BATCH_VARIABLE
from pipelines.resources import BooksResource, Observer
from pipelines.warehouse.posting import PostingSummary

_INSTANCE_CONFIG = """\
# Written by Tollbook; the next run writes it again. History of runs only: the books do not depend on it.
telemetry:
  enabled: false
nux:
  enabled: false
# Nothing is printed by a run but through Dagster's own log, so there is no output to keep in files.
compute_logs:
  module: dagster.core.storage.noop_compute_log_manager
  class: NoOpComputeLogManager
event_log_storage:
  module: pipelines.dagster_storage
  class: BatchedEventLog
  config:
    base_dir: {events}
"""

PROCESS_TAG = "tollbook/process"


def materialize_range(
    folder: BooksFolder,
    first: date,
    through: date,
    *,
    env: str | None = None,
    bare: bool = True,
    on_date: Callable[[date, PostingSummary | None], None] | None = None,
    now: Callable[[], datetime] | None = None,
) -> list[PostingSummary]:
    """Bill every date from ``first`` to ``through`` and publish, as one run that `tollbook ui` shows.

    ``bare``: the run names no dates, so undated files join its last one. ``on_date`` hears of every date that is done,
    with None when there was nothing to post. Returns the postings in order.
    Errors come out as they were raised: ConfigurationError, BooksLockedError, CheckFailedError and the like.
    """
    config = load_config(folder, env)
    if first < config.books.start:
        raise ConfigurationError(f"{first} is before the books start ({config.books.start}); choose a later first date")
    if through < first:
        return []
    from pipelines.definitions import definitions  # noqa: PLC0415 the module also builds the graph of the books at hand

    observer = Observer(now=now or clock.now) if on_date is None else Observer(on_date, now or clock.now)
    job = definitions(config.books.start, through, observer).resolve_job_def(billing_job.name)
    with books_instance(folder) as instance, _events_in_batches():
        close_cut_off_runs(instance)
        try:
            job.execute_in_process(
                instance=instance,
                resources={"books": BooksResource(path=str(folder.root), env=env or "", wait_seconds=0)},
                run_config=run_config(include_undated=bare, loggers=_QUIET),
                tags={
                    **range_tags(first, through),
                    PROCESS_TAG: str(os.getpid()),
                    "tollbook/dates": f"{first} to {through}",
                },
            )
        except dg.DagsterExecutionInterruptedError:
            raise KeyboardInterrupt from None
    return observer.summaries


_QUIET = {"console": {"config": {"log_level": "CRITICAL"}}}


def prepare_home(folder: BooksFolder) -> Path:
    """Make the folder of the Dagster instance, with telemetry and its greeting off; returns its absolute path."""
    home = folder.dagster_home
    home.mkdir(parents=True, exist_ok=True)
    config = home / "dagster.yaml"
    text = _INSTANCE_CONFIG.format(events=json.dumps(str(home / "history" / "runs")))
    if not config.is_file() or config.read_text(encoding="utf-8") != text:
        config.write_text(text, encoding="utf-8")
    return home


@contextmanager
def books_instance(folder: BooksFolder) -> Iterator[dg.DagsterInstance]:
    """The Dagster instance of a books folder; it needs no DAGSTER_HOME in the environment."""
    with dg.DagsterInstance.from_config(str(prepare_home(folder))) as instance:
        yield instance


@contextmanager
def _events_in_batches() -> Iterator[None]:
    """Let Dagster store what belongs together at once, unless the user has said otherwise."""
    if BATCH_VARIABLE in os.environ:
        yield
        return
    os.environ[BATCH_VARIABLE] = str(BATCH_EVENTS)
    try:
        yield
    finally:
        del os.environ[BATCH_VARIABLE]


def close_cut_off_runs(instance: dg.DagsterInstance) -> None:
    """Runs whose process was killed are still shown as running: say what became of them.

    What they posted stands, and the journal of the books has the rest.
    """
    started = dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.STARTING])
    for run in instance.get_runs(started):
        process = run.tags.get(PROCESS_TAG)
        if process is not None and not _is_alive(int(process)):
            instance.report_run_failed(
                run, f"process {process} ended before the run did; the next run goes on from there"
            )


def _is_alive(process: int) -> bool:
    if process == os.getpid():
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
