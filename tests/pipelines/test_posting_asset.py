"""The posting operation called directly: events, figures, checks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dagster as dg

from billing_core.errors import CheckFailedError
from pipelines.assets.posting import PostingConfig, posting_assets
from pipelines.assets.tables import TABLES, TOKEN_USAGE, USAGE_FILES
from pipelines.checks import delta_checks, failed_results
from pipelines.partitions import billing_dates
from pipelines.resources import BooksResource, Observer
from tests.pipelines.small_books import LAST, START, small_books

if TYPE_CHECKING:
    from pathlib import Path


def _posting() -> dg.AssetsDefinition:
    return posting_assets(billing_dates(START, LAST))


def test_direct_call_yields_every_table_and_every_check(tmp_path: Path, dagster_instance: dg.DagsterInstance) -> None:
    """One date called directly materialises the five tables and passes each delta check."""
    observer = Observer()
    context = dg.build_asset_context(partition_key=START.isoformat(), instance=dagster_instance)
    books = BooksResource(path=str(small_books(tmp_path).root), wait_seconds=0)
    called: Any = _posting()(context=context, config=PostingConfig(), books=books, observer=observer)
    events = list(called)
    assert [event.asset_key for event in events if isinstance(event, dg.MaterializeResult)] == list(TABLES)
    results = {event.check_name: event.passed for event in events if isinstance(event, dg.AssetCheckResult)}
    assert results == dict.fromkeys(delta_checks(), True)
    assert [summary.billing_date for summary in observer.summaries] == [START]


def test_range_gives_each_date_its_own_figures(tmp_path: Path, dagster_instance: dg.DagsterInstance) -> None:
    """One run over three dates: figures, previews and row counts are per date, not copies of a total."""
    folder = small_books(tmp_path, dates=2)
    result = dg.materialize(
        [_posting()],
        instance=dagster_instance,
        resources={"books": BooksResource(path=str(folder.root), wait_seconds=0), "observer": Observer()},
        tags={"dagster/asset_partition_range_start": "2026-09-01", "dagster/asset_partition_range_end": "2026-09-03"},
    )
    shown = _by_partition(result, TOKEN_USAGE)
    assert list(shown) == ["2026-09-01", "2026-09-02", "2026-09-03"]
    assert shown["2026-09-02"]["posting_id"].value == 2
    assert shown["2026-09-02"]["dagster/partition_row_count"].value == 2
    assert "account-2" in shown["2026-09-02"]["preview"].value
    assert "nothing new" in shown["2026-09-03"]["note"].value
    assert _by_partition(result, USAGE_FILES)["2026-09-01"]["received"].value == 2


def _by_partition(result: dg.ExecuteInProcessResult, key: dg.AssetKey) -> dict[str, Any]:
    events = [event for event in result.get_asset_materialization_events() if event.asset_key == key]
    return {str(event.partition): event.materialization.metadata for event in events}


def test_failed_check_shows_its_rows() -> None:
    """Rows that the posting kept of a failing check are a table in its result; the other checks pass."""
    error = CheckFailedError("posting 3 was rolled back", {"signs": 1})
    error.rows = {"signs": [{"account_id": "a|b", "token_amount": -12345}]}
    results = {result.check_name: result for result in failed_results(error)}
    assert [name for name, result in results.items() if not result.passed] == ["signs"]
    table = results["signs"].metadata["first_rows"]
    assert isinstance(table, dg.MarkdownMetadataValue)
    assert table.value == "| account_id | token_amount |\n| --- | ---: |\n| a\\|b | -12,345 |"


def test_every_delta_check_names_its_table() -> None:
    """Each delta check stands at a table of the posting."""
    assert set(delta_checks().values()) <= set(TABLES)


def test_config_explains_itself() -> None:
    """Each field of the launch form has a description."""
    for model in (PostingConfig, BooksResource):
        assert [name for name, item in model.model_fields.items() if not item.description] == []


def test_metadata_names_the_posting(tmp_path: Path, dagster_instance: dg.DagsterInstance) -> None:
    """A partition says which posting made it and how the chain of postings went on."""
    result = dg.materialize(
        [_posting()],
        instance=dagster_instance,
        partition_key="2026-09-01",
        resources={"books": BooksResource(path=str(small_books(tmp_path).root)), "observer": Observer()},
    )
    assert _by_partition(result, TABLES[0])["2026-09-01"].keys() >= {"posting_id", "head"}
