"""What the published copy knows of one break: its row, the ledger rows and movements of its group, what was bought."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from billing_core.errors import ConfigurationError
from billing_core.proposals import TAKES_TOKENS, Case, Row, propose
from pipelines.books.admin_journal import BookedCredit
from pipelines.books.clock import iso_micros
from reports.published import table

if TYPE_CHECKING:
    import duckdb

_BREAK = """
SELECT * REPLACE (transaction_id::VARCHAR AS transaction_id, occurred_at::VARCHAR AS occurred_at,
    first_seen::VARCHAR AS first_seen) FROM recon.breaks WHERE starts_with(break_id, $name) ORDER BY break_id LIMIT 5
"""
_ROWS = """
SELECT row.transaction_id::VARCHAR AS transaction_id, row.account_id, row.transaction_type, row.token_amount,
    row.amount_cents, row.currency, row.metadata ->> '$.credit_id' AS credit_id, row.occurred_at::VARCHAR AS occurred_at
FROM books.token_transactions AS row
WHERE row.transaction_id IN (SELECT transaction_id FROM recon.matches WHERE group_key = $subject)
   OR row.transaction_id::VARCHAR = $subject
ORDER BY row.occurred_at, row.transaction_id
"""
_MOVEMENTS = """
SELECT movement_id, kind, amount, currency, moved_at::VARCHAR AS moved_at, bt_amount, bt_currency
FROM recon.movements WHERE movement_id IN (SELECT movement_id FROM recon.matches WHERE group_key = $subject)
ORDER BY moved_at, movement_id
"""
_OBJECTS = """
SELECT 'payment' AS kind, payment_intent_id AS id, status, amount, currency, created::VARCHAR AS created,
    coalesce(last_decline_code, last_error_code, cancellation_reason) AS why
FROM stripe.payment_intents WHERE payment_intent_id = $payment_intent_id
UNION ALL SELECT 'refund', refund_id, status, amount, currency, created::VARCHAR,
    coalesce(failure_reason, pending_reason) AS why
FROM stripe.refunds WHERE refund_id = $refund_id
UNION ALL SELECT 'dispute', dispute_id, status, amount, currency, created::VARCHAR, reason
FROM stripe.disputes WHERE dispute_id = $dispute_id
UNION ALL SELECT 'payout', payout_id, status, amount, currency, created::VARCHAR, failure_code
FROM stripe.payouts WHERE payout_id = $payout_id
UNION ALL SELECT reporting_category, balance_transaction_id, status, amount, currency, created::VARCHAR, description
FROM stripe.balance_transactions WHERE balance_transaction_id = $balance_transaction_id
"""
_OBJECT_IDS = ("payment_intent_id", "refund_id", "dispute_id", "payout_id", "balance_transaction_id")
_EXPLAINED = """
SELECT actor, reason, made_at::VARCHAR AS made_at, expires_at::VARCHAR AS expires_at,
    coalesce(expires_at <= (SELECT max_by(as_of, run_id) FROM recon.runs), false) AS is_over
FROM recon.overrides WHERE break_id = $break_id ORDER BY seq
"""
_CANDIDATES = """
SELECT payment_key FROM recon.candidates
WHERE transaction_id::VARCHAR = $subject OR payment_key = $subject ORDER BY payment_key
"""
_PURCHASE = """
SELECT row.transaction_id::VARCHAR AS transaction_id, row.account_id, row.transaction_type, row.token_amount,
    row.amount_cents, row.currency, row.metadata ->> '$.credit_id' AS credit_id
FROM recon.matches AS placed JOIN books.token_transactions AS row USING (transaction_id)
WHERE placed.group_key = $payment AND row.transaction_type IN ('purchase', 'auto_recharge')
ORDER BY row.occurred_at, row.transaction_id LIMIT 1
"""
_RETURNED = """
SELECT coalesce(-sum(amount_cents), 0)::BIGINT AS cents, coalesce(-sum(token_amount), 0)::BIGINT AS tokens
FROM books.token_transactions AS row
WHERE transaction_type IN ('refund', 'chargeback', 'chargeback_reversal')
  AND (corrects_transaction_id::VARCHAR = $purchase OR corrects_transaction_id IN (
    SELECT transaction_id FROM books.token_transactions WHERE corrects_transaction_id::VARCHAR = $purchase))
"""
_SOLD = """
SELECT DISTINCT token_amount FROM books.token_pricing, (SELECT $at::TIMESTAMPTZ AS instant)
WHERE superseded_by IS NULL AND (effective_from IS NULL OR instant >= effective_from)
  AND (effective_to IS NULL OR instant < effective_to)
  AND CASE $currency WHEN 'usd' THEN price_cents WHEN 'eur' THEN price_eur WHEN 'gbp' THEN price_gbp END = $amount
