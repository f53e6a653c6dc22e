"""Reconciliation of a books folder: the terms from its configuration, the run, what must be remembered, the copy."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING

import duckdb

from billing_core.errors import ConfigurationError
from pipelines.bank import bank_lines
from pipelines.billing import open_books, publish_books
from pipelines.books.recon_journal import ReconJournal
from pipelines.release import code_version
from pipelines.warehouse.connection import readable
from pipelines.warehouse.reconcile import FeeBand, Override, Reconciled, Terms, reconcile
from pipelines.warehouse.script import rows

if TYPE_CHECKING:
    from pipelines.billing import OpenBooks
    from pipelines.books.folder import BooksFolder

COMMAND = "tollbook reconcile"


def reconcile_books(folder: BooksFolder, *, env: str | None = None, as_of: datetime | None = None) -> Reconciled:
    """Reconcile and publish.

    Raises ConfigurationError when [stripe] is off or nothing was posted yet, BooksLockedError when others write.
    """
    with open_books(folder, command=COMMAND, env=env) as books:
        if books.config.stripe.mode == "off":
            raise ConfigurationError(f'{folder.config}: [stripe] mode is "off"; set it to "files" or "api"')
        result = reconcile_opened(books, as_of)
        publish_books(books)
    return result


def reconcile_opened(books: OpenBooks, as_of: datetime | None = None) -> Reconciled:
    """Reconcile opened books as of an instant, by default the end of the last billing date."""
    journal = ReconJournal(books.folder.recon_journal, books.now)
    terms = _terms(books, journal, as_of or _end_of_books(books))
    try:
        result = reconcile(books.connection, terms, ran_at=books.now(), code_version=code_version())
        _remember(books, journal, terms)
    except duckdb.Error as error:
        raise readable(error, books.folder.database) from error
    return result


def _end_of_books(books: OpenBooks) -> datetime:
    last = books.last_date()
    if last is None:
        raise ConfigurationError("nothing was posted yet, so there is nothing to compare; run `tollbook run` first")
    return datetime.combine(last + timedelta(days=1), time(), UTC)


def _terms(books: OpenBooks, journal: ReconJournal, as_of: datetime) -> Terms:
    stripe, memory = books.config.stripe, journal.read()
    return Terms(
        as_of=as_of,
        timezone=books.config.books.timezone,
        mode=stripe.mode,
        account=stripe.account,
        livemode=stripe.livemode,
        metadata_key=stripe.scope.metadata_key,
        metadata_value=stripe.scope.metadata_value,
        prices=tuple(stripe.scope.prices),
        products=tuple(stripe.scope.products),
        customers=tuple(stripe.scope.customers),
        tolerance=stripe.amount_tolerance,
        stale_hours=stripe.stale_hours,
        exponents=stripe.currency_exponents,
        fee_bands=tuple(
            FeeBand(
                method=name.partition("/")[0],
                country=name.partition("/")[2] or None,
                min_bp=band.min_bp,
                max_bp=band.max_bp,
                fixed=band.fixed,
            )
            for name, band in stripe.fee_bands.items()
        ),
        overrides=tuple(
            Override(
                seq=item.seq,
                break_id=item.break_id,
                actor=item.actor,
                reason=item.reason,
                made_at=item.made_at,
                expires_at=item.expires_at,
            )
            for item in memory.overrides
        ),
        first_seen=memory.first_seen,
        bank=None
        if stripe.bank_path is None
        else bank_lines(books.folder.root, stripe.bank_path, stripe.currency_exponents),
    )


def _remember(books: OpenBooks, journal: ReconJournal, terms: Terms) -> None:
    """Write down which breaks this run was the first to see: a rebuilt database knows them from there."""
    seen = rows(books.connection, "SELECT break_id FROM recon.first_seen ORDER BY break_id")
    journal.remember([str(name) for (name,) in seen if name not in terms.first_seen], terms.as_of)
