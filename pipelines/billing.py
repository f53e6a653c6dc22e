"""Billing: open the books, look at what is waiting, post date after date, publish.

The order on disk is intent line, COMMIT, done line, published copy. Whatever is cut off in between, the next opening
finds either nothing new or exactly one posting more than the journal says, and goes on from there.
"""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING

import duckdb

from billing_core.errors import ConfigurationError
from pipelines.books import clock
from pipelines.books.admin_journal import AdminJournal
from pipelines.books.config import config_texts, load_config, load_packages, load_prices, resolve_secret
from pipelines.books.config_models import size_in_bytes
from pipelines.books.lock import hold_books
from pipelines.books.objects import ObjectStore
from pipelines.books.posting_log import Done, Intent, PostingLog, RetriedRecord, next_recorded_at
from pipelines.engines.local import prices_held_calls
from pipelines.intake.archives import member_blocks, split_member
from pipelines.intake.discovery import changed_since, discover, due
from pipelines.intake.errors import UnreadableFileError
from pipelines.intake.profiles import parse_profile, profile_text
from pipelines.intake.remote import StagedObjects, is_remote
from pipelines.intake.sources import Source
from pipelines.payments.file_log import FileLog
from pipelines.prices.book import load_provider_prices, provider_price_texts
from pipelines.recovery import catch_up, refuse_lost_prices
from pipelines.release import code_version
from pipelines.warehouse.connection import open_warehouse, readable
from pipelines.warehouse.files import known_files, not_yet_posted, without_changed
from pipelines.warehouse.migrations import migrate
from pipelines.warehouse.posting import ChangedInputError, PostingInputs, PostingSummary, post, tier_month
from pipelines.warehouse.publish import publish
from pipelines.warehouse.quarantine import drop_expired
from pipelines.warehouse.rate_versions import has_new_rules
from pipelines.warehouse.script import rows, scalar
from pipelines.warehouse.sql import sql_text
from pipelines.warehouse.views import create_views

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from billing_core.packages import Package
    from billing_core.price_book import PriceBook
    from billing_core.provider_price_book import ProviderPriceBook
    from pipelines.books.config_models import BooksConfig
    from pipelines.books.folder import BooksFolder
    from pipelines.intake.found import Discovery, FoundFile


@dataclass
class OpenBooks:
    """Books opened for writing: locked, migrated, and in step with their journal."""

    folder: BooksFolder
    config: BooksConfig
    connection: duckdb.DuckDBPyConnection
    sources: Mapping[str, Source]
    prices: PriceBook
    packages: Sequence[Package]
    provider_prices: ProviderPriceBook
    texts: Mapping[str, bytes]
    log: PostingLog
    admin: AdminJournal
    now: Callable[[], datetime] = field(default=clock.now)

    def last_date(self) -> date | None:
        """The billing date of the last posting, None before the first."""
        found = rows(self.connection, "SELECT max(billing_date) FROM audit.postings")[0][0]
        return found if isinstance(found, date) else None

    def first_open_date(self) -> date:
        """The date from which there may be something to bill: the last one billed, or the start of the books."""
        return self.last_date() or self.config.books.start


@contextmanager
def open_books(
    folder: BooksFolder, *, command: str, env: str | None = None, wait_seconds: float = 0
) -> Iterator[OpenBooks]:
    """Open the books for writing: configuration, lock, database, migrations, journal, in this order.

    Raises ConfigurationError before anything is touched, BooksLockedError when others write, IntegrityError when the
    database and the journal do not belong together.
    """
    config = load_config(folder, env)
    sources = configured_sources(folder, config)
    prices, packages = load_prices(folder, config), load_packages(folder, config)
    provider_prices = load_provider_prices(folder, config)
    texts = config_texts(folder, env) | provider_price_texts(folder, config)
    with (
        hold_books(folder.lock, command, wait_seconds),
        open_warehouse(
            folder.database, memory_limit=config.engine.memory_limit, threads=config.engine.threads
        ) as connection,
    ):
        migrate(connection, folder.database)
        create_views(connection)
        log = PostingLog(folder.posting_log)
        catch_up(connection, log, folder.database)
        admin = AdminJournal(folder.admin_journal)
        yield OpenBooks(folder, config, connection, sources, prices, packages, provider_prices, texts, log, admin)


def configured_sources(folder: BooksFolder, config: BooksConfig, *, with_secrets: bool = True) -> dict[str, Source]:
    """The inputs of the books by name: each [[usage]] block, the credits and, if configured, the accounts.

    A rebuild goes without the secrets: which files were signed is settled in the journal.
    """
    sources = {
        block.name: _source(
            folder,
            block.name,
            USAGE_KINDS,
            block.path,
            block.profile,
            secret=resolve_secret(block, folder) if with_secrets else None,
            member=block.member,
        )
        for block in config.usage
    }
    others = {
        "credits": (config.credits.path, config.credits.member),
        "accounts": (config.accounts.path, config.accounts.member),
    }
    for kind, (pattern, member) in others.items():
        if pattern is not None:
            sources[kind] = _source(folder, kind, (kind,), pattern, kind, member=member)
    return sources