"""
_OWN_COLUMNS = ("credit_id", "account_id", "transaction_type", "token_amount", "amount_cents", "currency")


def find_break(reader: duckdb.DuckDBPyConnection, name: str) -> dict[str, Any]:
    """The break with an id, or with the only id that begins so. Raises ConfigurationError."""
    found = table(reader, _BREAK, {"name": name})
    if len(found) == 1:
        return found[0]
    hint = "no break has this id, or it is settled; `tollbook recon list` shows those of the last reconciliation"
    if found:
        hint = f"more than one begins so: {', '.join(row['break_id'] for row in found)}"
    raise ConfigurationError(f"BREAK: {name!r}: {hint}")


def details(reader: duckdb.DuckDBPyConnection, found: dict[str, Any]) -> dict[str, Any]:
    """The ids and figures on both sides of a break, Stripe's objects that it names, and the words that explained it."""
    subject = {"subject": found["subject"]}
    return {
        "ledger": table(reader, _ROWS, subject),
        "stripe": table(reader, _MOVEMENTS, subject),
        "objects": table(reader, _OBJECTS, {name: found[name] for name in _OBJECT_IDS}),
        "candidates": [row["payment_key"] for row in table(reader, _CANDIDATES, subject)],
        "explained": table(reader, _EXPLAINED, {"break_id": found["break_id"]}),
    }


def proposed(
    reader: duckdb.DuckDBPyConnection, found: dict[str, Any], *, account: str | None = None, tokens: int | None = None
) -> list[tuple[str, BookedCredit]]:
    """The entries that would settle a break, with the account of each.

    ``account`` and ``tokens`` are for what neither Stripe nor a package tells. Raises ConfigurationError as `propose`
    does, and where one of them is given although it decides nothing.
    """
    facts = details(reader, found)
    case = _case(reader, found, facts)
    named = {row["credit_id"]: row["occurred_at"] for row in facts["ledger"]}
    entries = propose(replace(case, account_id=case.account_id or account, tokens=tokens or case.tokens))
    owner = entries[0].account_id
    if account not in {None, owner}:
        raise ConfigurationError(f"--account {account}: the entry is for {owner}, by what it settles; leave it out")
    if tokens is not None and case.code not in TAKES_TOKENS:
        moved = f"the entry moves {entries[0].token_amount:,} tokens, by the row that it names"
        raise ConfigurationError(f"--tokens {tokens}: {moved}; leave it out")
    return [
        (
            entry.account_id,
            BookedCredit(
                break_id=found["break_id"],
                credit_id=f"{found['break_id']}:{number}",
                transaction_type=entry.transaction_type,
                token_amount=entry.token_amount,
                amount_cents=entry.amount_cents,
                currency=entry.currency,
                package_id=None,
                stripe_payment_intent_id=entry.payment_intent_id,
                stripe_charge_id=entry.charge_id,
                stripe_refund_id=entry.refund_id,
                source_credit_id=entry.source_credit_id,
                occurred_at=_after(found["occurred_at"], named.get(entry.source_credit_id), entry.token_amount),
            ),
        )
        for number, entry in enumerate(entries, start=1)
    ]


def _after(at: str, named_at: str | None, tokens: int) -> str:
    """When an entry happens: with the row that it names; what gives back after it, as credits come before debits."""
    instant = datetime.fromisoformat(at)
    if named_at is not None:
        instant = max(instant, datetime.fromisoformat(named_at) + timedelta(microseconds=int(tokens > 0)))
    return iso_micros(instant)


def _case(reader: duckdb.DuckDBPyConnection, found: dict[str, Any], facts: dict[str, Any]) -> Case:
    stripe = sum(row["amount"] for row in facts["stripe"])
    currency = next((row["currency"] for row in facts["stripe"]), found["currency"] or "usd")
    rows = [_row(row) for row in facts["ledger"] if row["credit_id"] and row["amount_cents"] is not None]
    purchase = table(reader, _PURCHASE, {"payment": found["payment_intent_id"] or found["charge_id"]})
    returned = {"cents": 0, "tokens": 0}
    if purchase:
        returned = table(reader, _RETURNED, {"purchase": purchase[0]["transaction_id"]})[0]
    price = next((row["amount_cents"] for row in facts["ledger"]), stripe) if not facts["stripe"] else stripe
    sold = table(reader, _SOLD, {"at": found["occurred_at"], "currency": currency, "amount": price})
    return Case(
        code=found["code"],
        account_id=found["account_id"],
        currency=found["currency"] or currency,
        stripe=stripe,
        stripe_currency=currency,
        rows=rows,
        purchase=_row(purchase[0]) if purchase and purchase[0]["credit_id"] else None,
        tokens=sold[0]["token_amount"] if len(sold) == 1 else None,
        returned_cents=returned["cents"],
        returned_tokens=returned["tokens"],
        payment_intent_id=found["payment_intent_id"],
        charge_id=found["charge_id"],
        refund_id=found["refund_id"],
    )


def _row(row: dict[str, Any]) -> Row:
    return Row(**{name: row[name] for name in _OWN_COLUMNS})
