"""Faults that are planted in the balance, the payouts and the extract: codes 24 to 36, 38, 39, 41 and 45."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from bench.recon.world import ACCOUNT

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.recon.world import Row, World

DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
CLOSED_AT = datetime(2026, 10, 3, tzinfo=UTC)


def _september(world: World) -> datetime:
    """An instant of early September: payouts without items there hide nothing that is planted later."""
    return datetime(2026, 9, 5, tzinfo=UTC) + timedelta(seconds=world.dice.randrange(5 * 86_400))


def _transaction(sale_transaction: Row | None) -> Row:
    assert sale_transaction is not None
    return sale_transaction


def charge_bt_mismatch(world: World, number: int) -> None:
    """A charge that the balance got with another amount."""
    bt = _transaction(world.sale(currency="usd").transaction)
    bt["amount"] += (7, -1)[number % 2]
    bt["net"] = bt["amount"] - bt["fee"]
    world.label("charge_bt_mismatch", bt["balance_transaction_id"], bt["source_id"])


def bt_orphan_source(world: World, number: int) -> None:
    """A balance transaction whose charge, refund or dispute nobody has."""
    category, prefix, sign = (("charge", "ch_gone", 1), ("refund", "re_gone", -1), ("dispute", "dp_gone", -1))[
        number % 3
    ]
    bt = world.transaction(category, world.name(prefix), sign * 900, "usd", world.moment(), 56 if sign > 0 else 0)
    world.label("bt_orphan_source", bt["balance_transaction_id"], bt["source_id"])


def bt_arithmetic(world: World, number: int) -> None:
    """Amount, fee and net that do not add up, or a fee that its details do not explain."""
    bt = _transaction(world.sale(currency="usd").transaction)
    if number % 2:
        bt["net"] -= 1
    else:
        bt["fee_details"] = json.dumps([{"amount": bt["fee"] - 3, "currency": "usd", "type": "stripe_fee"}])
    world.label("bt_arithmetic", bt["balance_transaction_id"])


def fee_anomaly(world: World, number: int) -> None:
    """A fee three times as high as agreed, or none at all."""
    bt = _transaction(world.sale(currency="usd").transaction)
    bt["fee"] = (bt["fee"] * 3, 0)[number % 2]
    bt["net"] = bt["amount"] - bt["fee"]
    bt["fee_details"] = json.dumps([{"amount": bt["fee"], "type": "stripe_fee"}] if bt["fee"] else [])
    world.label("fee_anomaly", bt["balance_transaction_id"], bt["source_id"])


def fx_variance(world: World, number: int) -> None:
    """A conversion off its own rate, or a refund at another rate than the sale."""
    sale = world.sale(currency=("gbp", "jpy", "kwd")[number % 3])
    bt = _transaction(sale.transaction)
    if number % 2:
        bt["amount"] += 5
        bt["net"] = bt["amount"] - bt["fee"]
        world.label("fx_variance", bt["balance_transaction_id"], sale.charge["charge_id"])
        return
    amount, at = sale.charge["amount"], sale.intent["created"] + DAY
    refund = world.refund(sale, amount, at, settled=False)
    rate = bt["exchange_rate"] * 2
    back = world.transaction("refund", refund["refund_id"], -2 * bt["amount"], "usd", at, exchange_rate=rate)
    refund["balance_transaction_id"] = back["balance_transaction_id"]
    world.refund_row(sale, amount, at, refund["refund_id"])
    world.label("fx_variance", sale.payment, sale.charge["charge_id"])


def unclassified_category(world: World, number: int) -> None:
    """A kind of transaction that nobody has heard of."""
    kind = "quantum_fee" if number % 2 else "climate_order_purchase"
    category = "other_adjustment" if number % 2 else "climate_order_purchase"
    bt = world.transaction(category, None, -75, "usd", world.moment(), type=kind)
    world.label("unclassified_category", bt["balance_transaction_id"])


def stripe_fee_unallocated(world: World, number: int) -> None:
    """A monthly fee, or a tax, of Stripe's own."""
    kind = "stripe_fee" if number % 2 else "tax_fee"
    bt = world.transaction("fee" if number % 2 else "tax", None, -1_000, "usd", world.moment(), type=kind)
    world.label("stripe_fee_unallocated", bt["balance_transaction_id"])


def payout_total_mismatch(world: World, number: int) -> None:
    """An itemised payout of more than its items."""
    payout = world.payout("usd", 40 + number, world.moment())
    world.rows["payout_items"].append(
        {"payout_id": payout["payout_id"], "balance_transaction_id": payout["balance_transaction_id"]}
    )
    world.label("payout_total_mismatch", payout["payout_id"], payout["balance_transaction_id"])