USAGE_KINDS = ("usage", "provider_usage")
"""What a [[usage]] block may read: calls, or what a provider says of them in sum."""


def _source(
    folder: BooksFolder,
    name: str,
    kinds: tuple[str, ...],
    pattern: str,
    profile: str,
    *,
    secret: bytes | None = None,
    member: str | None = None,
) -> Source:
    text, where = profile_text(profile, folder.root)
    digest = hashlib.sha256(text.encode()).hexdigest()
    parsed = parse_profile(text, where)
    if parsed.kind not in kinds:
        wanted = " or ".join(f'"{kind}"' for kind in kinds)
        raise ConfigurationError(f"{where}: key 'kind': source `{name}` needs {wanted}, got \"{parsed.kind}\"")
    return Source(name, parsed.kind, pattern, parsed, secret, profile, member or parsed.member, digest)


def staged_objects(folder: BooksFolder, config: BooksConfig, *, evicts: bool = True) -> StagedObjects:
    """The cache of objects in stores; only who holds the books may evict."""
    return StagedObjects(folder.staged, size_in_bytes(config.intake.object_cache), evicts)


def survey(books: OpenBooks) -> Discovery:
    """Look at every input file once; the days on which undated files were first seen are fixed in the journal."""
    discovery = discover(
        books.folder.root,
        books.sources.values(),
        known=known_files(books.connection),
        seen=books.log.read_all().seen,
        now=books.now(),
        start=books.config.books.start,
        settle_seconds=books.config.intake.settle_seconds,
        cache_path=books.folder.file_hashes,
        objects=staged_objects(books.folder, books.config),
    )
    books.log.remember_seen(discovery.files)
    return discovery


def bill(
    books: OpenBooks, discovery: Discovery, billing_date: date, *, include_undated: bool = False
) -> PostingSummary | None:
    """Post what is due by ``billing_date``; None when there is nothing new.

    A date before the last posting has none of its own: what came late joins the last date or a later one.
    """
    last = books.last_date()
    if last is not None and billing_date < last:
        return None
    files = not_yet_posted(books.connection, due(discovery, billing_date, include_undated=include_undated))
    if not files and not _has_other_news(books, billing_date):
        return None
    while True:
        try:
            return post_batch(books, billing_date, files, discovery=discovery)
        except ChangedInputError as error:
            changed = changed_since(books.folder.root, discovery, files)
            files = without_changed(discovery, files, changed)
            if not files and not _has_other_news(books, billing_date):
                return None
            if not changed:
                raise error from None


def bill_range(
    books: OpenBooks, first: date, through: date, *, bare: bool, on_date: Callable[[date, PostingSummary | None], None]
) -> list[PostingSummary]:
    """Bill every date of a range in order; dates before it that were never billed and have files come first.

    ``bare``: the run names no dates, so files that only the day they were seen dates join its last posting.
    """
    discovery = survey(books)
    summaries: list[PostingSummary] = []
    for day in _dates(books, discovery, first, through):
        summary = bill(books, discovery, day, include_undated=bare and day == through)
        on_date(day, summary)
        if summary is not None:
            summaries.append(summary)
    return summaries


def _dates(books: OpenBooks, discovery: Discovery, first: date, through: date) -> list[date]:
    """The dates of the range, after those before it that still wait: no balance skips a day that has files."""
    last = books.last_date()
    floor = books.config.books.start if last is None else last
    waiting = {max(file.file_date, floor) for file in discovery.files if file.file_date < first}
    span = [first + timedelta(days=offset) for offset in range((through - first).days + 1)]
    return sorted({day for day in waiting if day >= floor and day < first} | set(span))


def post_batch(
    books: OpenBooks,
    billing_date: date,
    files: Sequence[FoundFile],
    *,
    retries: Sequence[RetriedRecord] = (),
    discovery: Discovery | None = None,
) -> PostingSummary:
    """One posting: intent line, transaction, done line."""
    history = books.log.read_all()
    refuse_lost_prices(history, books.folder, books.config)
    staged = _staged(books, files)
    intent = Intent(
        posting_id=len(history.done) + 1,
        billing_date=billing_date,
        recorded_at=next_recorded_at(history, books.now()),
        kind="retry" if retries else "run",
        files=tuple(files),
        admin_seq=books.admin.head_seq(),
        retries=tuple(retries),
        objects=_keep_objects(books, files, staged),
        code_version=code_version(),
        stripe_mark=FileLog(books.folder.stripe_log).head(),
    )
    intent_hash = books.log.append_intent(intent)
    inputs = posting_inputs(books, intent, intent_hash, staged)
    if discovery is not None:
        inputs = replace(inputs, changed_files=lambda: changed_since(books.folder.root, discovery, files))
    try:
        summary = post(books.connection, inputs)
    except duckdb.Error as error:
        raise readable(error, books.folder.database) from error
    books.log.append_done(Done(summary.posting_id, summary.head, summary.counts))
    return summary


