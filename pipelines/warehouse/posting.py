"""One posting: everything not yet posted up to a billing date, in one database transaction.

Files are read and classified, calls priced, ledger rows ordered and numbered, lots settled, balances moved, the delta
of each check run and the rows sealed. Either all of it is in the books, or none.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo

from billing_core.errors import CheckFailedError, IntegrityError
from billing_core.ledger import PURCHASE_WAIT_DAYS
from pipelines.engines.grading import grade_accounts
from pipelines.engines.ledger import post_entries
from pipelines.engines.local import rate_usage
from pipelines.intake.archives import SUFFIX, split_member
from pipelines.intake.reading import read_posting, read_retried
from pipelines.intake.sources import FileToRead, ReadContext
from pipelines.intake.walk import is_plain
from pipelines.warehouse.actions import keep_actions
from pipelines.warehouse.costing import price_usage
from pipelines.warehouse.files import note_received, number_files
from pipelines.warehouse.posting_types import ChangedInputError, PostingInputs, PostingSummary
from pipelines.warehouse.quarantine import keep_raw_records, load_raw_records
from pipelines.warehouse.rate_versions import keep_rates
from pipelines.warehouse.script import roll_back, rows, run_script, scalar
from pipelines.warehouse.sealing import seal
from pipelines.warehouse.versions import keep_packages, keep_settings

if TYPE_CHECKING:
    import duckdb

    from pipelines.intake.found import FoundFile

__all__ = ["ChangedInputError", "PostingInputs", "PostingSummary", "post", "rehearse"]


def post(connection: duckdb.DuckDBPyConnection, inputs: PostingInputs) -> PostingSummary:
    """Post, in one transaction.

    Raises CheckFailedError when a check found rows, IntegrityError when the inputs contradict the books, and
    duckdb.Error as it comes; in every case the transaction is rolled back and the books stand as before. Where it is
    the entries booked by hand that nothing can be posted with, they are held and all else is posted.
    """
    try:
        return _in_transaction(connection, inputs, "COMMIT")
    except (CheckFailedError, IntegrityError):
        if inputs.holds_booked or not any(entry.credit for entry in inputs.actions):
            raise
        with suppress(CheckFailedError, IntegrityError):
            return _in_transaction(connection, replace(inputs, holds_booked=True), "COMMIT")
        raise


def rehearse(connection: duckdb.DuckDBPyConnection, inputs: PostingInputs) -> dict[int, str]:
    """Post and take it back; returns the entries that would be held, by seq, with why. Raises as `post` does."""
    return _in_transaction(connection, inputs, "ROLLBACK").held


def _in_transaction(connection: duckdb.DuckDBPyConnection, inputs: PostingInputs, ending: str) -> PostingSummary:
    connection.execute("BEGIN")
    try:
        summary = _post(connection, inputs)
        connection.execute(ending)
    except BaseException:
        roll_back(connection)
        raise
    return summary


def _post(connection: duckdb.DuckDBPyConnection, inputs: PostingInputs) -> PostingSummary:
    """The steps in their order; a script whose input is empty is left out: planning it costs more than running it."""
    parameters = _parameters(connection, inputs)
    has_new_rules = _keep_versions(connection, inputs)
    _read(connection, inputs)
    accepted = _accepted(connection)
    run_script(connection, "posting/01_accounts.sql", parameters)
    if accepted.credits:
        run_script(connection, "posting/02_credits.sql", parameters)
    held = keep_actions(connection, inputs, _horizon(inputs.billing_date))
    has_tiers = rate_usage(connection, inputs.prices, parameters, with_held=has_new_rules)
    _refuse_unpriceable(connection)
    if accepted.usage:
        price_usage(connection, inputs.provider_prices, inputs.posting_id)
    run_script(connection, f"posting/03_{'revisions' if accepted.later_versions else 'no_revisions'}.sql", parameters)
    if has_new_rules:
        run_script(connection, "posting/03_priced.sql", parameters)
    if has_tiers:
        run_script(connection, "posting/03_trued_up.sql", parameters)
    if accepted.versioned:
        run_script(connection, "posting/04_versions.sql", parameters)
    if accepted.buckets:
        run_script(connection, "posting/04_provider_usage.sql", parameters)
    run_script(connection, "posting/05_due.sql", parameters)
    run_script(connection, "posting/05_entries.sql", parameters)
    post_entries(connection, parameters)
    if accepted.usage:
        run_script(connection, "posting/06_usage.sql", parameters)
    run_script(connection, "posting/07_transactions.sql", parameters)
    run_script(connection, "posting/08_balances.sql", parameters)
    grade_accounts(
        connection, inputs.prices.settings.at(int(_horizon(inputs.billing_date).timestamp()) * 1_000_000 - 1)
    )
    run_script(connection, "posting/09_accounts.sql", parameters)
    run_script(connection, "posting/10_trail.sql", parameters)
    if any(file.outcome == "duplicate" for file in inputs.files):
        run_script(connection, "posting/10_repeated_files.sql", parameters)
    run_script(connection, "posting/11_files.sql", parameters)
    keep_raw_records(connection, inputs.quarantine, inputs.posting_id)
    return replace(seal(connection, inputs), held=held)


class _Accepted(NamedTuple):
    """How many records of each kind were accepted, and of the calls how many name a version or replace a posted one.

    buckets: reports of providers that are new.
    """

    credits: int
    usage: int
    later_versions: int
    versioned: int
    buckets: int


def _accepted(connection: duckdb.DuckDBPyConnection) -> _Accepted:
    found = rows(
        connection,
        "SELECT (SELECT count(*) FROM classified_credits WHERE disposition = 'accepted'), count(*),"
        " count(*) FILTER (supersedes), count(version),"
        " (SELECT count(*) FROM classified_provider_usage WHERE reason = 'aggregate')"
        " FROM classified_usage WHERE disposition = 'accepted'",
    )
    return _Accepted(*(int(str(value)) for value in found[0]))


def _horizon(billing_date: date) -> datetime:
    """The end of a billing date, exclusive."""
    return datetime.combine(billing_date + timedelta(days=1), time(), UTC)


def tier_month(billing_date: date, timezone: str) -> str:
    """The month of the books' zone in which a billing date begins: the one before it is over."""
    return datetime.combine(billing_date, time(), UTC).astimezone(ZoneInfo(timezone)).strftime("%Y-%m")


