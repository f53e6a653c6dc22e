"""Money goes back: refunds, and disputes with their withdrawal and reinstatement."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.stripe_double import objects
from pipelines.stripe_double.movements import DISPUTE_FEE, debit_refund, emit, move_dispute, movement

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipelines.stripe_double.world import Instant, World


def refund(
    world: World,
    charge: str,
    *,
    amount: int | None = None,
    at: Instant = None,
    status: str = "succeeded",
    metadata: Mapping[str, str] | None = None,
    reason: str | None = "requested_by_customer",
    rate: str | None = None,
) -> str:
    """Give money back, all that is left of the charge unless an amount is given; Stripe keeps its fee.

    `rate` converts at a later rate than the charge's.
    """
    made, charged = world.instant(at), world.get(charge)
    returned = charged["amount_captured"] - charged["amount_refunded"] if amount is None else amount
    thing = objects.refund(
        world.new_id("re"), made, amount=returned, currency=charged["currency"], charge=charge,
        payment_intent=charged["payment_intent"], reason=reason, status=status, metadata=dict(metadata or {}),
    )  # fmt: skip
    world.put(thing)
    thing["balance_transaction"] = debit_refund(
        world, charged, thing, "refund" if charge.startswith("ch") else "payment_refund", "refund", made, rate
    )
    total = charged["amount_refunded"] + returned
    charged.update(amount_refunded=total, refunded=total >= charged["amount_captured"])
    emit(world, "charge.refunded", charged, made)
    emit(world, "refund.created", thing, made)
    return str(thing["id"])


def fail_refund(world: World, refund: str, *, at: Instant = None, reason: str = "lost_or_stolen_card") -> str:
    """A refund cannot be delivered: the money comes back to the balance; returns that movement."""
    made, thing = world.instant(at), world.get(refund)
    out = world.get(thing["balance_transaction"])
    movement_id = movement(
        world, type="refund_failure", reporting_category="refund_failure", amount=-out["amount"],
        currency=out["currency"], source=refund, at=made, exchange_rate=out["exchange_rate"],
    )  # fmt: skip
    thing.update(status="failed", failure_balance_transaction=movement_id, failure_reason=reason)
    charge = world.get(thing["charge"])
    charge.update(amount_refunded=charge["amount_refunded"] - thing["amount"], refunded=False)
    emit(world, "refund.failed", thing, made)
    return movement_id


def dispute(
    world: World,
    charge: str,
    *,
    amount: int | None = None,
    at: Instant = None,
    status: str = "needs_response",
    fee: int = DISPUTE_FEE,
    reason: str = "fraudulent",
) -> str:
    """A cardholder disputes a charge: Stripe withdraws the amount and a fee. An inquiry (warning_*) moves nothing."""
    made, charged = world.instant(at), world.get(charge)
    disputed = charged["amount_captured"] if amount is None else amount
    thing = objects.dispute(
        world.new_id("du"), made, amount=disputed, currency=charged["currency"], charge=charge,
        livemode=world.livemode, payment_intent=charged["payment_intent"], reason=reason, status=status,
    )  # fmt: skip
    world.put(thing)
    charged["disputed"] = True
    emit(world, "charge.dispute.created", thing, made)
    if not status.startswith("warning_"):
        move_dispute(world, thing, charged, -1, fee, made)
        emit(world, "charge.dispute.funds_withdrawn", thing, made)
    return str(thing["id"])


def close_dispute(world: World, dispute: str, status: str, *, at: Instant = None) -> None:
    """End a dispute as won, lost or warning_closed; a win brings the amount back, not the fee."""
    made, thing = world.instant(at), world.get(dispute)
    thing["status"] = status
    if status == "won":
        move_dispute(world, thing, world.get(thing["charge"]), 1, 0, made)
        emit(world, "charge.dispute.funds_reinstated", thing, made)
    emit(world, "charge.dispute.closed", thing, made)
