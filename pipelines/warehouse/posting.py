"""One posting: everything not yet posted up to a billing date, in one database transaction.

Files are read and classified, calls priced, ledger rows ordered and numbered, lots settled, balances moved, the delta
of each check run and the rows sealed. Either all of it is in the books, or none.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, NamedTuple

import duckdb

from billing_core.chain import GENESIS, posting_head
from billing_core.errors import CheckFailedError, IntegrityError, TollbookError
from billing_core.vocabulary import Disposition
from pipelines.engines.grading import grade_accounts
from pipelines.engines.ledger import post_entries
from pipelines.engines.local import rate_usage
from pipelines.intake.reading import read_posting, read_retried
from pipelines.intake.sources import FileToRead, ReadContext
from pipelines.warehouse.checks import run_delta_checks
from pipelines.warehouse.files import note_received, number_files
from pipelines.warehouse.hashes import posting_blocks
from pipelines.warehouse.quarantine import keep_raw_records, load_raw_records
from pipelines.warehouse.script import rows, run_script, scalar
from pipelines.warehouse.versions import keep_packages, keep_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from billing_core.packages import Package
    from billing_core.settings import SettingsBook
    from pipelines.books.admin_journal import AdminEntry
    from pipelines.books.posting_log import RetriedRecord
    from pipelines.intake.found import FoundFile
    from pipelines.intake.sources import Source

COUNTS = tuple(disposition.value for disposition in Disposition)


class ChangedInputError(TollbookError):
    """An input file is no longer what the posting announced; the posting was rolled back."""

    def __init__(self, paths: str) -> None:
        super().__init__(f"{paths} changed while it was read; leave it alone and run the command again")


@dataclass(frozen=True, kw_only=True)
class PostingInputs:
    """All that decides what a posting writes; a rebuild gives the same ones.

    ``recorded_us`` is epoch microseconds. ``sources`` are by name. ``input_path`` of a found file is
    ``input_paths[path]``, or the path below ``root``: a rebuild reads small inputs from the object store.
    """

    root: Path
    quarantine: Path
    posting_id: int
    billing_date: date
    recorded_us: int
    kind: str
    intent_hash: str
    code_version: str
    files: Sequence[FoundFile]
    sources: Mapping[str, Source]
    actions: Sequence[AdminEntry]
    admin_seq: int
    retries: Sequence[RetriedRecord]
    settings: SettingsBook
    packages: Sequence[Package]
    rates_sha256: str
    start: date
    timezone: str
    auto_create: bool
    books_welcome: bool
    metadata_keys: tuple[str, ...]
    input_paths: Mapping[str, Path] = field(default_factory=dict)
    changed_files: Callable[[], tuple[str, ...]] = tuple


@dataclass(frozen=True, kw_only=True)
class PostingSummary:
    """What one posting wrote: ``counts`` has the seven dispositions, received and the figures of audit.postings."""

    posting_id: int
    billing_date: date
    head: str
    counts: Mapping[str, int]


def post(connection: duckdb.DuckDBPyConnection, inputs: PostingInputs) -> PostingSummary:
    """Post, in one transaction.

    Raises CheckFailedError when a check found rows, IntegrityError when the inputs contradict the books, and
    duckdb.Error as it comes; in every case the transaction is rolled back and the books stand as before.
    """
    connection.execute("BEGIN")
    try:
        summary = _post(connection, inputs)
        connection.execute("COMMIT")
    except BaseException:
        _roll_back(connection)
        raise
    return summary


def _roll_back(connection: duckdb.DuckDBPyConnection) -> None:
    """Give the transaction back; a database that DuckDB has closed for good has nothing to give."""
    try:
        connection.execute("ROLLBACK")
    except duckdb.Error:
        return


def _post(connection: duckdb.DuckDBPyConnection, inputs: PostingInputs) -> PostingSummary:
    """The steps in their order. A script whose input is empty is left out: planning it would cost more than running it."""
    parameters = _parameters(connection, inputs)
    _keep_versions(connection, inputs)
    _keep_actions(connection, inputs)
    _read(connection, inputs)
    accepted = _accepted(connection)
    run_script(connection, "posting/01_accounts.sql", parameters)
    if accepted.credits:
        run_script(connection, "posting/02_credits.sql", parameters)
    rate_usage(connection, inputs.settings)
    _refuse_unpriceable(connection)
    run_script(connection, f"posting/03_{'revisions' if accepted.later_versions else 'no_revisions'}.sql", parameters)
    if accepted.versioned:
        run_script(connection, "posting/04_versions.sql", parameters)
    run_script(connection, "posting/05_entries.sql", parameters)
    post_entries(connection, parameters)
    if accepted.usage:
        run_script(connection, "posting/06_usage.sql", parameters)
    run_script(connection, "posting/07_transactions.sql", parameters)
    run_script(connection, "posting/08_balances.sql", parameters)
    grade_accounts(connection, inputs.settings.at(_horizon_us(inputs.billing_date) - 1))
    run_script(connection, "posting/09_accounts.sql", parameters)
    run_script(connection, "posting/10_trail.sql", parameters)
    run_script(connection, "posting/11_files.sql", parameters)
    keep_raw_records(connection, inputs.quarantine, inputs.posting_id)
    return _seal(connection, inputs)


class _Accepted(NamedTuple):
    """How many records of each kind were accepted, and of the calls how many name a version or replace a posted one."""

    credits: int
    usage: int
    later_versions: int
    versioned: int


def _accepted(connection: duckdb.DuckDBPyConnection) -> _Accepted:
    found = rows(
        connection,
        "SELECT (SELECT count(*) FROM classified_credits WHERE disposition = 'accepted'), count(*),"
        " count(*) FILTER (supersedes), count(version) FROM classified_usage WHERE disposition = 'accepted'",
    )
    return _Accepted(*(int(str(value)) for value in found[0]))


def _horizon_us(billing_date: date) -> int:
    """The end of a billing date, exclusive, in epoch microseconds."""
    return int(datetime.combine(billing_date + timedelta(days=1), time(), UTC).timestamp()) * 1_000_000


def _parameters(connection: duckdb.DuckDBPyConnection, inputs: PostingInputs) -> dict[str, object]:
    """Every named parameter of the posting scripts."""
    last = rows(connection, "SELECT max(billing_date) FROM audit.postings")[0][0]
    horizon = datetime.combine(inputs.billing_date + timedelta(days=1), time(), UTC)
    before = last if isinstance(last, date) else date(1969, 12, 31)
    return {
        "posting_id": inputs.posting_id,
        "billing_date": inputs.billing_date,
        "recorded_at": datetime.fromtimestamp(0, UTC) + timedelta(microseconds=inputs.recorded_us),
        "horizon": horizon,
        "previous_horizon": datetime.combine(before + timedelta(days=1), time(), UTC),
        "start": datetime.combine(inputs.start, time(), UTC),
        "timezone": inputs.timezone,
        "books_welcome": inputs.books_welcome,
    }


def _keep_versions(connection: duckdb.DuckDBPyConnection, inputs: PostingInputs) -> None:
    keep_settings(
        connection,
        inputs.settings,
        book_sha256=inputs.rates_sha256,
        posting_id=inputs.posting_id,
        recorded_us=inputs.recorded_us,
    )
    keep_packages(connection, inputs.packages, inputs.recorded_us)


def _keep_actions(connection: duckdb.DuckDBPyConnection, inputs: PostingInputs) -> None:
    """Admin entries that the books have not read yet, with this posting's number."""
    for entry in inputs.actions:
        connection.execute(
            "INSERT INTO audit.admin_actions VALUES ($seq, $entry_id, $occurred_at::TIMESTAMPTZ, $actor, $action,"
            " $account_id, $token_amount::BIGINT, $reason, $entry_hash, $posting_id)",
            {
                "seq": entry.seq,
                "entry_id": entry.id,
                "occurred_at": entry.at,
                "actor": entry.actor,
                "action": entry.action,
                "account_id": entry.account_id,
                "token_amount": entry.token_amount,
                "reason": entry.reason,
                "entry_hash": entry.hash,
                "posting_id": inputs.posting_id,
            },
        )


