"""Grants, deductions, blocks and unblocks."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from billing_core.errors import ConfigurationError, IntegrityError
from pipelines.books.admin_journal import AdminJournal
from pipelines.books.journal import HashChainedLog

if TYPE_CHECKING:
    from pathlib import Path

GRANT: dict[str, Any] = {"actor": "ana", "action": "grant", "account_id": "u1", "token_amount": 500, "reason": "sorry"}


def journal(folder: Path) -> AdminJournal:
    """Open the journal of a folder, at a fixed instant."""
    return AdminJournal(folder / "admin.jsonl", lambda: datetime(2026, 9, 1, tzinfo=UTC))


def test_entries_come_back_in_order_with_seq_id_and_instant(tmp_path: Path) -> None:
    """What append returned is what read returns, each with a UUID of its own."""
    admin = journal(tmp_path)
    written = [
        admin.append(**GRANT),
        admin.append(**GRANT),
        admin.append(actor="bo", action="deduct", account_id="u1", token_amount=3, reason="r"),
        admin.append(actor="bo", action="block", account_id="u2", reason="fraud"),
        admin.append(actor="bo", action="unblock", account_id="u2", reason="cleared"),
    ]
    assert list(admin.read()) == written
    assert [entry.seq for entry in written] == [1, 2, 3, 4, 5]
    assert len({uuid.UUID(entry.id) for entry in written}) == 5
    assert (written[2].token_amount, written[3].token_amount) == (3, None)
    assert written[0].at == "2026-09-01T00:00:00.000000Z"


def test_a_posting_reads_up_to_its_high_water_mark(tmp_path: Path) -> None:
    """Entries made after the intent belong to the next posting."""
    admin = journal(tmp_path)
    assert (admin.head_seq(), admin.read()) == (0, ())
    admin.append(**GRANT)
    mark = admin.head_seq()
    admin.append(**GRANT)
    assert [entry.seq for entry in admin.read(mark)] == [1]
    assert admin.head_seq() == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"token_amount": 0}, "tokens: got 0, expected a whole number from 1"),
        ({"token_amount": -5}, "tokens: got -5, expected a whole number from 1 to 1000000000000000; the action is the"),
        ({"token_amount": 10**15 + 1}, "tokens: got 1000000000000001"),
        ({"token_amount": None}, "tokens: got None"),
        ({"token_amount": True}, "tokens: got True"),
        ({"token_amount": 1.5}, "tokens: got 1.5"),
        ({"action": "block"}, "tokens: a block moves no tokens, got 500"),
        ({"action": "gift"}, "action: got 'gift', expected one of grant, deduct, block, unblock"),
        ({"actor": ""}, "actor: expected 1 to 512 printable characters on one line"),
        ({"account_id": "u\x001"}, "account: expected 1 to 512"),
        ({"reason": "two\nlines"}, "reason: expected 1 to 512"),
        ({"reason": "\ud800"}, "reason: expected 1 to 512"),
        ({"reason": "x" * 513}, "reason: expected 1 to 512"),
    ],
)
def test_an_entry_that_cannot_stand_is_refused(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    """Each field says what it expected, and nothing is written."""
    admin = journal(tmp_path)
    with pytest.raises(ConfigurationError, match=message):
        admin.append(**(GRANT | change))
    assert not admin.log.path.exists()


def test_an_entry_of_a_newer_version_is_not_misread(tmp_path: Path) -> None:
    """A key that this version does not know stops the run by file and line."""
    admin = journal(tmp_path)
    admin.append(**GRANT)
    HashChainedLog(admin.log.path).append({**GRANT, "colour": "red"})
    with pytest.raises(IntegrityError, match=r"admin\.jsonl, line 2: not an entry that this version knows"):
        admin.read()


def test_tampering_is_found(tmp_path: Path) -> None:
    """A grant made larger with an editor is named."""
    admin = journal(tmp_path)
    admin.append(**GRANT)
    text = admin.log.path.read_text(encoding="utf-8")
    admin.log.path.write_text(text.replace('"token_amount":500', '"token_amount":9500'), encoding="utf-8")
    with pytest.raises(IntegrityError, match=r"admin\.jsonl, line 1"):
        admin.read()
