"""Closing a world: daily automatic payouts of what became available, the bank's statement, snapshots of the balance."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from bench.recon.world import AS_OF

if TYPE_CHECKING:
    from bench.recon.world import Row, World

_SNAPSHOTS = tuple(datetime(2026, 9, 1, tzinfo=UTC) + timedelta(days=10 * step) for step in range(7))
_LAST_PAYOUT = datetime(2026, 10, 26, tzinfo=UTC)


def close_world(world: World) -> World:
    """Pay out, fill the bank's statement and take the snapshots; to be called once, after the last event."""
    _pay_out(world)
    _fill_bank(world)
    _take_snapshots(world)
    return world


def _pay_out(world: World) -> None:
    """One payout per currency and day with something to pay; a negative day waits for a better one."""
    by_day: dict[tuple[str, datetime], list[Row]] = defaultdict(list)
    for bt in world.rows["balance_transactions"]:
        if (
            bt["reporting_category"] not in {"payout", "payout_reversal"}
            and bt["balance_transaction_id"] not in world.unpaid
        ):
            by_day[bt["currency"], bt["available_on"]].append(bt)
    waiting: dict[str, list[Row]] = defaultdict(list)
    for (currency, day), bts in sorted(by_day.items(), key=lambda item: item[0]):
        waiting[currency] += bts
        amount = sum(bt["net"] for bt in waiting[currency])
        if amount > 0 and day <= _LAST_PAYOUT:
            payout = world.payout(currency, amount, day + timedelta(hours=3))
            _itemise(world, payout, waiting.pop(currency))


def _itemise(world: World, payout: Row, bts: list[Row]) -> None:
    items = world.rows["payout_items"]
    items += [{"payout_id": payout["payout_id"], "balance_transaction_id": bt["balance_transaction_id"]} for bt in bts]
    items.append({"payout_id": payout["payout_id"], "balance_transaction_id": payout["balance_transaction_id"]})


def _fill_bank(world: World) -> None:
    """A line of the statement for each payout that arrived; only an amount that no other payout has goes by itself."""
    amounts = Counter((payout["currency"], payout["amount"]) for payout in world.rows["payouts"])
    for number, payout in enumerate(world.rows["payouts"]):
        is_alike = amounts[payout["currency"], payout["amount"]] > 1
        if payout.pop("in_bank") and payout["status"] == "paid":
            world.rows["bank"].append(
                {
                    "booked_on": payout["arrival_date"].date(),
                    "amount": payout["amount"],
                    "currency": payout["currency"],
                    "reference": f"STRIPE {payout['payout_id']}" if number % 2 or is_alike else "STRIPE PAYMENTS",
                }
            )


def _take_snapshots(world: World) -> None:
    """The balance at fixed instants: what every transaction up to then adds up to, and what a fault shifts."""
    currencies = sorted({bt["currency"] for bt in world.rows["balance_transactions"]})
    for taken_at in _SNAPSHOTS:
        for currency in currencies:
            moved = sum(
                bt["net"]
                for bt in world.rows["balance_transactions"]
                if bt["currency"] == currency and bt["created"] <= taken_at
            )
            moved += sum(amount for at, of, amount in world.shifts if of == currency and at <= taken_at)
            world.rows["balances"].append(
                {
                    "taken_at": taken_at,
                    "balance_type": "payments",
                    "currency": currency,
                    "available": moved,
                    "pending": 0,
                }
            )
    world.rows["syncs"].append({"window_end": AS_OF if world.mode == "files" else AS_OF - timedelta(days=3)})