def _read(connection: duckdb.DuckDBPyConnection, inputs: PostingInputs) -> None:
    """Read the files, or the records of a retry, into the classified tables.

    Raises ChangedInputError when a file is no longer what was announced.
    """
    context = ReadContext(
        billing_date=inputs.billing_date,
        start=inputs.start,
        auto_create=inputs.auto_create,
        books_welcome=inputs.books_welcome,
        metadata_keys=inputs.metadata_keys,
    )
    file_ids = number_files(connection, inputs.files, inputs.sources)
    taken = [file for file in inputs.files if file.outcome == "taken"]
    to_read = [(_to_read(inputs, file, file_ids[file.source, file.path]), inputs.sources[file.source]) for file in taken]
    if inputs.retries:
        records = load_raw_records(connection, inputs.quarantine, inputs.retries, inputs.sources)
        read_retried(connection, records, context)
    else:
        result = read_posting(connection, to_read, context)
        note_received(connection, result.received, result.unreadable)
    changed = inputs.changed_files()
    if changed:
        raise ChangedInputError(", ".join(changed))


def _to_read(inputs: PostingInputs, file: FoundFile, file_id: int) -> FileToRead:
    return FileToRead(
        file_id=file_id,
        path=inputs.input_paths.get(file.path, inputs.root / file.path),
        relative_path=file.path,
        byte_from=file.byte_from,
        first_line=file.first_line,
        sha256=file.sha256,
    )


