"""What the graph shows of a run: figures per billing date, and the first rows of what was written."""

from collections.abc import Mapping
from datetime import date, datetime

import dagster as dg
import duckdb

from pipelines.assets import inputs
from pipelines.assets.tables import TABLES, TOKEN_ACCOUNTS, TOKEN_TRANSACTIONS, TOKEN_USAGE, USAGE_FILES
from pipelines.billing import OpenBooks
from pipelines.parsed_sql import run
from pipelines.warehouse.posting import PostingSummary

PREVIEW_ROWS = 8
CELL_WIDTH = 40
NO_POSTING = 1 << 62
"""Above every posting number: what a run that posted nothing asks from."""

Metadata = dict[str, dg.MarkdownMetadataValue | dg.PathMetadataValue | int | str]

_FIGURES: Mapping[dg.AssetKey, tuple[str, ...]] = {
    USAGE_FILES: (
        "files", "received", "accepted", "duplicate", "superseded", "conflict", "ignored", "quarantined", "blank",
    ),
    TOKEN_USAGE: ("usage_rows", "held_rows", "tokens_billed"),
    TOKEN_TRANSACTIONS: ("ledger_rows", "tokens_billed", "tokens_credited"),
    TOKEN_ACCOUNTS: ("tokens_billed", "tokens_credited"),
}  # fmt: skip

_PREVIEWS = {
    USAGE_FILES: "SELECT source, path, outcome, received, accepted, quarantined FROM audit.usage_files"
    " WHERE posting_id = $posting_id ORDER BY file_id",
    TOKEN_USAGE: "SELECT strftime(occurred_at, '%m-%d %H:%M') AS utc, account_id, operation_type, model, total_tokens,"
    " billable_tokens FROM books.token_usage WHERE posting_id = $posting_id ORDER BY billable_tokens DESC",
    TOKEN_TRANSACTIONS: "SELECT account_id, account_seq, transaction_type, token_amount, balance_before, balance_after"
    " FROM books.token_transactions WHERE posting_id = $posting_id ORDER BY abs(token_amount) DESC, account_id",
    TOKEN_ACCOUNTS: "SELECT account_id, balance, balance_level, status, lifetime_tokens_purchased, lifetime_tokens_used"
    " FROM books.token_accounts WHERE account_id IN"
    " (SELECT account_id FROM books.token_transactions WHERE posting_id = $posting_id) ORDER BY balance, account_id",
}

_ROWS_PER_DATE = """
SELECT posting.billing_date, count(*) FROM {table} JOIN audit.postings AS posting USING (posting_id)
WHERE posting.billing_date BETWEEN $first AND $last GROUP BY posting.billing_date
"""


def posting_metadata(connection: duckdb.DuckDBPyConnection, summary: PostingSummary) -> dict[dg.AssetKey, Metadata]:
    """The figures of one posting and its first rows, by asset. Counts are rows, tokens whole tokens."""
    return {
        key: {
            **{name: summary.counts[name] for name in _FIGURES[key]},
            "billing_date": summary.billing_date.isoformat(),
            "posting_id": summary.posting_id,
            "head": summary.head,
            "preview": preview(connection, _PREVIEWS[key], {"posting_id": summary.posting_id}),
        }
        for key in TABLES
    }


def input_figures(opened: OpenBooks, first_posting: int | None) -> dict[dg.AssetKey, Metadata]:
    """What a run saw of each input: files and records taken since ``first_posting``, versions in force, entries."""
    found = opened.connection.execute(
        "SELECT kind, count(*), sum(received)::BIGINT FROM audit.usage_files"
        " WHERE posting_id >= $first AND outcome = 'taken' GROUP BY kind",
        {"first": first_posting if first_posting is not None else NO_POSTING},
    ).fetchall()
    taken = {kind: {"files_taken": files, "records": records} for kind, files, records in found}
    none = {"files_taken": 0, "records": 0}
    return {
        inputs.USAGE_LOGS: taken.get("usage", none),
        inputs.ACCOUNTS: taken.get("accounts", none),
        inputs.CREDITS: taken.get("credits", none),
        inputs.RATES: {"file": opened.config.rates.path},
        inputs.PACKAGES: {"file": opened.config.packages.path, "packages": len(opened.packages)},
        inputs.ADMIN_JOURNAL: {"entries": opened.admin.head_seq()},
    }


def nothing_new(day: date) -> Metadata:
    """What a date shows that had nothing to post."""
    return {"billing_date": day.isoformat(), "note": "nothing new: no file, credit or admin entry was waiting"}


def partition_rows(
    connection: duckdb.DuckDBPyConnection, first: date, last: date
) -> dict[dg.AssetKey, dict[date, int]]:
    """Rows per billing date over all its postings; balances are one table for all dates and have no such figure."""
    return {
        key: dict(
            connection.execute(
                _ROWS_PER_DATE.format(table=".".join(key.path)), {"first": first, "last": last}
            ).fetchall()
        )
        for key in TABLES
        if key != TOKEN_ACCOUNTS
    }


def preview(
    connection: duckdb.DuckDBPyConnection, query: str, parameters: Mapping[str, object] | None = None
) -> dg.MarkdownMetadataValue:
    """The first rows of a query as a Markdown table; the query is one of ours, never a user's."""
    cursor = run(connection, f"{query} LIMIT {PREVIEW_ROWS}", dict(parameters) if parameters else None)
    names = [column[0] for column in cursor.description or ()]
    return markdown_table(names, cursor.fetchall())


def markdown_table(names: list[str], found: list[tuple[object, ...]]) -> dg.MarkdownMetadataValue:
    """Rows as a Markdown table; numbers right, grouped by thousands."""
    if not found:
        return dg.MetadataValue.md("*no rows*")
    numeric = [all(value is None or type(value) is int for value in column) for column in zip(*found, strict=True)]
    lines = [" | ".join(names), " | ".join("---:" if right else "---" for right in numeric)]
    lines += [" | ".join(_cell(value) for value in row) for row in found]
    return dg.MetadataValue.md("\n".join(f"| {line} |" for line in lines))


def _cell(value: object) -> str:
    if value is None:
        return ""
    if type(value) is int:
        return f"{value:,}"
    text = value.isoformat() if isinstance(value, date | datetime) else str(value)
    text = text if len(text) <= CELL_WIDTH else f"{text[: CELL_WIDTH - 1]}…"
    return text.replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")
