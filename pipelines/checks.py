"""The checks of the books as Dagster asset checks.

A posting proves the delta of each check before it commits; those are blocking checks of the table they concern. The
same views over full history are checks of the published copy, run once a week.
"""

from collections.abc import Iterator

import dagster as dg
import duckdb

from billing_core.errors import CheckFailedError, ConfigurationError
from pipelines.assets.publishing import PUBLISHED
from pipelines.assets.tables import TOKEN_ACCOUNTS, TOKEN_TRANSACTIONS, TOKEN_USAGE, USAGE_FILES
from pipelines.metadata import NO_POSTING, markdown_table, preview
from pipelines.resources import BooksResource
from pipelines.warehouse.checks import checks, delta_texts, failing_rows

ASSET_OF_CHECK = {
    "line_conservation": USAGE_FILES,
    "one_row_per_event": TOKEN_USAGE,
    "recomputed_price": TOKEN_USAGE,
    "narrowest_rule": TOKEN_USAGE,
    "settings_cover_time": TOKEN_USAGE,
    "running_balance": TOKEN_TRANSACTIONS,
    "signs": TOKEN_TRANSACTIONS,
    "corrections": TOKEN_TRANSACTIONS,
    "welcome_once": TOKEN_TRANSACTIONS,
    "lots": TOKEN_ACCOUNTS,
    "account_balance": TOKEN_ACCOUNTS,
}
"""Where the delta form of a check stands; one that is not named here stands at the ledger."""


def delta_checks() -> dict[str, dg.AssetKey]:
    """The checks that each posting evaluates, with the asset that each concerns."""
    return {name: ASSET_OF_CHECK.get(name, TOKEN_TRANSACTIONS) for name in delta_texts()}


def delta_specs() -> list[dg.AssetCheckSpec]:
    """Blocking checks of the tables of a posting: one that fails rolls the posting back."""
    meanings = {check.name: check.meaning for check in checks()}
    return [
        dg.AssetCheckSpec(name, asset=asset, description=meanings[name], blocking=True)
        for name, asset in delta_checks().items()
    ]


def passed_results(connection: duckdb.DuckDBPyConnection, first_posting: int | None) -> Iterator[dg.AssetCheckResult]:
    """One result per delta check over the postings of a run, from ``first_posting`` on; None when it made none."""
    found = connection.execute(
        "SELECT check_name, count(*), sum(failing_rows)::BIGINT FROM audit.check_results"
        " WHERE posting_id >= $first GROUP BY check_name",
        {"first": first_posting if first_posting is not None else NO_POSTING},
    ).fetchall()
    results = {name: (postings, failing) for name, postings, failing in found}
    for name, asset in delta_checks().items():
        postings, failing = results.get(name, (0, 0))
        yield dg.AssetCheckResult(
            check_name=name,
            asset_key=asset,
            passed=failing == 0,
            severity=dg.AssetCheckSeverity.ERROR,
            metadata={"postings_checked": postings, "failing_rows": failing},
        )


def failed_results(error: CheckFailedError) -> Iterator[dg.AssetCheckResult]:
    """One result per delta check of a posting that was rolled back, with the rows that should not have been."""
    for name, asset in delta_checks().items():
        failing = error.failing.get(name, 0)
        metadata: dict[str, dg.MarkdownMetadataValue | int | str] = {"failing_rows": failing}
        if failing:
            metadata["rolled_back"] = str(error)
            found = error.rows.get(name, [])
            if found:
                metadata["first_rows"] = markdown_table(list(found[0]), [tuple(row.values()) for row in found])
        yield dg.AssetCheckResult(
            check_name=name,
            asset_key=asset,
            passed=failing == 0,
            severity=dg.AssetCheckSeverity.ERROR,
            metadata=metadata,
        )


def verification_keys() -> list[dg.AssetCheckKey]:
    """The checks over full history."""
    return [dg.AssetCheckKey(PUBLISHED, check.name) for check in checks()]


def full_verification() -> dg.AssetChecksDefinition:
    """Every check view over full history, read from the published copy; the live books stay free for postings."""
    specs = [dg.AssetCheckSpec(check.name, asset=PUBLISHED, description=check.meaning) for check in checks()]

    @dg.multi_asset_check(
        name="verify_published", specs=specs, description="Every check view of the books, over full history."
    )
    def verify_published(books: BooksResource) -> Iterator[dg.AssetCheckResult]:
        published = books.folder().published
        if not published.is_file():
            raise ConfigurationError(f"{published}: nothing is published yet; materialise the billing assets first")
        with duckdb.connect(str(published), read_only=True) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            for check in checks():
                failing = failing_rows(connection, check)
                metadata: dict[str, dg.MarkdownMetadataValue | int | str] = {
                    "failing_rows": failing,
                    "view": check.view,
                }
                if failing:
                    metadata["first_rows"] = preview(connection, f"FROM {check.view}")
                yield dg.AssetCheckResult(
                    check_name=check.name,
                    asset_key=PUBLISHED,
                    passed=failing == 0,
                    severity=dg.AssetCheckSeverity.ERROR,
                    metadata=metadata,
                )

    return verify_published
