"""Customers pay: sales by card and by bank debit, declines, authorisations, checkouts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from billing_core.errors import TollbookError
from pipelines.stripe_double import objects
from pipelines.stripe_double.movements import credit_charge, emit, movement, release_rest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pipelines.stripe_double.world import Instant, StripeObject, World


@dataclass(frozen=True, slots=True)
class Paid:
    """The ids of one payment."""

    payment_intent: str
    charge: str | None
    balance_transaction: str | None


def customer(world: World, *, at: Instant = None, metadata: Mapping[str, str] | None = None) -> str:
    """Register a customer; returns the id."""
    thing = objects.customer(world.new_id("cus"), world.instant(at), livemode=world.livemode, metadata=metadata or {})
    return _put(world, thing, "customer.created")


def pay(
    world: World,
    *,
    amount: int,
    currency: str = "usd",
    customer: str | None = None,
    at: Instant = None,
    metadata: Mapping[str, str] | None = None,
    capture: int | None = None,
    method: str = "card",
    settlement: str | None = None,
    rate: str | None = None,
    fee: int | None = None,
    settled: bool = True,
    description: str | None = None,
) -> Paid:
    """Take a payment. With `capture` below the amount only that much is taken, the rest released by a refund object.

    `settlement` with `rate` converts; `settled = False` leaves a bank debit in `processing`.
    """
    made = world.instant(at)
    intent = _intent(world, made, amount, currency, customer, metadata, method=method, description=description)
    taken = amount if capture is None else capture
    charge = objects.charge(
        world.new_id("ch" if method == "card" else "py"),
        made,
        amount=amount,
        currency=currency,
        method=method,
        amount_captured=taken if settled else 0,
        customer=customer,
        description=description,
        livemode=world.livemode,
        metadata=dict(metadata or {}),
        paid=settled,
        payment_intent=intent["id"],
        payment_method=intent["payment_method"],
        status="succeeded" if settled else "pending",
    )
    world.put(charge)
    intent.update(latest_charge=charge["id"], status="succeeded" if settled else "processing")
    if not settled:
        emit(world, "charge.pending", charge, made)
        emit(world, "payment_intent.processing", intent, made)
        return Paid(intent["id"], charge["id"], None)
    intent["amount_received"] = taken
    movement_id = credit_charge(world, charge, made, settlement or currency, rate, fee)
    if taken < amount:
        release_rest(world, charge, amount - taken, made, settlement or currency, rate)
    emit(world, "charge.succeeded", charge, made)
    emit(world, "payment_intent.succeeded", intent, made)
    return Paid(intent["id"], charge["id"], movement_id)


def settle(world: World, paid: Paid, *, at: Instant = None, fee: int | None = None) -> Paid:
    """A bank debit arrives: its charge succeeds and moves the balance."""
    made, charge, intent = world.instant(at), _charge_of(world, paid), world.get(paid.payment_intent)
    charge.update(status="succeeded", paid=True, amount_captured=charge["amount"])
    intent.update(status="succeeded", amount_received=charge["amount"])
    movement_id = credit_charge(world, charge, made, charge["currency"], None, fee)
    emit(world, "charge.succeeded", charge, made)
    emit(world, "payment_intent.succeeded", intent, made)
    return Paid(paid.payment_intent, charge["id"], movement_id)


def fail_debit(world: World, paid: Paid, *, at: Instant = None) -> str | None:
    """A bank debit comes back. If it had moved the balance, the money is taken again; returns that movement."""
    made, charge, intent = world.instant(at), _charge_of(world, paid), world.get(paid.payment_intent)
    movement_id = None
    if charge["balance_transaction"] is not None:
        credited = world.get(charge["balance_transaction"])
        movement_id = movement(
            world,
            type="payment_failure_refund",
            reporting_category="charge_failure",
            amount=-credited["amount"],
            currency=credited["currency"],
            source=charge["id"],
            at=made,
            exchange_rate=credited["exchange_rate"],
        )
    charge.update(status="failed", paid=False, failure_code="insufficient_funds")
    charge["failure_balance_transaction"] = movement_id
    intent.update(status="requires_payment_method", amount_received=0)
    emit(world, "charge.failed", charge, made)
    emit(world, "payment_intent.payment_failed", intent, made)
    return movement_id


def decline(
    world: World,
    *,
    amount: int,
    currency: str = "usd",
    customer: str | None = None,
    code: str = "card_declined",
    decline_code: str | None = "generic_decline",
    at: Instant = None,
    metadata: Mapping[str, str] | None = None,
) -> Paid:
    """A card says no: a failed charge, and a PaymentIntent that waits for another method."""
    made = world.instant(at)
    intent = _intent(world, made, amount, currency, customer, metadata)
    charge = objects.charge(
        world.new_id("ch"), made, amount=amount, currency=currency, amount_captured=0, captured=False,
        customer=customer, failure_code=code, failure_message="Your card was declined.", livemode=world.livemode,
        metadata=dict(metadata or {}), paid=False, payment_intent=intent["id"], status="failed",
    )  # fmt: skip
    world.put(charge)
    error = {"charge": charge["id"], "code": code, "message": "Your card was declined.", "type": "card_error"}
    if decline_code is not None:
        error["decline_code"] = decline_code
    intent.update(latest_charge=charge["id"], last_payment_error=error)
    emit(world, "charge.failed", charge, made)
    emit(world, "payment_intent.payment_failed", intent, made)
    return Paid(intent["id"], charge["id"], None)


def authorise(
    world: World,
    *,
    amount: int,
    currency: str = "usd",
    customer: str | None = None,
    at: Instant = None,
    metadata: Mapping[str, str] | None = None,
) -> Paid:
    """Hold an amount on a card for a later capture."""
    made = world.instant(at)
    intent = _intent(world, made, amount, currency, customer, metadata)
    charge = objects.charge(
        world.new_id("ch"), made, amount=amount, currency=currency, amount_captured=0, captured=False,
        customer=customer, livemode=world.livemode, metadata=dict(metadata or {}), payment_intent=intent["id"],
    )  # fmt: skip
    world.put(charge)
    intent.update(
        amount_capturable=amount, capture_method="manual", latest_charge=charge["id"], status="requires_capture"
    )
    emit(world, "payment_intent.amount_capturable_updated", intent, made)
    return Paid(intent["id"], charge["id"], None)


def capture(world: World, paid: Paid, *, amount: int | None = None, at: Instant = None) -> Paid:
    """Take what was authorised, or part of it; the rest is released."""
    made, charge, intent = world.instant(at), _charge_of(world, paid), world.get(paid.payment_intent)
    taken = charge["amount"] if amount is None else amount
    charge.update(captured=True, amount_captured=taken)
    intent.update(status="succeeded", amount_capturable=0, amount_received=taken)
    movement_id = credit_charge(world, charge, made, charge["currency"], None, None)
    if taken < charge["amount"]:
        release_rest(world, charge, charge["amount"] - taken, made, charge["currency"], None)
    emit(world, "charge.captured", charge, made)
    emit(world, "payment_intent.succeeded", intent, made)
    return Paid(paid.payment_intent, charge["id"], movement_id)


def cancel(world: World, payment_intent: str, *, at: Instant = None, reason: str = "abandoned") -> None:
    """Cancel a PaymentIntent that has not succeeded; an authorised charge is let go without a movement."""
    made, intent = world.instant(at), world.get(payment_intent)
    intent.update(status="canceled", canceled_at=made, cancellation_reason=reason, amount_capturable=0)
    if intent["latest_charge"] is not None:
        charge = world.get(intent["latest_charge"])
        if charge["status"] == "succeeded":
            charge.update(refunded=True, amount_refunded=charge["amount"])
    emit(world, "payment_intent.canceled", intent, made)


def checkout(
    world: World,
    paid: Paid,
    *,
    at: Instant = None,
    prices: Iterable[tuple[str, str]] = (),
    metadata: Mapping[str, str] | None = None,
    reference: str | None = None,
) -> str:
    """The checkout session behind a payment, with the prices and products that were bought."""
    made, intent = world.instant(at), world.get(paid.payment_intent)
    is_paid = intent["status"] == "succeeded"
    thing = objects.checkout_session(
        world.new_id("cs_live" if world.livemode else "cs_test"), made, amount_subtotal=intent["amount"],
        amount_total=intent["amount"], client_reference_id=reference, currency=intent["currency"],
        customer=intent["customer"], livemode=world.livemode, metadata=dict(metadata or {}),
        payment_intent=intent["id"], payment_status="paid" if is_paid else "unpaid",
    )  # fmt: skip
    world.line_items[thing["id"]] = [
        _line_item(world, made, price, product, intent["amount"], intent["currency"]) for price, product in prices
    ]
    return _put(world, thing, "checkout.session.completed")


def _put(world: World, thing: StripeObject, kind: str) -> str:
    world.put(thing)
    emit(world, kind, thing, thing["created"])
    return str(thing["id"])


def _intent(
    world: World,
    made: int,
    amount: int,
    currency: str,
    customer_id: str | None,
    metadata: Mapping[str, str] | None,
    *,
    method: str = "card",
    description: str | None = None,
) -> StripeObject:
    intent = objects.payment_intent(
        world.new_id("pi"), made, amount=amount, currency=currency, customer=customer_id, description=description,
        livemode=world.livemode, metadata=dict(metadata or {}), payment_method=world.new_id("pm"),
        payment_method_types=[method],
    )  # fmt: skip
    world.put(intent)
    emit(world, "payment_intent.created", intent, made)
    return intent


def _charge_of(world: World, paid: Paid) -> StripeObject:
    if paid.charge is None:
        raise TollbookError(f"{paid.payment_intent} has no charge")
    return world.get(paid.charge)


def _line_item(world: World, made: int, price: str, product: str, amount: int, currency: str) -> StripeObject:
    shown = {
        "id": price, "object": "price", "active": True, "billing_scheme": "per_unit", "created": made,
        "currency": currency, "livemode": world.livemode, "metadata": {}, "product": product, "type": "one_time",
        "unit_amount": amount, "unit_amount_decimal": str(amount),
    }  # fmt: skip
    return {
        "id": world.new_id("li"), "object": "item", "amount_discount": 0, "amount_subtotal": amount,
        "amount_tax": 0, "amount_total": amount, "currency": currency, "description": "Tokens", "price": shown,
        "quantity": 1,
    }  # fmt: skip
