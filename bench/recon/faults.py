"""Faults that are planted in the sales: one function for each break code from 1 to 23 and 40 to 44, each labels its own."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from bench.recon.world import AS_OF, PACKAGES

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.recon.world import Sale, World

DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)


def payment_not_credited(world: World, number: int) -> None:
    """A payment without its purchase; every second was refunded in part since."""
    sale = world.sale(credited=False)
    if number % 2:
        world.refund(sale, sale.charge["amount"] // 3, sale.intent["created"] + DAY)
    world.label("payment_not_credited", sale.payment, sale.charge["charge_id"])


def credit_without_payment(world: World, number: int) -> None:
    """A purchase that names a payment which does not exist, or none."""
    named = world.name("pi_unknown") if number % 2 else None
    row = world.credit(world.customer(), world.moment(), 1_500, "usd", stripe_payment_intent_id=named)
    world.label("credit_without_payment", row["transaction_id"], row["credit_id"])


def credit_on_unsettled(world: World, number: int) -> None:
    """A purchase whose payment is still on its way."""
    customer, at = world.customer(), world.moment()
    status = ("processing", "requires_action", "requires_capture")[number % 3]
    intent = world.intent(customer, at, 1_500, "usd", status=status, amount_received=0)
    row = world.credit(customer, at, 1_500, "usd", stripe_payment_intent_id=intent["payment_intent_id"])
    world.label("credit_on_unsettled", intent["payment_intent_id"], row["transaction_id"])


def credit_on_failed_payment(world: World, number: int) -> None:
    """A purchase whose payment was cancelled, declined, or failed days later."""
    if number % 3 == 2:
        sale = world.sale()
        at, amount = sale.intent["created"] + 2 * DAY, sale.charge["amount"]
        bt = world.settle("charge_failure", sale.charge["charge_id"], -amount, sale.charge["currency"], at)
        sale.charge |= {"status": "failed", "failure_balance_transaction_id": bt["balance_transaction_id"]}
        world.label("credit_on_failed_payment", sale.payment, sale.charge["charge_id"])
        return
    customer, at = world.customer(), world.moment()
    fields = (
        {"status": "canceled"}
        if number % 3
        else {"status": "requires_payment_method", "last_error_code": "card_declined"}
    )
    intent = world.intent(customer, at, 1_500, "usd", amount_received=0, **fields)
    row = world.credit(customer, at, 1_500, "usd", stripe_payment_intent_id=intent["payment_intent_id"])
    world.label("credit_on_failed_payment", intent["payment_intent_id"], row["transaction_id"])


def duplicate_credit(world: World, number: int) -> None:
    """One payment, credited again by a redelivered webhook."""
    sale = world.sale()
    for _ in range(1 + number % 2):
        at = sale.intent["created"] + MINUTE
        fields = {"stripe_payment_intent_id": sale.payment, "package_id": "starter"}
        world.credit(sale.customer, at, sale.charge["amount"], sale.charge["currency"], **fields)
    world.label("duplicate_credit", sale.payment, sale.charge["charge_id"])


def duplicate_charge(world: World, number: int) -> None:
    """Two charges for one click; every second was credited twice as well."""
    first = world.sale(metadata={"package_id": "starter"})
    at = first.intent["created"] + (1 + number % 9) * MINUTE
    currency = first.charge["currency"]
    second = world.sale(first.customer, at, currency, credited=bool(number % 2), metadata={"package_id": "starter"})
    world.label("duplicate_charge", second.payment, second.charge["charge_id"])


def amount_mismatch(world: World, number: int) -> None:
    """A purchase with another price than was paid."""
    sale = world.sale()
    assert sale.credit is not None
    sale.credit["amount_cents"] += (1, -1, 500)[number % 3]
    world.label("amount_mismatch", sale.payment, sale.credit["transaction_id"])


def currency_mismatch(world: World, number: int) -> None:
    """A purchase in another currency than was paid."""
    sale = world.sale(currency="usd")
    assert sale.credit is not None
    sale.credit |= {"currency": "eur", "amount_cents": sale.credit["amount_cents"] - 100 * (number % 2)}
    world.label("currency_mismatch", sale.payment, sale.credit["transaction_id"])


def tokens_mismatch(world: World, number: int) -> None:
    """Tokens that the package does not have, named or by its price."""
    named = "starter" if number % 2 else None
    sale = world.sale(currency=("usd", "eur", "gbp")[number % 3], token_amount=PACKAGES[0][1] + 1, package_id=named)
    world.label("tokens_mismatch", sale.payment, sale.credit and sale.credit["transaction_id"])


def account_mismatch(world: World, number: int) -> None:
    """One account paid, another was credited: by metadata, or by the customer."""
    payer, other = world.customer(), world.customer()
    sale = world.sale(payer, metadata={"account_id": payer.account_id} if number % 2 else {})
    assert sale.credit is not None
    sale.credit["account_id"] = other.account_id
    world.label("account_mismatch", sale.payment, sale.credit["transaction_id"])


def partial_capture_overcredit(world: World, number: int) -> None:
    """The authorised amount was credited, less was captured."""
    sale = world.sale(currency="usd")
    less = 100 + number
    sale.charge["amount_captured"] = sale.intent["amount_received"] = sale.charge["amount"] - less
    world.transaction(
        "partial_capture_reversal", sale.charge["charge_id"], -less, "usd", sale.intent["created"] + MINUTE
    )
    world.label("partial_capture_overcredit", sale.payment, sale.charge["charge_id"])


def refund_not_recorded(world: World, number: int) -> None:
    """A refund that the ledger does not know."""
    sale = world.sale()
    refund = world.refund(sale, sale.charge["amount"] // (1 + number % 2), sale.intent["created"] + DAY)
    world.label("refund_not_recorded", refund["refund_id"], refund["balance_transaction_id"])


def refund_without_stripe(world: World, number: int) -> None:
    """A refund that Stripe does not know."""
    sale = world.sale()
    named = world.name("re_unknown") if number % 2 else None
    row = world.refund_row(sale, 300, sale.intent["created"] + DAY, named)
    world.label("refund_without_stripe", row["transaction_id"], row["credit_id"])


def refund_amount_mismatch(world: World, number: int) -> None:
    """A refund with two amounts."""
    sale = world.sale()
    at = sale.intent["created"] + DAY
    refund = world.refund(sale, 500, at)
    row = world.refund_row(sale, 500 + (1, -50)[number % 2], at, refund["refund_id"])
    world.label("refund_amount_mismatch", refund["refund_id"], row["transaction_id"])


def over_refund(world: World, number: int) -> None:
    """More refunded than paid, on both sides."""
    sale = world.sale()
    at, amount = sale.intent["created"] + DAY, sale.charge["amount"]
    for part in (amount, 1 + number):
        refund = world.refund(sale, part, at)
        world.refund_row(sale, part, at, refund["refund_id"])
    world.label("over_refund", sale.payment, sale.charge["charge_id"])


def refund_failed_not_reversed(world: World, number: int) -> None:
    """A refund that failed after it was sent, or was cancelled before, and that the ledger still has."""
    sale = world.sale()
    at, amount = sale.intent["created"] + DAY, sale.charge["amount"] // 2
    if number % 2:
        refund = world.refund(sale, amount, at, settled=False, status="canceled")
    else:
        refund = world.refund(sale, amount, at)
        bt = world.settle("refund_failure", refund["refund_id"], amount, refund["currency"], at + DAY)
        refund |= {"status": "failed", "failure_balance_transaction_id": bt["balance_transaction_id"]}
    world.refund_row(sale, amount, at, refund["refund_id"])
    world.label("refund_failed_not_reversed", refund["refund_id"])


def refund_pending_stale(world: World, number: int) -> None:
    """A refund that is pending for weeks, in the ledger or not."""
    sale = world.sale(at=world.moment(9))
    at = sale.intent["created"] + DAY
    refund = world.refund(sale, 200, at, settled=False, status="pending", pending_reason="insufficient_funds")
    if number % 2:
        world.refund_row(sale, 200, at, refund["refund_id"])
    world.label("refund_pending_stale", refund["refund_id"])


def dispute_opened_not_held(world: World, number: int) -> None:
    """A dispute that took the money, and tokens that stayed."""
    sale = world.sale()
    status = ("needs_response", "under_review")[number % 2]
    world.label("dispute_opened_not_held", world.dispute(sale, sale.intent["created"] + DAY, status)["dispute_id"])


def dispute_lost_not_debited(world: World, number: int) -> None:
    """A dispute that was lost, and tokens that stayed."""
    sale = world.sale()
    amount = sale.charge["amount"] // (1 + number % 2)
    world.label(
        "dispute_lost_not_debited", world.dispute(sale, sale.intent["created"] + DAY, "lost", amount)["dispute_id"]
    )


def dispute_won_not_reinstated(world: World, number: int) -> None:
    """A dispute that was won, and a chargeback that stayed."""
    del number
    sale = world.sale()
    at = sale.intent["created"] + DAY
    dispute = world.dispute(sale, at, "won", won_at=at + DAY)
    world.chargeback(sale, at)
    world.label("dispute_won_not_reinstated", dispute["dispute_id"])


def dispute_and_refund(world: World, number: int) -> None:
    """A charge that was refunded, then disputed; both are in the ledger."""
    sale = world.sale()
    at, amount = sale.intent["created"] + DAY, sale.charge["amount"]
    refund = world.refund(sale, amount // (1 + number % 2), at)
    world.refund_row(sale, refund["amount"], at, refund["refund_id"])
    world.dispute(sale, at + DAY, "needs_response")
    world.chargeback(sale, at + DAY)
    world.label("dispute_and_refund", sale.payment, sale.charge["charge_id"])


def inquiry_open(world: World, number: int) -> None:
    """A question of the bank's; nothing moved."""
    sale = world.sale()
    status = ("warning_needs_response", "warning_under_review")[number % 2]
    world.label("inquiry_open", world.dispute(sale, sale.intent["created"] + DAY, status)["dispute_id"])


