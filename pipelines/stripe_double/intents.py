"""POST /v1/payment_intents: what an app does to charge a saved card off-session."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pipelines.stripe_double import actions
from pipelines.stripe_double.queries import RefusedError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipelines.stripe_double.world import StripeObject, World

DECLINES = {
    "pm_card_chargeDeclined": ("card_declined", "generic_decline"),
    "pm_card_chargeDeclinedInsufficientFunds": ("card_declined", "insufficient_funds"),
    "pm_card_chargeDeclinedLostCard": ("card_declined", "lost_card"),
    "pm_card_chargeDeclinedExpiredCard": ("expired_card", None),
    "pm_card_authenticationRequired": ("authentication_required", "authentication_required"),
}
"""Stripe's own test payment methods that say no: error code and decline code."""
_KNOWN = frozenset(
    {
        *("amount", "currency", "confirm", "customer", "description", "metadata", "off_session", "payment_method"),
        *("payment_method_types", "automatic_payment_methods", "receipt_email", "error_on_requires_action", "expand"),
        *("statement_descriptor", "statement_descriptor_suffix", "setup_future_usage"),
    }
)
AMOUNT_MIN, AMOUNT_MAX = 50, 99_999_999


def create_payment_intent(world: World, form: Mapping[str, Any]) -> StripeObject:
    """Create an intent and, with `confirm`, charge it. Raises RefusedError: 400 for the request, 402 for the card."""
    amount, currency = _checked(world, form)
    metadata, customer = form.get("metadata", {}), form.get("customer")
    if form.get("confirm") != "true":
        paid = actions.authorise(world, amount=amount, currency=currency, customer=customer, metadata=metadata)
        world.remove(str(paid.charge))
        return world.edit(
            paid.payment_intent, status="requires_payment_method", latest_charge=None, amount_capturable=0
        )
    method = form.get("payment_method")
    if method is None:
        raise RefusedError(
            400, "You cannot confirm without a payment method.", code="parameter_missing", param="payment_method"
        )
    if method in DECLINES:
        raise _declined(world, amount, currency, customer, metadata, method)
    paid = actions.pay(
        world, amount=amount, currency=currency, customer=customer, metadata=metadata,
        description=form.get("description"),
    )  # fmt: skip
    world.edit(str(paid.charge), payment_method=method)
    return world.edit(paid.payment_intent, payment_method=method)


def _checked(world: World, form: Mapping[str, Any]) -> tuple[int, str]:
    if unknown := sorted(set(form) - _KNOWN):
        raise RefusedError(400, f"Received unknown parameter: {unknown[0]}", code="parameter_unknown", param=unknown[0])
    for name in ("amount", "currency"):
        if name not in form:
            raise RefusedError(400, f"Missing required param: {name}.", code="parameter_missing", param=name)
    if not re.fullmatch(r"[0-9]{1,12}", form["amount"]):
        raise RefusedError(400, f"Invalid integer: {form['amount']}", code="parameter_invalid_integer", param="amount")
    amount, currency = int(form["amount"]), form["currency"].lower()
    if not re.fullmatch(r"[a-z]{3}", currency):
        raise RefusedError(400, f"Invalid currency: {currency}.", param="currency")
    if amount < AMOUNT_MIN:
        raise RefusedError(400, "Amount must convert to at least 50 cents.", code="amount_too_small", param="amount")
    if amount > AMOUNT_MAX:
        raise RefusedError(400, "Amount must be no more than 999,999.99.", code="amount_too_large", param="amount")
    customer = form.get("customer")
    if customer is not None and world.find(customer, "customer") is None:
        raise RefusedError(400, f"No such customer: '{customer}'", code="resource_missing", param="customer")
    return amount, currency


def _declined(
    world: World, amount: int, currency: str, customer: str | None, metadata: Mapping[str, str], method: str
) -> RefusedError:
    code, decline_code = DECLINES[method]
    paid = actions.decline(
        world, amount=amount, currency=currency, customer=customer, metadata=metadata, code=code,
        decline_code=decline_code,
    )  # fmt: skip
    intent = world.get(paid.payment_intent)
    return RefusedError(
        402, "Your card was declined.", type="card_error", code=code, decline_code=decline_code, charge=paid.charge,
        payment_intent=intent,
    )  # fmt: skip
