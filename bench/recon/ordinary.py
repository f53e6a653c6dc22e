"""What happens on ordinary days and must never be taken for a break."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from bench.recon.world import PACKAGES, compact

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.recon.world import World

DAY = timedelta(days=1)


def plain_sale(world: World) -> None:
    """A package, by a customer of many."""
    world.sale(package=world.dice.randrange(3))


def sale_without_ids(world: World) -> None:
    """A purchase that names nothing: found by account, amount and time."""
    world.sale(stripe_payment_intent_id=None, stripe_charge_id=None, package_id=None)


def sale_by_charge(world: World) -> None:
    """A purchase that names its charge alone."""
    world.sale(stripe_payment_intent_id=None)


def sale_by_session(world: World) -> None:
    """A purchase that names its checkout session."""
    sale = world.sale(stripe_charge_id=None)
    assert sale.credit is not None
    session = {
        "checkout_session_id": world.name("cs"),
        "payment_intent_id": sale.payment,
        "created": sale.intent["created"],
    }
    world.rows["checkout_sessions"].append(session)
    sale.credit["stripe_payment_intent_id"] = session["checkout_session_id"]


def sale_by_metadata(world: World) -> None:
    """A purchase that names nothing, and whose payment names it."""
    sale = world.sale(
        credited=False, metadata={"credit_id": f"order-{world.dice.randrange(10**9)}-{world.name('ref')}"}
    )
    reference = sale.intent["metadata"].split('"')[3]
    at = sale.intent["created"] + timedelta(days=2)
    world.credit(sale.customer, at, sale.intent["amount"], sale.intent["currency"], credit_id=reference)


def sale_with_tax(world: World) -> None:
    """Tax on top of the list price, a discount below it."""
    sale = world.sale(currency="usd", amount=PACKAGES[0][2]["usd"] + 285 - 100, tax_cents=285, discount_cents=100)
    assert sale.credit is not None


def partial_capture(world: World) -> None:
    """Less was captured than authorised, and credited so."""
    sale = world.sale(currency="usd", credited=False, amount=2_000)
    sale.charge["amount_captured"] = sale.intent["amount_received"] = 1_500
    assert sale.transaction is not None
    fee = 1_500 * 29 // 1000 + 30
    sale.transaction |= {
        "fee": fee,
        "net": 2_000 - fee,
        "fee_details": compact([{"amount": fee, "type": "stripe_fee"}]),
    }
    at = sale.intent["created"] + timedelta(seconds=3)
    world.transaction("partial_capture_reversal", sale.charge["charge_id"], -500, "usd", at)
    world.credit(sale.customer, at, 1_500, "usd", stripe_payment_intent_id=sale.payment, package_id="starter")


def partial_refunds(world: World) -> None:
    """Two partial refunds, one row without Stripe's id."""
    sale = world.sale()
    at, part = sale.intent["created"] + DAY, sale.charge["amount"] // 4
    first, second = world.refund(sale, part, at), world.refund(sale, part, at + DAY)
    world.refund_row(sale, part, at + timedelta(minutes=1), first["refund_id"])
    world.refund_row(sale, part, second["created"] + timedelta(minutes=1), None)


def failed_refund(world: World) -> None:
    """A refund that failed and was credited again."""
    sale = world.sale()
    at, amount = sale.intent["created"] + DAY, sale.charge["amount"]
    refund = world.refund(sale, amount, at)
    row = world.refund_row(sale, amount, at, refund["refund_id"])
    bt = world.settle("refund_failure", refund["refund_id"], amount, refund["currency"], at + DAY)
    refund |= {"status": "failed", "failure_balance_transaction_id": bt["balance_transaction_id"]}
    fields = {"transaction_type": "refund", "token_amount": -row["token_amount"]}
    fields |= {"corrects_transaction_id": row["transaction_id"], "stripe_payment_intent_id": sale.payment}
    world.credit(sale.customer, at + DAY, amount, refund["currency"], **fields)


