"""The one Definitions: what `tollbook ui`, `dagster dev` and `tollbook run` load. It needs no books and no home."""

from datetime import date

import dagster as dg

from pipelines.assets.inputs import input_specs
from pipelines.assets.payments import stripe_assets
from pipelines.assets.posting import posting_assets
from pipelines.assets.publishing import published_books_asset
from pipelines.assets.reconciliation import reconciliation_asset
from pipelines.automation import (
    billing_daily,
    billing_job,
    new_files,
    stripe_job,
    stripe_sync_hourly,
    verification_job,
    weekly_verification,
)
from pipelines.checks import full_verification
from pipelines.partitions import billing_dates, known_dates
from pipelines.resources import BooksResource, Observer


def definitions(start: date, through: date | None = None, observer: Observer | None = None) -> dg.Definitions:
    """The whole graph, with partitions from ``start`` to yesterday, or to ``through`` where that is later."""
    return dg.Definitions(
        assets=[
            *input_specs(),
            posting_assets(billing_dates(start, through)),
            stripe_assets(),
            reconciliation_asset(),
            published_books_asset(),
        ],
        asset_checks=[full_verification()],
        jobs=[billing_job, stripe_job, verification_job],
        schedules=[billing_daily, stripe_sync_hourly, weekly_verification],
        sensors=[new_files],
        resources={"books": BooksResource(), "observer": observer or Observer()},
        executor=dg.in_process_executor,
    )


defs = definitions(*known_dates())
