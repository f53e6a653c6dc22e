"""One operation makes all tables of a posting, because one posting is one database transaction."""

import warnings
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date

import dagster as dg
import duckdb
from pydantic import Field

from billing_core.errors import CheckFailedError
from pipelines.assets.publishing import PUBLISHED, publication
from pipelines.assets.tables import TABLES, table_specs
from pipelines.billing import OpenBooks, bill_range
from pipelines.checks import delta_specs, failed_results, passed_results
from pipelines.metadata import Metadata, input_figures, nothing_new, partition_rows, posting_metadata
from pipelines.price_notices import price_notices
from pipelines.resources import BooksResource, Observer
from pipelines.warehouse.posting import PostingSummary

Event = dg.MaterializeResult[None] | dg.AssetCheckResult


class PostingConfig(dg.Config):
    """How one run bills."""

    include_undated: bool = Field(
        default=False,
        description="Whether files that only the day they were first seen dates join the last date of the run.",
    )


@dataclass
class DatesDone:
    """What a run has posted so far, by billing date."""

    connection: duckdb.DuckDBPyConnection
    postings: list[int] = field(default_factory=list)
    figures: dict[date, dict[dg.AssetKey, Metadata]] = field(default_factory=dict)

    @property
    def first_posting(self) -> int | None:
        """The first posting of the run, None when there was nothing to post."""
        return self.postings[0] if self.postings else None

    def note(self, day: date, summary: PostingSummary | None) -> None:
        """Collect what the graph shows of a date that is done."""
        if summary is None:
            self.figures[day] = {key: nothing_new(day) for key in TABLES}
        else:
            self.figures[day] = posting_metadata(self.connection, summary)
            self.postings.append(summary.posting_id)

    def materializations(self) -> Iterator[tuple[dg.AssetKey, date, Metadata]]:
        """The figures of each asset and date; row counts cover every posting that the date has ever had."""
        if not self.figures:
            return
        counts = partition_rows(self.connection, min(self.figures), max(self.figures))
        for day, by_asset in self.figures.items():
            for key, metadata in by_asset.items():
                rows = {"dagster/partition_row_count": counts[key].get(day, 0)} if key in counts else {}
                yield key, day, {**rows, **metadata}


def posting_assets(dates: dg.DailyPartitionsDefinition) -> dg.AssetsDefinition:
    """The partitioned assets, over these billing dates."""
    with warnings.catch_warnings():
        # One run for a range of dates needs the parameter, which has been in beta since 1.5.
        warnings.simplefilter("ignore", dg.BetaWarning)
        decorator = dg.multi_asset(
            name="posting",
            specs=table_specs(),
            check_specs=delta_specs(),
            partitions_def=dates,
            backfill_policy=dg.BackfillPolicy.single_run(),
        )

    @decorator
    def posting(
        context: dg.AssetExecutionContext,
        config: PostingConfig,
        books: BooksResource,
        observer: dg.ResourceParam[Observer],
    ) -> Iterator[Event]:
        """Bill each date of the partition range in order, one transaction per date.

        Dates before the range that still have files are posted first. A failing check rolls its date back; the dates
        before it stand and are shown as done.
        """
        first, through = (date.fromisoformat(key) for key in context.partition_key_range)
        with books.open("run", observer.now) as opened:
            done = DatesDone(opened.connection)

            def on_date(day: date, summary: PostingSummary | None) -> None:
                done.note(day, summary)
                observer.date_done(day, summary)

            for notice in [] if observer.is_watched else _notices(opened):
                context.log.warning(notice)
            try:
                bill_range(opened, first, through, bare=config.include_undated, on_date=on_date)
            except CheckFailedError as error:
                _log_done(context, done)
                yield from failed_results(error)
                raise
            except BaseException:
                _log_done(context, done)
                raise
            yield from _results(context, done)
            yield from passed_results(opened.connection, done.first_posting)
            for key, seen in input_figures(opened, done.first_posting).items():
                context.log_event(dg.AssetObservation(key, metadata=seen))
            if _is_without_copy(context):
                context.log_event(dg.AssetMaterialization(PUBLISHED, metadata=publication(opened)))

    return posting


def _notices(opened: OpenBooks) -> list[str]:
    """What the rates file means for what is posted, as of the published copy."""
    return price_notices(opened.folder, opened.prices, opened.config.books.timezone, opened.now())


def _results(context: dg.AssetExecutionContext, done: DatesDone) -> Iterator[dg.MaterializeResult[None]]:
    """The dates of the range with their own figures each; dates posted before it as events of their own."""
    in_range = set(context.partition_keys)
    alone: dict[dg.AssetKey, Metadata] = {}
    for key, day, metadata in done.materializations():
        if day.isoformat() not in in_range:
            context.log_event(dg.AssetMaterialization(key, partition=day.isoformat(), metadata=metadata))
        elif len(in_range) == 1:
            alone[key] = metadata
        else:
            # Metadata of a result would be copied to every date of the range.
            context.add_asset_metadata(metadata, asset_key=key, partition_key=day.isoformat())
    for key in TABLES:
        yield dg.MaterializeResult(asset_key=key, metadata=alone.get(key))


def _is_without_copy(context: dg.AssetExecutionContext) -> bool:
    """Whether the run leaves the published copy out, as a backfill does: it has partitioned assets only."""
    try:
        selected = context.run.asset_selection
    except dg.DagsterError:
        return False  # called directly: there is no run
    return bool(selected) and PUBLISHED not in (selected or ())


def _log_done(context: dg.AssetExecutionContext, done: DatesDone) -> None:
    """A run that fails half-way still shows the dates that stand.

    After some failures DuckDB answers nothing more; the error that stopped the run is the one to hear of.
    """
    with suppress(duckdb.Error):
        for key, day, metadata in done.materializations():
            context.log_event(dg.AssetMaterialization(key, partition=day.isoformat(), metadata=metadata))
