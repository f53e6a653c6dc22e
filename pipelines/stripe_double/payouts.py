"""Stripe pays out to the bank: automatic payouts with their items, manual ones without, failures; snapshots."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.stripe_double import objects
from pipelines.stripe_double.movements import DAY, emit, movement

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pipelines.stripe_double.world import Instant, World


def payout(
    world: World,
    *,
    currency: str = "usd",
    at: Instant = None,
    automatic: bool = True,
    items: Iterable[str] | None = None,
    amount: int | None = None,
) -> str | None:
    """Pay out the net of some movements, of every available one that no payout has unless named; None for nothing.

    A manual payout settles no particular movements: it has an amount and no items.
    """
    made = world.instant(at)
    settled = [world.get(item) for item in items] if items is not None else world.unpaid(currency, made)
    total = sum(thing["net"] for thing in settled) if amount is None else amount
    if total <= 0:
        return None
    thing = objects.payout(
        world.new_id("po"), made, amount=total, currency=currency, livemode=world.livemode, automatic=automatic,
        arrival_date=made - made % DAY + 2 * DAY,
        reconciliation_status="in_progress" if automatic else "not_applicable",
    )  # fmt: skip
    world.put(thing)
    own = movement(
        world, type="payout", reporting_category="payout", amount=-total, currency=currency, source=thing["id"],
        at=made, description="STRIPE PAYOUT",
    )  # fmt: skip
    thing["balance_transaction"] = own
    world.payout_items[thing["id"]] = [own, *(item["id"] for item in settled)] if automatic else []
    emit(world, "payout.created", thing, made)
    return str(thing["id"])


def arrive(world: World, payout: str, *, at: Instant = None) -> None:
    """The bank has the money, and Stripe has itemised an automatic payout."""
    made, thing = world.instant(at), world.get(payout)
    thing.update(status="paid", trace_id={"status": "supported", "value": f"TRACE{payout[-8:]}"})
    emit(world, "payout.paid", thing, made)
    if thing["automatic"]:
        thing["reconciliation_status"] = "completed"
        emit(world, "payout.reconciliation_completed", thing, made)


def fail_payout(world: World, payout: str, *, at: Instant = None, code: str = "account_closed") -> str:
    """The bank sends a payout back, even after it was paid; returns the movement that brings the money home."""
    made, thing = world.instant(at), world.get(payout)
    movement_id = movement(
        world, type="payout_failure", reporting_category="payout_reversal", amount=thing["amount"],
        currency=thing["currency"], source=payout, at=made,
    )  # fmt: skip
    thing.update(status="failed", failure_balance_transaction=movement_id, failure_code=code)
    emit(world, "payout.failed", thing, made)
    return movement_id


def snapshot(world: World, *, at: Instant = None) -> None:
    """Remember the balance of an instant, for files that show it."""
    world.snapshots.append((world.instant(at), world.balance(at)))
