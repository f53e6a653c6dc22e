"""When billing runs by itself: a nightly schedule, a sensor for new files, an hourly sync, a weekly verification.

All are off until somebody switches them on: opening a web page must not begin to bill.
"""

import hashlib
from collections.abc import Iterable, Mapping
from datetime import UTC, date, timedelta
from typing import Any

import dagster as dg
import duckdb

from pipelines.assets.payments import STRIPE_TABLES, StripeConfig
from pipelines.assets.posting import PostingConfig
from pipelines.assets.publishing import PUBLISHED
from pipelines.assets.reconciliation import RECONCILIATION
from pipelines.assets.tables import TABLES
from pipelines.billing import configured_sources, staged_objects
from pipelines.books import clock
from pipelines.books.config import load_config
from pipelines.books.folder import BooksFolder
from pipelines.books.posting_log import PostingLog
from pipelines.checks import verification_keys
from pipelines.intake.discovery import Discovery, discover
from pipelines.partitions import last_published
from pipelines.resources import BooksResource
from pipelines.warehouse.files import known_files

RANGE_START, RANGE_END = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"

_VERIFICATION = dg.AssetSelection.checks(*verification_keys())

billing_job = dg.define_asset_job(
    "billing",
    selection=dg.AssetSelection.assets(*TABLES, RECONCILIATION, PUBLISHED) - _VERIFICATION,
    description="Bill a range of dates, reconcile, bring the published copy forward. `tollbook run` runs this job.",
)
stripe_job = dg.define_asset_job(
    "stripe_sync",
    selection=dg.AssetSelection.assets(*STRIPE_TABLES, RECONCILIATION),
    description="Bring Stripe's objects forward and publish. `tollbook stripe sync` does the same.",
)
verification_job = dg.define_asset_job(
    "full_verification",
    selection=_VERIFICATION,
    description="Every check over full history, on the published copy.",
)


def range_tags(first: date, through: date) -> dict[str, str]:
    """The tags that make one run cover a range of partitions, both ends included."""
    return {RANGE_START: first.isoformat(), RANGE_END: through.isoformat()}


def run_config(*, include_undated: bool, loggers: Mapping[str, Any] | None = None) -> dg.RunConfig:
    """The configuration of a billing run."""
    return dg.RunConfig(ops={"posting": PostingConfig(include_undated=include_undated)}, loggers=dict(loggers or {}))


@dg.schedule(
    job=billing_job,
    cron_schedule="0 1 * * *",
    execution_timezone="UTC",
    description="Every night at 01:00 UTC: bill yesterday, and whatever earlier dates still wait.",
)
def billing_daily(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """Ask for yesterday's partition; undated files join it, as in a bare `tollbook run`."""
    yesterday = context.scheduled_execution_time.astimezone(UTC).date() - timedelta(days=1)
    return dg.RunRequest(partition_key=yesterday.isoformat(), run_config=run_config(include_undated=True))


weekly_verification = dg.ScheduleDefinition(
    name="full_verification_weekly",
    job=verification_job,
    cron_schedule="0 3 * * 0",
    execution_timezone="UTC",
    description="Every Sunday at 03:00 UTC: run every check over full history.",
)


@dg.schedule(
    job=stripe_job,
    cron_schedule="30 * * * *",
    execution_timezone="UTC",
    description="Every hour at half past: bring Stripe's objects forward, where `[stripe] mode` is not off.",
)
def stripe_sync_hourly(books: BooksResource) -> dg.RunRequest | dg.SkipReason:
    """Ask for a sync; `[stripe] livemode = true` is the word of the books' owner that live data is meant."""
    stripe = load_config(books.folder(), books.env or None).stripe
    if stripe.mode == "off":
        return dg.SkipReason('[stripe] mode is "off"')
    config = StripeConfig(live=stripe.mode == "api" and stripe.livemode is True)
    return dg.RunRequest(run_config=dg.RunConfig(ops={"stripe_objects": config}))


@dg.sensor(
    job=billing_job,
    minimum_interval_seconds=60,
    description="Asks for a billing run when input files have arrived that no posting has taken; once for each set.",
)
def new_files(context: dg.SensorEvaluationContext, books: BooksResource) -> dg.SensorResult | dg.SkipReason:
    """Asks for a billing run when files have arrived that no posting has taken; each set of files is asked for once.

    A file that comes late joins the last date billed. Files dated today wait until the day is over.
    """
    folder = books.folder()
    discovery = waiting_files(folder, books.env or None)
    last = last_published(folder)
    yesterday = clock.now().date() - timedelta(days=1)
    dates = {max(file.file_date, last or file.file_date) for file in discovery.files}
    due = sorted(day for day in dates if day <= yesterday)
    if not due:
        return dg.SkipReason(_why_nothing(discovery, yesterday))
    key = set_digest((file.source, file.path, file.sha256) for file in discovery.files)
    if key == context.cursor:
        return dg.SkipReason(f"{len(discovery.files)} files wait; a run was already asked for")
    request = dg.RunRequest(run_key=key, tags=range_tags(due[0], due[-1]), run_config=run_config(include_undated=False))
    return dg.SensorResult(run_requests=[request], cursor=key)


def waiting_files(folder: BooksFolder, env: str | None = None) -> Discovery:
    """What waits in a books folder, without opening the live database: known files are those of the published copy."""
    config = load_config(folder, env)
    known = []
    if folder.published.is_file():
        with duckdb.connect(str(folder.published), read_only=True) as connection:
            known = known_files(connection)
    return discover(
        folder.root,
        configured_sources(folder, config).values(),
        known=known,
        seen=PostingLog(folder.posting_log).read_all().seen,
        now=clock.now(),
        start=config.books.start,
        settle_seconds=config.intake.settle_seconds,
        cache_path=folder.file_hashes,
        objects=staged_objects(folder, config, evicts=False),
    )


def set_digest(files: Iterable[tuple[str, str, str]]) -> str:
    """One sha256 over a set of (source, path, sha256), whatever their order."""
    return hashlib.sha256(repr(sorted(files)).encode()).hexdigest()


def _why_nothing(discovery: Discovery, yesterday: date) -> str:
    if discovery.files:
        return f"{len(discovery.files)} files wait, all dated after {yesterday}"
    return (
        f"no new file; {len(discovery.waiting)} wait to settle or were refused" if discovery.waiting else "no new file"
    )