def _parameters(connection: duckdb.DuckDBPyConnection, inputs: PostingInputs) -> dict[str, object]:
    """Every named parameter of the posting scripts."""
    last = rows(connection, "SELECT max(billing_date) FROM audit.postings")[0][0]
    before = last if isinstance(last, date) else date(1969, 12, 31)
    return {
        "posting_id": inputs.posting_id,
        "billing_date": inputs.billing_date,
        "recorded_at": datetime.fromtimestamp(0, UTC) + timedelta(microseconds=inputs.recorded_us),
        "horizon": _horizon(inputs.billing_date),
        "previous_horizon": _horizon(before),
        "start": datetime.combine(inputs.start, time(), UTC),
        "timezone": inputs.timezone,
        "tier_month": tier_month(inputs.billing_date, inputs.timezone),
        "previous_tier_month": tier_month(before, inputs.timezone),
        "books_welcome": inputs.books_welcome,
        "wait_days": PURCHASE_WAIT_DAYS,
    }


def _keep_versions(connection: duckdb.DuckDBPyConnection, inputs: PostingInputs) -> bool:
    """Bring settings, packages and rules up to the files; returns whether a rule is new."""
    keep_settings(connection, inputs.prices.settings, inputs.recorded_us)
    keep_packages(connection, inputs.packages, inputs.recorded_us)
    return keep_rates(
        connection,
        inputs.prices,
        book_sha256=inputs.rates_sha256,
        posting_id=inputs.posting_id,
        recorded_us=inputs.recorded_us,
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
    to_read = [
        (_to_read(inputs, file, file_ids[file.source, file.path]), inputs.sources[file.source]) for file in taken
    ]
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
    stored, member = split_member(file.path)
    path = inputs.input_paths.get(file.path, inputs.root / stored)
    return FileToRead(
        file_id=file_id,
        path=path,
        relative_path=file.path,
        byte_from=file.byte_from,
        byte_to=file.size_bytes if is_plain(file.path) else None,
        first_line=file.first_line,
        sha256=file.sha256,
        continues_file_id=file.continues_file_id,
        # A rebuild has kept what it needs of an archive as a file of its own.
        member=member if path.name.endswith(SUFFIX) else None,
    )


def _refuse_unpriceable(connection: duckdb.DuckDBPyConnection) -> None:
    """Bounds of tokens, images, multipliers and costs keep every figure inside 64 bits; a breach is a bug, not data."""
    breached = scalar(connection, "SELECT count(*) FROM usage_rated WHERE rating_reason IS NOT NULL")
    if breached:
        raise IntegrityError(f"{breached} calls have a figure beyond 64 bits although their counts were in bounds")