def balance_txn_missing(world: World, number: int) -> None:
    """A charge or a refund that succeeded and has no balance transaction."""
    sale = world.sale(settled=bool(number % 2))
    if not number % 2:
        world.label("balance_txn_missing", sale.charge["charge_id"], sale.payment)
        return
    at = sale.intent["created"] + DAY
    refund = world.refund(sale, 250, at, settled=False)
    if number % 4 == 1:
        world.refund_row(sale, 250, at, refund["refund_id"])
    world.label("balance_txn_missing", refund["refund_id"])


def timing_cutoff(world: World, number: int) -> None:
    """A payment or a refund whose two sides fall into two months."""
    midnight = datetime(2026, 10, 1, tzinfo=AS_OF.tzinfo)
    if number % 2:
        sale = world.sale(at=midnight - 5 * DAY)
        refund = world.refund(sale, 300, midnight - timedelta(seconds=20))
        world.refund_row(sale, 300, midnight + timedelta(seconds=20), refund["refund_id"])
        world.label("timing_cutoff", refund["refund_id"])
    else:
        sale = world.sale(at=midnight - timedelta(seconds=4))
        world.label("timing_cutoff", sale.payment, sale.credit and sale.credit["transaction_id"])


def ambiguous_match(world: World, number: int) -> None:
    """A purchase without ids, and two payments that fit it."""
    del number
    customer, at = world.customer(), world.moment()
    sales: list[Sale] = [
        world.sale(customer, at + timedelta(minutes=30 * turn), "usd", credited=False) for turn in range(2)
    ]
    row = world.credit(customer, at + timedelta(hours=2), 1_500, "usd")
    for subject in (row["transaction_id"], *(sale.payment for sale in sales)):
        world.label("ambiguous_match", subject)


