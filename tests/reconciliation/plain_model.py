"""A plain model of reconciliation: the rules of docs/reconciliation.md row by row, without a database or haste.

It knows what both sides are and which payment a credit finds. It reads a world's rows and nothing of the engine's.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from tests.reconciliation.plain_movements import mirror_of, movements

if TYPE_CHECKING:
    from datetime import datetime

    from bench.recon.world import Row, World
    from pipelines.warehouse.reconcile import Terms
    from tests.reconciliation.plain_movements import Mirror, Movement

CREDITS = {"purchase", "auto_recharge", "bonus", "admin_grant"}
EARLIEST, LATEST = timedelta(minutes=-15), timedelta(hours=24)
"""How long before and after a payment a credit that names nothing may look for it."""


@dataclass(frozen=True)
class Sides:
    """Both sides of stage A and what connects them."""

    ledger: list[Row]
    """Rows with money."""
    mirror: Mirror
    movements: list[Movement]
    named: dict[str, str]
    """The payment of each credit that names one, by transaction id."""
    guessed: dict[str, str]
    """The same of credits that found theirs by looks."""
    candidates: set[tuple[str, str]]
    """(transaction id, payment) of all that a credit might mean which finds none."""
    timezone: str


def sides(world: World, terms: Terms) -> Sides:
    """What the model says of a world."""
    mirror = mirror_of(world, terms)
    settled = _settled_by_stripe(world, terms)
    moved = _moved(mirror, settled, terms)
    ledger = [row for row in settled if row["amount_cents"]]
    credited = [row for row in ledger if role(row) == "credit"]
    named = {row["transaction_id"]: _named_payments(row, mirror) for row in credited}
    found = {name: next(iter(payments)) for name, payments in named.items() if len(payments) == 1}
    lost = [row for row in credited if row["transaction_id"] not in found]
    alike = _alike([row for row in lost if _may_guess(row, mirror)], moved, set(found.values()))
    choices = Counter(name for pair in alike for name in pair)
    guessed = {(name, payment) for name, payment in alike if choices[name] == choices[payment] == 1}
    several = {(row["transaction_id"], payment) for row in lost for payment in stated_payments(row, mirror)}
    return Sides(ledger, mirror, moved, found, dict(guessed), (alike - guessed) | several, terms.timezone)


def role(row: Row) -> str:
    """What a row with money is: a credit, money back, or money back again; anything else adjusts another row."""
    kind: str = row["transaction_type"]
    if kind == "refund":
        return "refund" if row["amount_cents"] < 0 else "refund_reversal"
    if kind in CREDITS:
        return "credit"
    return kind if kind in {"chargeback", "chargeback_reversal"} else "adjustment"


def period(at: datetime, timezone: str) -> str:
    """A month is a month in the zone of the books, such as 2026-09."""
    return f"{at.astimezone(ZoneInfo(timezone)):%Y-%m}"


def open_amounts(found: Sides) -> dict[tuple[str, str], int]:
    """Stripe less ledger per (month, currency), where that is anything: what the carrier lines have to add up to."""
    left: Counter[tuple[str, str]] = Counter()
    for item in found.movements:
        left[period(item.moved_at, found.timezone), item.currency] += item.amount
    for row in found.ledger:
        left[period(row["occurred_at"], found.timezone), row["currency"]] -= row["amount_cents"]
    return {place: amount for place, amount in left.items() if amount}


# What belongs to the books


def _settled_by_stripe(world: World, terms: Terms) -> list[Row]:
    """Rows that state money which Stripe settles (unless the record says bank or other), up to the as-of instant."""
    return [
        row
        for row in world.rows["ledger"]
        if row["amount_cents"] is not None
        and (row.get("settled_by") or "stripe") == "stripe"
        and row["occurred_at"] <= terms.as_of
    ]


def _moved(mirror: Mirror, settled: list[Row], terms: Terms) -> list[Movement]:
    """The movements of token sales up to the as-of instant: all of them, unless a scope says which."""
    moved = [item for item in movements(mirror) if item.amount and item.moved_at <= terms.as_of]
    if not (terms.metadata_key or terms.prices or terms.products or terms.customers):
        return moved
    sold = _sold(mirror, settled, terms)
    return [item for item in moved if {item.payment, item.charge_id} & sold]


def _sold(mirror: Mirror, settled: list[Row], terms: Terms) -> set[str | None]:
    """Payments and charges that are token sales: one rule of the scope is enough, or that the ledger names them."""
    sold = {mirror.payment(charge) for charge in mirror.charges if _is_chosen(charge, terms)}
    sold |= {intent["payment_intent_id"] for intent in mirror.intents if _is_chosen(intent, terms)}
    columns = ("stripe_payment_intent_id", "stripe_charge_id", "credit_id")
    names = {row[column] for row in settled for column in columns if row.get(column)}
    sold |= names
    sold |= {
        mirror.payment(charge)
        for charge in mirror.charges
        if charge["charge_id"] in names or charge.get("invoice_id") in names
    }
    for session in mirror.sessions:
        if session["checkout_session_id"] in names or set(session["price_ids"]) & set(terms.prices):
            sold |= {payment for payment, _ in _of_session(session, mirror, mirror.charges)}
    return sold - {None}


def _is_chosen(item: Row, terms: Terms) -> bool:
    tags = json.loads(item["metadata"])
    is_tagged = terms.metadata_key in tags and terms.metadata_value in {None, tags[terms.metadata_key]}
    is_of_product = tags.get("price_id") in terms.prices or tags.get("product_id") in terms.products
    return is_tagged or is_of_product or item["customer_id"] in terms.customers


# Which payment a credit finds


def _named_payments(row: Row, mirror: Mirror) -> set[str]:
    """The payments of the first rule that leads anywhere: 1 to 3 what the row names, 4 what names the row."""
    return stated_payments(row, mirror) or (_naming_payments(row, mirror) if _is_unnamed(row) else set())


def _is_unnamed(row: Row) -> bool:
    return row["stripe_payment_intent_id"] is None and row.get("stripe_charge_id") is None


def stated_payments(row: Row, mirror: Mirror) -> set[str]:
    """1. The PaymentIntent that the row names, 2. its charge, 3. a checkout session or invoice in the same columns."""
    charges = mirror.seen(mirror.charges)
    payment = row["stripe_payment_intent_id"]
    found = {str(item["payment_intent_id"]) for item in mirror.seen(mirror.intents) + charges} & {payment}
    names = {payment, row.get("stripe_charge_id")}
    found = found or {str(mirror.payment(charge)) for charge in charges if charge["charge_id"] in names}
    if found:
        return found
    names = {payment, row["credit_id"]} - {None}
    led = [(str(mirror.payment(charge)), charge["status"]) for charge in charges if charge.get("invoice_id") in names]
    for session in mirror.sessions:
        if session["checkout_session_id"] in names:
            led += _of_session(session, mirror, charges)
    return _that_went_through(led)


def _of_session(session: Row, mirror: Mirror, charges: list[Row]) -> list[tuple[str, str]]:
    """(payment, status) of a session's PaymentIntent, or of the charges of its invoice."""
    if session["payment_intent_id"]:
        return [(session["payment_intent_id"], "stated")]
    invoice = session["invoice_id"]
    return [(str(mirror.payment(item)), item["status"]) for item in charges if item.get("invoice_id") == invoice]