def payout_not_itemised(world: World, number: int) -> None:
    """A payout by hand, an instant one, one whose items never came."""
    manual = {"automatic": False, "reconciliation_status": "not_applicable"}
    fields = (manual, manual | {"method": "instant"}, {"reconciliation_status": "in_progress"})[number % 3]
    payout = world.payout("usd", 5_001 + number, _september(world), **fields)
    world.label("payout_not_itemised", payout["payout_id"])


def payout_failed(world: World, number: int) -> None:
    """A payout that the bank sent back, or that was cancelled."""
    at = _september(world)
    fields = {"automatic": False, "reconciliation_status": "not_applicable"}
    fields |= {"status": ("failed", "canceled")[number % 2], "failure_code": "account_closed"}
    payout = world.payout("usd", 7_001 + number, at, **fields)
    back = world.transaction("payout_reversal", payout["payout_id"], payout["amount"], "usd", at + DAY)
    payout["failure_balance_transaction_id"] = back["balance_transaction_id"]
    world.label("payout_failed", payout["payout_id"])


def payout_not_in_bank(world: World, number: int) -> None:
    """A payout that the bank's statement does not have."""
    at = world.moment(9)
    sale = world.transaction("fee", None, 3_000 + number, "usd", at, type="stripe_fee", source_id=None)
    world.unpaid.add(sale["balance_transaction_id"])
    world.label("stripe_fee_unallocated", sale["balance_transaction_id"])
    payout = world.payout("usd", sale["net"], at + 3 * DAY, in_bank=False, trace_id=f"TRACE{number}")
    for bt in (sale, payout):
        item = {"payout_id": payout["payout_id"], "balance_transaction_id": bt["balance_transaction_id"]}
        world.rows["payout_items"].append(item)
    world.label("payout_not_in_bank", payout["payout_id"])


def bt_unpaid_aged(world: World, number: int) -> None:
    """Money that became available and was in no payout."""
    at = datetime(2026, 10, 5, tzinfo=UTC) + timedelta(hours=number % 48)
    bt = _transaction(world.sale(currency="usd", at=at).transaction)
    world.unpaid.add(bt["balance_transaction_id"])
    world.label("bt_unpaid_aged", bt["balance_transaction_id"])


def balance_rollforward(world: World, number: int) -> None:
    """A balance that moved without a transaction."""
    taken = datetime(2026, 9, 1, tzinfo=UTC) + timedelta(days=10 * (2 + number % 4))
    if any(at == taken for at, _, _ in world.shifts):
        return
    world.shifts.append((taken, "usd", 11 + number))
    world.label("balance_rollforward", f"usd payments {taken:%Y-%m-%dT%H:%M:%SZ}")


def late_update(world: World, number: int) -> None:
    """A movement of September that was first seen when September was closed."""
    if not world.rows["closes"]:
        world.rows["closes"].append({"period": "2026-09", "closed_at": CLOSED_AT})
    sale = world.sale(at=world.moment(9), currency=("usd", "eur")[number % 2])
    bt = _transaction(sale.transaction)
    bt["first_fetched_at"] = CLOSED_AT + DAY
    world.label("late_update", bt["balance_transaction_id"], sale.payment)


def mode_or_account_mix(world: World, number: int) -> None:
    """An object of live mode or of somebody else, in the mirror or turned away at its door."""
    if number % 3 == 2:
        row = {"object_id": world.name("ch_other"), "reason": "other_account", "detail": "acct_other"}
        world.rows["rejected"].append(row)
        world.label("mode_or_account_mix", row["object_id"])
        return
    stranger = world.intent(world.customer(), world.moment(), 1_500, "usd")
    stranger |= {"stripe_account": ACCOUNT, "livemode": True} if number % 3 else {"stripe_account": "acct_other"}
    world.label("mode_or_account_mix", stranger["payment_intent_id"])


def stale_extract(world: World, number: int) -> None:
    """An extract that was last brought forward days ago; a world has one."""
    if number == 0:
        world.mode = "api"
        world.label("stale_extract", "extract")


def unsupported_amount(world: World, number: int) -> None:
    """Amounts that their currency does not have, and a currency that nobody knows."""
    currency, amount = (("kwd", 4_501), ("isk", 1_550), ("zzz", 1_500), ("ugx", 9_000))[number % 4]
    sale = world.sale(currency=currency, amount=amount, package_id=None)
    world.label("unsupported_amount", sale.charge["charge_id"], sale.payment)


FAULTS: tuple[Callable[[World, int], None], ...] = (
    *(charge_bt_mismatch, bt_orphan_source, bt_arithmetic, fee_anomaly, fx_variance, unclassified_category),
    *(stripe_fee_unallocated, payout_total_mismatch, payout_not_itemised, payout_failed, payout_not_in_bank),
    *(bt_unpaid_aged, balance_rollforward, late_update, mode_or_account_mix, stale_extract, unsupported_amount),
)
