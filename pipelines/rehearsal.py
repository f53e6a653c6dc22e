"""Proving an entry before it is in the journal for good: the next posting is made with it, and taken back."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import duckdb

from billing_core.errors import ConfigurationError, TollbookError
from pipelines.billing import posting_inputs
from pipelines.books import clock
from pipelines.books.admin_journal import AdminEntry
from pipelines.books.posting_log import Intent, next_recorded_at
from pipelines.release import code_version
from pipelines.warehouse.connection import readable
from pipelines.warehouse.posting import rehearse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipelines.billing import OpenBooks
    from pipelines.books.admin_journal import BookedCredit
    from pipelines.warehouse.posting_types import PostingInputs

_UNWRITTEN = "0" * 64


def prove_credits(books: OpenBooks, booked: Sequence[tuple[str, BookedCredit]]) -> None:
    """Post the credits of accounts, with all that the journal holds unread, and take it back.

    Raises ConfigurationError when one of them would be held or a check would fail, and as a posting does when the books
    cannot post at all. Books without a posting prove nothing.
    """
    if books.last_date() is None or not booked:
        return
    plain = next_posting(books)
    entries = [
        AdminEntry(
            seq=plain.admin_seq + number,
            id="",
            at=clock.iso_micros(books.now()),
            actor="-",
            action="book",
            account_id=account,
            token_amount=None,
            reason="-",
            hash=_UNWRITTEN,
            credit=credit,
        )
        for number, (account, credit) in enumerate(booked, start=1)
    ]
    why: object = None
    try:
        held = _rehearsed(books, replace(plain, actions=[*plain.actions, *entries]))
        why = next((held[entry.seq] for entry in entries if entry.seq in held), None)
    except TollbookError as error:
        _rehearsed(books, plain)  # raises, where it is not the entry that cannot be posted
        why = error
    if why is not None:
        raise ConfigurationError(f"this entry cannot be posted: {why}. Nothing was written; settle the break by hand")


def _rehearsed(books: OpenBooks, inputs: PostingInputs) -> dict[int, str]:
    try:
        return rehearse(books.connection, inputs)
    except duckdb.Error as error:
        raise readable(error, books.folder.database) from error


def next_posting(books: OpenBooks) -> PostingInputs:
    """What the next posting would read if no file had come, on the last billing date."""
    history, last = books.log.read_all(), books.last_date()
    assert last is not None
    intent = Intent(
        posting_id=len(history.done) + 1,
        billing_date=last,
        recorded_at=next_recorded_at(history, books.now()),
        kind="run",
        files=(),
        admin_seq=books.admin.head_seq(),
        retries=(),
        objects={},
        code_version=code_version(),
    )
    return posting_inputs(books, intent, _UNWRITTEN)
