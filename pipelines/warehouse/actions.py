"""Entries of the admin journal in a posting: kept as they are, booked, or held with the reason why."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from billing_core.vocabulary import TransactionType
from pipelines.intake.classify_small import BIGGEST
from pipelines.intake.currencies import CURRENCIES
from pipelines.warehouse.script import rows
from pipelines.warehouse.sql import sql_text

if TYPE_CHECKING:
    from datetime import datetime

    import duckdb

    from pipelines.books.admin_journal import AdminEntry
    from pipelines.warehouse.posting_types import PostingInputs

_NOT_BOOKED = (TransactionType.USAGE, TransactionType.EXPIRY)
_JUDGED = (
    *("credit_id", "transaction_type", "token_amount", "amount_cents", "currency", "source_credit_id"),
    *("stripe_payment_intent_id", "occurred_at"),
)
_KEEP = """
INSERT INTO audit.admin_actions BY NAME
SELECT $seq AS seq, $entry_id AS entry_id, $occurred_at::TIMESTAMPTZ AS occurred_at, $actor AS actor, $action AS action,
    $account_id AS account_id, $token_amount::BIGINT AS token_amount, $reason AS reason, $entry_hash AS entry_hash,
    $posting_id AS posting_id, $change::JSON AS change, $held_reason::VARCHAR AS held_reason
"""


FAILED_CHECK = "failed_check"
"""Why entries are held that obey every rule of their own and with which a posting still does not hold."""


def keep_actions(connection: duckdb.DuckDBPyConnection, inputs: PostingInputs, horizon: datetime) -> dict[int, str]:
    """Admin entries that the books have not read yet, in order, each seeing what the ones before it booked.

    Accounts and credits of the posting stand already: an entry may be about them. Returns those held, by seq.
    """
    held: dict[int, str] = {}
    for entry in inputs.actions:
        reason = _fault(connection, entry, horizon)
        if reason is None and entry.credit is not None and inputs.holds_booked:
            reason = FAILED_CHECK
        _keep(connection, entry, inputs.posting_id, reason)
        if reason is not None:
            held[entry.seq] = reason
        elif entry.credit is not None:
            connection.execute(
                sql_text("posting/book_credit.sql"),
                {**entry.credit, "account_id": entry.account_id, "actor": entry.actor, "reason": entry.reason,
                    "seq": entry.seq, "posting_id": inputs.posting_id},
            )  # fmt: skip
    return held


def held_entries(connection: duckdb.DuckDBPyConnection) -> dict[int, str]:
    """The entries that the books hold, by seq, with why; in live or published books."""
    found = rows(connection, "SELECT seq, held_reason FROM audit.admin_actions WHERE held_reason IS NOT NULL")
    return {int(str(seq)): str(reason) for seq, reason in found}


def _fault(connection: duckdb.DuckDBPyConnection, entry: AdminEntry, horizon: datetime) -> str | None:
    """Why an entry cannot stand, a word of `Reason`; None when it can."""
    if entry.account_id is None:
        return None
    said = dict(entry.credit) if entry.credit is not None else {}
    found = rows(
        connection,
        sql_text("posting/action_fault.sql"),
        {
            "account_id": entry.account_id,
            **{name: said.get(name) for name in _JUDGED},
            "types": [kind.value for kind in TransactionType if kind not in _NOT_BOOKED],
            "currencies": sorted(CURRENCIES),
            "biggest": BIGGEST,
            "horizon": horizon,
        },
    )
    return None if found[0][0] is None else str(found[0][0])


def _keep(connection: duckdb.DuckDBPyConnection, entry: AdminEntry, posting_id: int, held: str | None) -> None:
    connection.execute(
        _KEEP,
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
            "posting_id": posting_id,
            "change": _said(entry),
            "held_reason": held,
        },
    )


def _said(entry: AdminEntry) -> str | None:
    """What an entry says beyond its own columns, as JSON."""
    said = entry.change if entry.change is not None else entry.credit
    return None if said is None else json.dumps(said, sort_keys=True)