def pending_refund(world: World) -> None:
    """A refund that waits for its transaction, inside its ten days."""
    sale = world.sale(at=world.moment(10) + timedelta(days=5))
    at = max(sale.intent["created"] + DAY, sale.intent["created"].replace(day=26))
    refund = world.refund(sale, 100, at, settled=False, status="pending", pending_reason="processing")
    world.refund_row(sale, 100, at, refund["refund_id"])


def dispute_lost(world: World) -> None:
    """A dispute that was lost, with its chargeback."""
    sale = world.sale()
    at = sale.intent["created"] + DAY
    world.dispute(sale, at, "lost")
    world.chargeback(sale, at + timedelta(minutes=5))


def dispute_won(world: World) -> None:
    """A dispute that was won, with chargeback and reversal."""
    sale = world.sale()
    at = sale.intent["created"] + DAY
    world.dispute(sale, at, "won", won_at=at + DAY)
    row = world.chargeback(sale, at)
    fields = {"transaction_type": "chargeback_reversal", "token_amount": -row["token_amount"]}
    fields |= {"corrects_transaction_id": row["transaction_id"], "stripe_payment_intent_id": sale.payment}
    world.credit(sale.customer, at + DAY, -row["amount_cents"], row["currency"], **fields)


def failed_debit(world: World) -> None:
    """A bank debit that failed after days, and its chargeback."""
    sale = world.sale()
    at, amount = sale.intent["created"] + 2 * DAY, sale.charge["amount"]
    bt = world.settle("charge_failure", sale.charge["charge_id"], -amount, sale.charge["currency"], at)
    sale.charge |= {"status": "failed", "failure_balance_transaction_id": bt["balance_transaction_id"]}
    world.chargeback(sale, at)


def abandoned_intent(world: World) -> None:
    """A payment that nobody finished, and nobody credited."""
    status = world.dice.choice(["canceled", "requires_payment_method", "requires_action"])
    world.intent(world.customer(), world.moment(), 1_500, "usd", status=status, amount_received=0)


def two_tries(world: World) -> None:
    """A declined charge and the one that went through, of one PaymentIntent."""
    sale = world.sale()
    declined = {"status": "failed", "paid": False, "captured": False, "amount_captured": 0}
    world.charge(sale.intent, sale.intent["created"], **declined)
    sale.intent["latest_charge_id"] = sale.charge["charge_id"]


def corrected_purchase(world: World) -> None:
    """A purchase entered with a wrong price, and its correction."""
    sale = world.sale(currency="usd")
    assert sale.credit is not None
    sale.credit["amount_cents"] = 1_600
    fields = {"transaction_type": "correction", "token_amount": 0}
    world.credit(
        sale.customer,
        sale.credit["occurred_at"] + DAY,
        -100,
        "usd",
        corrects_transaction_id=sale.credit["transaction_id"],
        **fields,
    )


def bank_transfer(world: World) -> None:
    """A purchase that a bank transfer settled: not Stripe's business."""
    world.credit(world.customer(), world.moment(), 1_500, "usd", settled_by="bank")


def recharge(world: World) -> None:
    """An automatic recharge, tagged on both sides."""
    customer = world.customer(auto_recharge_enabled=True, auto_recharge_threshold=20_000)
    world.sale(customer, metadata={"auto_recharge": "true"}, transaction_type="auto_recharge")


def gift(world: World) -> None:
    """A bonus, without any payment."""
    world.credit(world.customer(), world.moment(), None, None, transaction_type="bonus", token_amount=5_000)


STORIES: tuple[Callable[[World], None], ...] = (
    *(plain_sale, sale_without_ids, sale_by_charge, sale_by_session, sale_by_metadata, sale_with_tax, partial_capture),
    *(partial_refunds, failed_refund, pending_refund, dispute_lost, dispute_won, failed_debit, abandoned_intent),
    *(two_tries, corrected_purchase, bank_transfer, recharge, gift),
)


def live(world: World, stories: int) -> None:
    """Every ordinary story at least once, then as many as asked for, most of them plain sales."""
    for story in STORIES:
        story(world)
    for _ in range(stories):
        world.dice.choice((plain_sale, plain_sale, plain_sale, *STORIES))(world)
