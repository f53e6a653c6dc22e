"""The plain model's other half: which refund or dispute at Stripe a row of the ledger is, by docs/reconciliation.md."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from tests.reconciliation.plain_model import role, stated_payments

if TYPE_CHECKING:
    from bench.recon.world import Row
    from tests.reconciliation.plain_model import Sides

    Queues = defaultdict[tuple[Any, ...], list[str]]


def found_refunds(sides: Sides) -> dict[str, str | None]:
    """Each row's refund: the one that it names, else the k-th of an amount with the k-th of that amount.

    By transaction id; None where Stripe has no such refund.
    """
    seen = {refund["refund_id"]: refund for refund in sides.mirror.seen(sides.mirror.refunds)}
    claimed = {row["stripe_refund_id"] for row in sides.ledger if role(row) in {"refund", "refund_reversal"}}
    waiting: Queues = defaultdict(list)
    for name, refund in sorted(seen.items(), key=lambda item: (item[1]["created"], item[0])):
        if name not in claimed:
            waiting[sides.mirror.payment(refund), refund["amount"], refund["currency"]].append(name)
    found: dict[str, str | None] = {}
    for row in _in_order(sides, "refund"):
        if row["stripe_refund_id"]:
            found[row["transaction_id"]] = row["stripe_refund_id"] if row["stripe_refund_id"] in seen else None
        else:
            place = (_returned_payment(row, sides), -row["amount_cents"], row["currency"])
            found[row["transaction_id"]] = _next(waiting, place)
    return found


def found_disputes(sides: Sides) -> dict[str, str | None]:
    """The dispute of each chargeback: the k-th of a payment with the k-th that took money, or will unless it is won."""
    waiting: Queues = defaultdict(list)
    disputes = sides.mirror.seen(sides.mirror.disputes)
    for dispute in sorted(disputes, key=lambda item: (item["created"], item["dispute_id"])):
        if dispute["balance_transaction_ids"] or not dispute["status"].startswith("warning"):
            waiting[(sides.mirror.payment(dispute),)].append(dispute["dispute_id"])
    rows = _in_order(sides, "chargeback")
    return {row["transaction_id"]: _next(waiting, (_returned_payment(row, sides),)) for row in rows}


def _in_order(sides: Sides, wanted: str) -> list[Row]:
    rows = [row for row in sides.ledger if role(row) == wanted]
    return sorted(rows, key=lambda row: (row["occurred_at"], row["transaction_id"]))


def _next(waiting: Queues, place: tuple[Any, ...]) -> str | None:
    return waiting[place].pop(0) if place[0] is not None and waiting[place] else None


def _returned_payment(row: Row, sides: Sides) -> str | None:
    """The payment that a row names in one of the first three ways, else that of the row that it corrects."""
    base = next((item for item in sides.ledger if item["transaction_id"] == row["corrects_transaction_id"]), None)
    stated = _stated_payment(row, sides)
    if stated or base is None:
        return stated
    name = base["transaction_id"]
    return sides.named.get(name) or sides.guessed.get(name) or _stated_payment(base, sides)


def _stated_payment(row: Row, sides: Sides) -> str | None:
    """The one payment that a row names, else what stands in the payment's column, known to Stripe or not."""
    stated = stated_payments(row, sides.mirror)
    named: str | None = row["stripe_payment_intent_id"]
    return next(iter(stated)) if len(stated) == 1 else named