def _staged(books: OpenBooks, files: Sequence[FoundFile]) -> dict[str, Path]:
    """The local copies of the objects that a posting reads, their bytes verified."""
    objects = staged_objects(books.folder, books.config)
    return {
        file.path: objects.place(
            split_member(file.path)[0], file.e_tag or "", file.sha256, file.size_bytes, file.version
        )
        for file in files
        if file.outcome == "taken" and is_remote(file.path)
    }


def _keep_objects(books: OpenBooks, files: Sequence[FoundFile], staged: Mapping[str, Path]) -> dict[str, str]:
    """Keep the configuration texts and the small inputs of a posting by their hash; returns them by name."""
    store = ObjectStore(books.folder.objects)
    kept = {name: store.put(text) for name, text in books.texts.items()}
    for file in files:
        if file.kind != "usage" and file.outcome == "taken":
            kept |= _kept_input(store, staged.get(file.path, books.folder.root / split_member(file.path)[0]), file)
    return kept


def _kept_input(store: ObjectStore, stored: Path, file: FoundFile) -> dict[str, str]:
    """Keep a small input; of an archive the one file that is read, and nothing where it cannot be."""
    member = split_member(file.path)[1]
    if member is None:
        return {file.path: store.put_file(stored, file.size_bytes)}
    try:
        return {file.path: store.put_blocks(member_blocks(stored, member))}
    except UnreadableFileError:
        return {}


def posting_inputs(
    books: OpenBooks, intent: Intent, intent_hash: str, input_paths: Mapping[str, Path] | None = None
) -> PostingInputs:
    """What the transaction needs, from the opened books and the intent alone."""
    known = scalar(books.connection, "SELECT coalesce(max(seq), 0) FROM audit.admin_actions")
    entries = books.admin.read(intent.admin_seq)
    return PostingInputs(
        root=books.folder.root,
        quarantine=books.folder.quarantine,
        posting_id=intent.posting_id,
        billing_date=intent.billing_date,
        recorded_us=int((datetime.fromisoformat(intent.recorded_at) - _EPOCH) / timedelta(microseconds=1)),
        kind=intent.kind,
        intent_hash=intent_hash,
        code_version=intent.code_version,
        files=intent.files,
        sources=books.sources,
        actions=[entry for entry in entries if entry.seq > known],
        admin_seq=intent.admin_seq,
        retries=intent.retries,
        prices=books.prices,
        packages=books.packages,
        provider_prices=books.provider_prices,
        rates_sha256=intent.objects.get(books.config.rates.path, "0" * 64),
        start=books.config.books.start,
        timezone=books.config.books.timezone,
        auto_create=books.config.accounts.auto_create,
        books_welcome=books.config.ledger.welcome_bonus == "books",
        metadata_keys=tuple(books.config.privacy.metadata_keys),
        input_paths=input_paths or {},
    )


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _has_other_news(books: OpenBooks, billing_date: date) -> bool:
    """Whether credits, admin entries, welcomes, expiring lots or true-ups come due, or a rule prices held calls."""
    last = books.last_date()
    unread = [entry for entry in books.admin.read() if entry.seq > _admin_mark(books)]
    if any(datetime.fromisoformat(entry.at) < end_of(billing_date) for entry in unread):
        return True
    if comes_due(books.connection, last, billing_date, books.config.books.timezone):
        return True
    if last is None:
        return False
    return has_new_rules(books.connection, books.prices) and prices_held_calls(books.connection, books.prices)


def end_of(day: date) -> datetime:
    """The first instant after a UTC day."""
    return datetime.combine(day + timedelta(days=1), time(), UTC)


def comes_due(connection: duckdb.DuckDBPyConnection, last: date | None, day: date, timezone: str) -> bool:
    """Whether anything falls due after the last billing date and by a day, in live or published books.

    Credits, welcome bonuses, the ends of lots, and the true-up of a month under volume tiers that is over by then.
    """
    span = {"horizon": end_of(day), "previous_horizon": end_of(last) if last else _EPOCH}
    if scalar(connection, sql_text("posting/other_news.sql"), span) > 0:
        return True
    if last is None or tier_month(last, timezone) == tier_month(day, timezone):
        return False
    months = {"previous_tier_month": tier_month(last, timezone), "tier_month": tier_month(day, timezone)}
    return scalar(connection, sql_text("posting/true_ups_due.sql"), months) > 0


def _admin_mark(books: OpenBooks) -> int:
    return scalar(books.connection, "SELECT coalesce(max(seq), 0) FROM audit.admin_actions")


def publish_books(books: OpenBooks) -> Path:
    """Bring the published copy to the last posting and drop raw bytes past their retention."""
    drop_expired(books.connection, books.folder.quarantine, books.now(), books.config.privacy.retention_days)
    try:
        return publish(books.connection, books.folder.published)
    except duckdb.Error as error:
        raise readable(error, books.folder.database) from error


def retry_quarantine(books: OpenBooks, records: Sequence[RetriedRecord]) -> PostingSummary:
    """Post quarantined records again, on the last billing date; those that still fail stay as they are.

    Raises ConfigurationError before the first posting: there is nothing to retry then.
    """
    last = books.last_date()
    if last is None or not records:
        raise ConfigurationError("no quarantined record matches; `tollbook quarantine list` shows them")
    return post_batch(books, last, (), retries=records)