def auto_recharge_unlinked(world: World, number: int) -> None:
    """A recharge booked as a purchase, a purchase booked as a recharge, a recharge without need."""
    if number % 3 == 2:
        customer = world.customer(auto_recharge_enabled=True, auto_recharge_threshold=20_000)
        world.credit(customer, world.moment(9), None, None, transaction_type="bonus", token_amount=50_000)
        sale = world.sale(
            customer, world.moment(10), metadata={"auto_recharge": "true"}, transaction_type="auto_recharge"
        )
    elif number % 3:
        sale = world.sale(transaction_type="auto_recharge", metadata={})
    else:
        sale = world.sale(metadata={"auto_recharge": "true"})
    world.label("auto_recharge_unlinked", sale.payment, sale.credit and sale.credit["transaction_id"])


def auto_recharge_failed_streak(world: World, number: int) -> None:
    """Three or more recharges in a row that the bank declined."""
    customer, at = world.customer(), world.moment(9)
    declined = {"status": "requires_payment_method", "last_error_code": "card_declined", "amount_received": 0}
    declined |= {"last_decline_code": "insufficient_funds", "metadata": '{"auto_recharge":"true"}'}
    for turn in range(3 + number % 2):
        world.intent(customer, at + turn * DAY, 1_500, "usd", **declined)
    world.label("auto_recharge_failed_streak", customer.customer_id, customer.account_id)


def free_grant_as_purchase(world: World, number: int) -> None:
    """A purchase without a price, a bonus that stands for a purchase, a bonus that names somebody's payment."""
    if number % 3 == 0:
        row = world.credit(world.customer(), world.moment(), 0, "usd")
        world.label("free_grant_as_purchase", row["transaction_id"], row["credit_id"])
        return
    sale = world.sale(credited=number % 3 == 2)
    fields = {"transaction_type": "bonus", "stripe_payment_intent_id": sale.payment}
    row = world.credit(sale.customer, sale.intent["created"] + MINUTE, None, None, **fields)
    world.label("free_grant_as_purchase", row["transaction_id"], sale.payment)


FAULTS: tuple[Callable[[World, int], None], ...] = (
    *(payment_not_credited, credit_without_payment, credit_on_unsettled, credit_on_failed_payment, duplicate_credit),
    *(duplicate_charge, amount_mismatch, currency_mismatch, tokens_mismatch, account_mismatch),
    *(partial_capture_overcredit, refund_not_recorded, refund_without_stripe, refund_amount_mismatch, over_refund),
    *(refund_failed_not_reversed, refund_pending_stale, dispute_opened_not_held, dispute_lost_not_debited),
    *(dispute_won_not_reinstated, dispute_and_refund, inquiry_open, balance_txn_missing, timing_cutoff),
    *(ambiguous_match, auto_recharge_unlinked, auto_recharge_failed_streak, free_grant_as_purchase),
)
