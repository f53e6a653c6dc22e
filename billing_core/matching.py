"""How a ledger row finds its payment: the rules in their order, and how long one side may wait for the other."""

from __future__ import annotations

from typing import NamedTuple

MINUTE_S = 60
HOUR_S = 60 * MINUTE_S
DAY_S = 24 * HOUR_S

CREDIT_GRACE_S = 15 * MINUTE_S
"""How long a payment, refund or dispute may stand without its ledger row, or a charge without its transaction."""
REFUND_PENDING_S = 10 * DAY_S
PAYOUT_ITEMS_GRACE_S = DAY_S
UNPAID_AGE_S = 7 * DAY_S
BANK_BUSINESS_DAYS = 3
DUPLICATE_CHARGE_S = 10 * MINUTE_S
WINDOW_BEFORE_S = 15 * MINUTE_S
WINDOW_AFTER_S = DAY_S
"""A ledger row without a reference may lie from 15 minutes before to 24 hours after its payment."""
DECLINES_IN_A_ROW = 3
FX_TOLERANCE_MINOR = 1


class MatchRule(NamedTuple):
    """One rule: what is compared, and how sure a match by it is."""

    number: int
    keys: str
    confidence: str


MATCH_RULES: tuple[MatchRule, ...] = (
    MatchRule(1, "payment_intent", "exact"),
    MatchRule(2, "charge", "exact"),
    MatchRule(3, "checkout_session or invoice", "exact"),
    MatchRule(4, "metadata", "derived"),
    MatchRule(5, "account, currency, amount, time", "heuristic"),
    MatchRule(6, "ambiguous", "none"),
)
"""Tried in this order; a row that names an id is never matched by looks. Rule 6 lists, it never matches."""

REFUND_RULES: tuple[MatchRule, ...] = (
    MatchRule(1, "refund", "exact"),
    MatchRule(5, "charge, amount, order", "derived"),
)
