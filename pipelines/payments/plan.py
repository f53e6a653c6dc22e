"""What a sync asks for: windows of creation, look-backs, the change feed, and what may still change.

Movements of the balance and events never change but in one thing: a movement becomes available. They are read by a
cursor of creation that looks back ten minutes, because objects become visible some seconds after their creation, and
that ends a minute before now. Everything else changes: the change feed names what did, the last weeks are listed anew
as a safety net, and what is not final is looked at again however old it is.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

LOOK_BACK_SECONDS = 600
SETTLE_SECONDS = 60
DAY_SECONDS = 86_400
EVENT_DAYS = 30
"""Stripe keeps events that long; after a longer pause everything is listed anew."""

PATHS = {
    "payment_intent": "payment_intents",
    "charge": "charges",
    "refund": "refunds",
    "dispute": "disputes",
    "balance_transaction": "balance_transactions",
    "payout": "payouts",
    "customer": "customers",
    "checkout.session": "checkout/sessions",
}
EXPAND = {"checkout.session": "line_items"}
"""A link that is asked for in full: the prices that were bought tell the token sales from the rest."""

EVENT_TYPES: Mapping[str, tuple[str, ...]] = {
    "events of payments": (
        "payment_intent.amount_capturable_updated",
        "payment_intent.canceled",
        "payment_intent.created",
        "payment_intent.partially_funded",
        "payment_intent.payment_failed",
        "payment_intent.processing",
        "payment_intent.requires_action",
        "payment_intent.succeeded",
        "charge.captured",
        "charge.expired",
        "charge.failed",
        "charge.pending",
        "charge.refunded",
        "charge.succeeded",
        "charge.updated",
    ),
    "events of returns": (
        "charge.dispute.closed",
        "charge.dispute.created",
        "charge.dispute.funds_reinstated",
        "charge.dispute.funds_withdrawn",
        "charge.dispute.updated",
        "charge.refund.updated",
        "refund.created",
        "refund.failed",
        "refund.updated",
        "payout.canceled",
        "payout.created",
        "payout.failed",
        "payout.paid",
        "payout.reconciliation_completed",
        "payout.updated",
    ),
    "events of customers": (
        "checkout.session.async_payment_failed",
        "checkout.session.async_payment_succeeded",
        "checkout.session.completed",
        "checkout.session.expired",
        "customer.created",
        "customer.deleted",
        "customer.updated",
    ),
}
"""By the step that asks for them: Stripe takes at most twenty types at once."""


@dataclass(frozen=True, slots=True)
class Known:
    """What the tables say before a sync, by kind of object.

    `hashes`: id to raw_sha256. `open`: id to creation (Unix seconds) of what is not final. `oldest_pending`: creation
    of the oldest movement that is not available yet. `payouts`: completed automatic payouts without items.
    """

    hashes: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    open: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    oldest_pending: int | None = None
    payouts: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Windows:
    """From when on each kind is listed, in Unix seconds, both ends included."""

    since: Mapping[str, int]
    events_since: int
    end: int

    def is_listed(self, kind: str, created: int) -> bool:
        """Whether the lists of this sync show an object of that age."""
        return self.since.get(kind, 0) <= created <= self.end


def must_be_full(last_window_end: int | None, started_at: int) -> bool:
    """Whether there is no cursor, or one so old that the change feed no longer reaches back to it."""
    return last_window_end is None or last_window_end < started_at - (EVENT_DAYS - 1) * DAY_SECONDS


def windows(
    *,
    started_at: int,
    window_end: int,
    last_window_end: int | None,
    is_full: bool,
    relist_days: int,
    relist_dispute_days: int,
    oldest_pending: int | None,
) -> Windows:
    """The windows of one sync."""
    oldest_event = started_at - EVENT_DAYS * DAY_SECONDS
    if is_full or last_window_end is None:
        return Windows(dict.fromkeys(PATHS, 0), oldest_event, window_end)
    cursor = last_window_end - LOOK_BACK_SECONDS
    days = {"refund": relist_dispute_days, "dispute": relist_dispute_days}
    since = {kind: max(0, min(cursor, started_at - days.get(kind, relist_days) * DAY_SECONDS)) for kind in PATHS}
    pending = cursor if oldest_pending is None else oldest_pending
    since["balance_transaction"] = max(0, min(cursor, pending))
    return Windows(since, max(cursor, oldest_event), window_end)