def _that_went_through(tries: list[tuple[str, str]]) -> set[str]:
    """An invoice that was tried several times leads to the try that did not fail."""
    return {payment for payment, status in tries if status != "failed"} or {payment for payment, _ in tries}


def _naming_payments(row: Row, mirror: Mirror) -> set[str]:
    """4. Metadata of a payment that names the row."""
    names = {row["credit_id"], row["transaction_id"]}
    keys = ("token_transaction_id", "credit_id", "idempotency_key")
    return {
        intent["payment_intent_id"]
        for intent in mirror.seen(mirror.intents)
        if names & {json.loads(intent["metadata"]).get(key) for key in keys}
    }


def _may_guess(row: Row, mirror: Mirror) -> bool:
    """A row that names an id is never matched by looks."""
    return _is_unnamed(row) and not stated_payments(row, mirror)


def _alike(rows: list[Row], moved: list[Movement], taken: set[str]) -> set[tuple[str, str]]:
    """5. Same account, currency and amount at about the same time; it counts if neither side has another choice."""
    return {
        (row["transaction_id"], item.payment)
        for row in rows
        for item in moved
        if item.kind == "charge"
        and item.payment is not None
        and item.payment not in taken
        and (item.amount, item.currency) == (row["amount_cents"], row["currency"])
        and row["account_id"] in item.accounts
        and EARLIEST <= row["occurred_at"] - item.moved_at <= LATEST
    }