def _refuse_unpriceable(connection: duckdb.DuckDBPyConnection) -> None:
    """Bounds of tokens, images, multipliers and costs keep every figure inside 64 bits; a breach is a bug, not data."""
    breached = scalar(connection, "SELECT count(*) FROM usage_rated WHERE rating_reason IS NOT NULL")
    if breached:
        raise IntegrityError(f"{breached} calls have a figure beyond 64 bits although their counts were in bounds")


def _seal(connection: duckdb.DuckDBPyConnection, inputs: PostingInputs) -> PostingSummary:
    """Check, hash and number the posting; its row in audit.postings is the last thing written."""
    failing = run_delta_checks(connection, inputs.posting_id)
    if any(failing.values()):
        named = ", ".join(f"{name}: {count} rows" for name, count in failing.items() if count)
        raise CheckFailedError(
            f"posting {inputs.posting_id} for {inputs.billing_date} was rolled back, its checks found {named}.", failing
        )
    counts = _counts(connection, inputs.posting_id)
    blocks = posting_blocks(connection, inputs.posting_id)
    found = rows(connection, "SELECT head FROM audit.postings ORDER BY posting_id DESC LIMIT 1")
    previous = str(found[0][0]) if found else GENESIS
    head = posting_head(previous, inputs.posting_id, inputs.intent_hash, counts, blocks)
    if blocks:
        connection.executemany(
            "INSERT INTO audit.blocks VALUES ($1, $2, $3, $4, $5, $6)", [[inputs.posting_id, *block] for block in blocks]
        )
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
    connection.execute(
        "INSERT INTO audit.postings BY NAME SELECT * REPLACE (make_timestamptz(recorded_at) AS recorded_at) FROM (SELECT "
        + ", ".join(f"${key} AS {'recorded_at' if key == 'recorded_us' else key}" for key in values)
        + ")",
        values,
    )
    return PostingSummary(
        posting_id=inputs.posting_id, billing_date=inputs.billing_date, head=head, counts=counts
    )


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
    cursor = connection.execute(_COUNTS_QUERY, {"posting_id": posting_id})
    names = [column[0] for column in cursor.description or ()]
    return {name: int(value) for name, value in zip(names, cursor.fetchall()[0], strict=True)}
