"""The end of a posting: its checks, its counts, the hashes of its rows, and its place in the chain."""

from __future__ import annotations

from typing import TYPE_CHECKING

from billing_core.chain import GENESIS, posting_head
from billing_core.errors import CheckFailedError
from pipelines.parsed_sql import run
from pipelines.warehouse.checks import failing_delta_rows, run_delta_checks
from pipelines.warehouse.hashes import posting_blocks
from pipelines.warehouse.posting_types import PostingInputs, PostingSummary
from pipelines.warehouse.script import insert_rows, rows

if TYPE_CHECKING:
    import duckdb


def seal(connection: duckdb.DuckDBPyConnection, inputs: PostingInputs) -> PostingSummary:
    """Check, hash and number the posting; its row in audit.postings is the last thing written.

    Raises CheckFailedError when a check finds rows among those of this posting.
    """
    failing = run_delta_checks(connection, inputs.posting_id)
    if any(failing.values()):
        named = ", ".join(f"{name}: {count} rows" for name, count in failing.items() if count)
        raise CheckFailedError(
            f"posting {inputs.posting_id} for {inputs.billing_date} was rolled back, its checks found {named}.",
            failing,
            failing_delta_rows(connection, inputs.posting_id, failing),
        )
    counts = _counts(connection, inputs.posting_id)
    blocks = posting_blocks(connection, inputs.posting_id)
    found = rows(connection, "SELECT head FROM audit.postings ORDER BY posting_id DESC LIMIT 1")
    previous = str(found[0][0]) if found else GENESIS
    head = posting_head(previous, inputs.posting_id, inputs.intent_hash, counts, blocks)
    if blocks:
        insert_rows(connection, "audit.blocks", [[inputs.posting_id, *block] for block in blocks])
    values = {
        "posting_id": inputs.posting_id,
        "billing_date": inputs.billing_date,
        "recorded_us": inputs.recorded_us,
        "intent_hash": inputs.intent_hash,
        "kind": inputs.kind,
        **counts,
        "admin_seq": inputs.admin_seq,
        "code_version": inputs.code_version,
        "previous_head": previous,
        "head": head,
    }
    run(
        connection,
        "INSERT INTO audit.postings BY NAME SELECT * REPLACE (make_timestamptz(recorded_at) AS recorded_at)"
        " FROM (SELECT "
        + ", ".join(f"${key} AS {'recorded_at' if key == 'recorded_us' else key}" for key in values)
        + ")",
        values,
    )
    return PostingSummary(posting_id=inputs.posting_id, billing_date=inputs.billing_date, head=head, counts=counts)


_COUNTS_QUERY = """
SELECT
    (SELECT count(*) FROM audit.usage_files WHERE posting_id = $posting_id) AS files,
    received, accepted, duplicate, superseded, conflict, ignored, quarantined, blank,
    (SELECT count(*) FROM books.token_usage WHERE posting_id = $posting_id) AS usage_rows,
    (SELECT count(*) FROM books.token_transactions WHERE posting_id = $posting_id) AS ledger_rows,
    (SELECT count(*) FROM books.token_usage WHERE posting_id = $posting_id AND billable_tokens IS NULL) AS held_rows,
    (SELECT coalesce(-sum(token_amount) FILTER (transaction_type = 'usage' OR usage_id IS NOT NULL), 0)::BIGINT
        FROM books.token_transactions WHERE posting_id = $posting_id) AS tokens_billed,
    (SELECT coalesce(sum(token_amount) FILTER (usage_id IS NULL AND token_amount > 0), 0)::BIGINT
        FROM books.token_transactions WHERE posting_id = $posting_id) AS tokens_credited
FROM (
    SELECT
        coalesce(sum(received), 0)::BIGINT AS received, coalesce(sum(accepted), 0)::BIGINT AS accepted,
        coalesce(sum(duplicate), 0)::BIGINT AS duplicate, coalesce(sum(superseded), 0)::BIGINT AS superseded,
        coalesce(sum(conflict), 0)::BIGINT AS conflict, coalesce(sum(ignored), 0)::BIGINT AS ignored,
        coalesce(sum(quarantined), 0)::BIGINT AS quarantined, coalesce(sum(blank), 0)::BIGINT AS blank
    FROM audit.usage_files WHERE posting_id = $posting_id
) AS lines
"""


def _counts(connection: duckdb.DuckDBPyConnection, posting_id: int) -> dict[str, int]:
    """The figures of audit.postings, counted from the rows themselves."""
    cursor = run(connection, _COUNTS_QUERY, {"posting_id": posting_id})
    names = [column[0] for column in cursor.description or ()]
    return {name: int(value) for name, value in zip(names, cursor.fetchall()[0], strict=True)}
