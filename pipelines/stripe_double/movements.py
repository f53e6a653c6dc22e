"""Movements of the balance: fees, conversion, the day on which money is available; and the events of the account."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, Any

from billing_core.errors import TollbookError
from billing_core.money import currency_exponent
from pipelines.stripe_double import objects

if TYPE_CHECKING:
    from pipelines.stripe_double.world import Instant, StripeObject, World

DAY = 86_400
SETTLING_DAYS = 2
FEE_PPM, FEE_FIXED = 29_000, 30
"""2.9 % and 30 minor units a charge, as Stripe lists for cards in the US. No reader of the double relies on it."""
DISPUTE_FEE = 1_500


def movement(
    world: World,
    *,
    type: str,  # noqa: A002 the name of the field at Stripe
    reporting_category: str,
    amount: int,
    currency: str,
    source: str | None = None,
    fee: int = 0,
    at: Instant = None,
    available_on: int | None = None,
    **fields: Any,
) -> str:
    """Any movement of the balance, available at once unless `available_on` says when; returns its id."""
    made = world.instant(at)
    thing = objects.balance_transaction(
        world.new_id("txn"), made, amount=amount, currency=currency, fee=fee, type=type,
        reporting_category=reporting_category, source=source,
        available_on=made if available_on is None else available_on, **fields,
    )  # fmt: skip
    return str(world.put(thing)["id"])


def emit(world: World, kind: str, thing: StripeObject, at: Instant = None) -> str:
    """An event of what an object looks like now; returns its id."""
    made = objects.event(
        world.new_id("evt"), world.instant(at), kind=kind, thing=thing, api_version=world.api_version,
        livemode=world.livemode,
    )  # fmt: skip
    return str(world.put(made)["id"])


def converted(amount: int, currency: str, settlement: str, rate: str | None) -> tuple[int, float | None]:
    """An amount in the settlement currency, rounded half up to its minor unit, and the rate as Stripe shows it."""
    if currency == settlement:
        return amount, None
    if rate is None:
        raise TollbookError(f"{currency} settles in {settlement}: give the rate")
    scale = Decimal(10) ** (currency_exponent(settlement) - currency_exponent(currency))
    whole = (Decimal(amount) * Decimal(rate) * scale).to_integral_value(ROUND_HALF_UP)
    return int(whole), float(rate)


def settling_day(made: int) -> int:
    """Midnight of the day on which a charge becomes available."""
    return made - made % DAY + SETTLING_DAYS * DAY


def settlement_of(world: World, charge: StripeObject) -> tuple[str, str | None]:
    """The currency that a charge settled in, and the rate if it was converted."""
    if charge["balance_transaction"] is None:
        return charge["currency"], None
    credited = world.get(charge["balance_transaction"])
    rate = credited["exchange_rate"]
    return credited["currency"], None if rate is None else repr(rate)


def credit_charge(
    world: World, charge: StripeObject, made: int, settlement: str, rate: str | None, fee: int | None
) -> str:
    """The movement of a charge: what was authorised, less the fee on what was captured."""
    amount, shown = converted(charge["amount"], charge["currency"], settlement, rate)
    taken, _ = converted(charge["amount_captured"], charge["currency"], settlement, rate)
    is_card = charge["id"].startswith("ch")
    charge["balance_transaction"] = movement(
        world, type="charge" if is_card else "payment", reporting_category="charge", amount=amount,
        currency=settlement, source=charge["id"], at=made, available_on=settling_day(made), exchange_rate=shown,
        fee=(taken * FEE_PPM + 500_000) // 1_000_000 + FEE_FIXED if fee is None else fee,
        description=charge["description"],
    )  # fmt: skip
    return str(charge["balance_transaction"])


def release_rest(world: World, charge: StripeObject, amount: int, made: int, settlement: str, rate: str | None) -> None:
    """What was authorised and not captured goes back as a refund object that is none."""
    thing = objects.refund(
        world.new_id("re"), made, amount=amount, currency=charge["currency"], charge=charge["id"],
        payment_intent=charge["payment_intent"], reason=None,
    )  # fmt: skip
    world.put(thing)
    whole, shown = converted(charge["amount"], charge["currency"], settlement, rate)
    taken, _ = converted(charge["amount_captured"], charge["currency"], settlement, rate)
    thing["balance_transaction"] = movement(
        world, type="refund", reporting_category="partial_capture_reversal", amount=taken - whole,
        currency=settlement, source=thing["id"], at=made, available_on=settling_day(made), exchange_rate=shown,
    )  # fmt: skip
    charge["amount_refunded"] = amount
    emit(world, "refund.created", thing, made)


def debit_refund(
    world: World, charge: StripeObject, thing: StripeObject, kind: str, category: str, made: int, rate: str | None
) -> str:
    """The movement of a refund, at the charge's rate unless another is given."""
    settlement, own = settlement_of(world, charge)
    amount, shown = converted(thing["amount"], charge["currency"], settlement, rate or own)
    return movement(
        world, type=kind, reporting_category=category, amount=-amount, currency=settlement, source=thing["id"],
        at=made, available_on=made, exchange_rate=shown,
    )  # fmt: skip


def move_dispute(world: World, thing: StripeObject, charge: StripeObject, sign: int, fee: int, made: int) -> None:
    """Withdraw the disputed amount (sign -1) or bring it back (sign 1)."""
    settlement, rate = settlement_of(world, charge)
    amount, shown = converted(thing["amount"], charge["currency"], settlement, rate)
    identity = movement(
        world, type="adjustment", reporting_category="dispute" if sign < 0 else "dispute_reversal",
        amount=sign * amount, currency=settlement, source=thing["id"], fee=fee, at=made, exchange_rate=shown,
    )  # fmt: skip
    thing["balance_transactions"] = [*thing["balance_transactions"], world.get(identity)]
