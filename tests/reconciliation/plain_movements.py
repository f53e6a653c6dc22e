"""What a plain model takes as Stripe's side: the objects of the books' own account, and what they moved, one by one."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.recon.world import ACCOUNT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from bench.recon.world import Row, World
    from pipelines.warehouse.reconcile import Terms


@dataclass(frozen=True)
class Movement:
    """What Stripe moved once: a signed amount in minor units of the currency that the customer saw."""

    movement_id: str
    kind: str
    payment: str | None
    charge_id: str | None
    amount: int
    currency: str
    moved_at: datetime
    accounts: frozenset[str] = frozenset()
    """Whose the payment may be, by its metadata or its customer."""


@dataclass(frozen=True)
class Mirror:
    """The objects of Stripe that belong to the books' own account and mode."""

    charges: list[Row]
    intents: list[Row]
    refunds: list[Row]
    disputes: list[Row]
    transactions: list[Row]
    sessions: list[Row]
    as_of: datetime
    owners: dict[str, str]
    """The app's account of each customer."""

    def payment(self, item: Row) -> str | None:
        """The payment of a charge, refund or dispute: the PaymentIntent, else that of its charge, else the charge."""
        if item["payment_intent_id"]:
            return str(item["payment_intent_id"])
        named = [charge for charge in self.charges if charge["charge_id"] == item["charge_id"]]
        name: str | None = named[0]["payment_intent_id"] if named else None
        return name or item["charge_id"]

    def seen(self, items: list[Row]) -> list[Row]:
        """Those that were there at the as-of instant."""
        return [item for item in items if item["created"] <= self.as_of]


def mirror_of(world: World, terms: Terms) -> Mirror:
    """The account and mode of the terms, else those of most balance transactions."""
    home = (terms.account, terms.livemode)
    if terms.account is None:
        counted = Counter(_place(bt) for bt in world.rows["balance_transactions"])
        home = min(counted, key=lambda place: (-counted[place], place))
    own = {name: [item for item in rows if _place(item) == home] for name, rows in world.rows.items()}
    return Mirror(
        charges=own["charges"],
        intents=own["payment_intents"],
        refunds=own.get("refunds", []),
        disputes=own.get("disputes", []),
        transactions=own["balance_transactions"],
        sessions=own.get("checkout_sessions", []),
        as_of=terms.as_of,
        owners={row["stripe_customer_id"]: row["account_id"] for row in world.rows["accounts"]},
    )


def _place(item: Row) -> tuple[str, bool]:
    return item.get("stripe_account") or ACCOUNT, bool(item.get("livemode"))


def movements(mirror: Mirror) -> Iterator[Movement]:
    """Captures, refunds, failed refunds, disputes, their reversals and failed debits, dated by balance transactions."""
    yield from _captured(mirror)
    yield from _uncharged(mirror)
    yield from _returned(mirror, mirror.refunds, "refund_id", ("refund", "refund_failure"))
    yield from _returned(mirror, mirror.disputes, "dispute_id", ("dispute", "dispute_reversal"))


def _captured(mirror: Mirror) -> Iterator[Movement]:
    """What was captured, of which nothing is left after a failure; at the time of capture where nothing settled yet.

    A payment that failed after its money came in came in whole.
    """
    for charge in mirror.charges:
        came = charge["amount" if charge["failure_balance_transaction_id"] else "amount_captured"]
        accounts = _accounts(charge, mirror)
        moved = [
            (bt["balance_transaction_id"], kind, amount, bt["created"])
            for kind, amount in (("charge", came), ("charge_failure", -charge["amount"]))
            for bt in _settlements(mirror, charge["charge_id"], kind)
        ]
        if not moved and charge["status"] == "succeeded" and charge["captured"]:
            moved = [(f"none:{charge['charge_id']}", "charge", came, charge["created"])]
        for name, kind, amount, at in moved:
            of = (mirror.payment(charge), charge["charge_id"])
            yield Movement(name, kind, *of, amount, charge["currency"], at, accounts)


def _uncharged(mirror: Mirror) -> Iterator[Movement]:
    """A payment that succeeded and whose charge was not synced yet."""
    charged = {
        charge["payment_intent_id"]
        for charge in mirror.charges
        if charge["status"] != "failed" or charge["balance_transaction_id"]
    }
    for intent in mirror.intents:
        name, received = intent["payment_intent_id"], intent["amount_received"]
        if intent["status"] == "succeeded" and received > 0 and name not in charged:
            of = (name, intent["latest_charge_id"])
            at, accounts = intent["created"], _accounts(intent, mirror)
            yield Movement(f"none:{name}", "charge", *of, received, intent["currency"], at, accounts)


def _returned(mirror: Mirror, items: list[Row], id_column: str, kinds: tuple[str, str]) -> Iterator[Movement]:
    """What left for a refund or a dispute, and what of it came back; whatever its status says today."""
    for item in items:
        for kind, sign in zip(kinds, (-1, 1), strict=True):
            for bt in _settlements(mirror, item[id_column], kind):
                of = (mirror.payment(item), item["charge_id"])
                amount = sign * item["amount"]
                yield Movement(bt["balance_transaction_id"], kind, *of, amount, item["currency"], bt["created"])


def _settlements(mirror: Mirror, source: str, category: str) -> list[Row]:
    return [bt for bt in mirror.transactions if bt["source_id"] == source and bt["reporting_category"] == category]


def _accounts(item: Row, mirror: Mirror) -> frozenset[str]:
    tags = json.loads(item["metadata"])
    stated = tags.get("account_id") or tags.get("user_id")
    return frozenset(filter(None, (stated, mirror.owners.get(item["customer_id"]))))
