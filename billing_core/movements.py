"""What a balance transaction is to the books: a movement of token money, a payout, a fee, or something unknown.

By `reporting_category`, which is what Stripe's own reports use; `type` is coarser (an `adjustment` may be a dispute).
"""

from __future__ import annotations

from enum import StrEnum


class Movement(StrEnum):
    """The kinds of movement that stage A compares with the ledger, each with one sign."""

    CHARGE = "charge"
    REFUND = "refund"
    REFUND_FAILURE = "refund_failure"
    DISPUTE = "dispute"
    DISPUTE_REVERSAL = "dispute_reversal"
    CHARGE_FAILURE = "charge_failure"


SIGNS: dict[Movement, int] = {
    Movement.CHARGE: 1,
    Movement.REFUND: -1,
    Movement.REFUND_FAILURE: 1,
    Movement.DISPUTE: -1,
    Movement.DISPUTE_REVERSAL: 1,
    Movement.CHARGE_FAILURE: -1,
}
"""The sign of a movement in presentment currency: money that the customer paid is positive."""

PARTIAL_CAPTURE = "partial_capture_reversal"
"""Gives back what was authorised but not captured: part of its charge, never a refund."""

PAYOUTS = frozenset({"payout", "payout_reversal"})
FEES = frozenset({"fee", "tax", "network_cost"})
CONNECT = frozenset({"transfer", "transfer_reversal", "platform_earning", "platform_earning_refund"})

CATEGORIES: dict[str, str] = {
    **{kind.value: "sale" for kind in Movement},
    PARTIAL_CAPTURE: "sale",
    **dict.fromkeys(PAYOUTS, "payout"),
    **dict.fromkeys(FEES, "fee"),
    **dict.fromkeys(CONNECT, "connect"),
}
"""The categories that have a place here; any other is break `unclassified_category`, never dropped."""

TYPES = frozenset(
    {
        *("adjustment", "advance", "advance_funding", "anticipation_repayment", "application_fee"),
        *("application_fee_refund", "charge", "climate_order_purchase", "climate_order_refund"),
        *("connect_collection_transfer", "contribution", "fee_credit_funding", "inbound_transfer"),
        *("inbound_transfer_reversal", "issuing_authorization_hold", "issuing_authorization_release"),
        *("issuing_dispute", "issuing_transaction", "obligation_outbound", "obligation_reversal_inbound", "payment"),
        *("payment_failure_refund", "payment_network_reserve_hold", "payment_network_reserve_release"),
        *("payment_refund", "payment_reversal", "payment_unreconciled", "payout", "payout_cancel", "payout_failure"),
        *("payout_minimum_balance_hold", "payout_minimum_balance_release", "refund", "refund_failure"),
        *("reserve_hold", "reserve_release", "reserve_transaction", "reserved_funds", "stripe_balance_payment_debit"),
        *("stripe_balance_payment_debit_reversal", "stripe_fee", "stripe_fx_fee", "tax_fee", "tax_fund", "topup"),
        *("topup_reversal", "transfer", "transfer_cancel", "transfer_failure", "transfer_refund"),
    }
)
"""Every type of Stripe's OpenAPI specification of 2026-08-26; a new one is unclassified until it is listed."""

UNSETTLED = frozenset(
    {"processing", "requires_payment_method", "requires_confirmation", "requires_action", "requires_capture"}
)
"""Statuses of a PaymentIntent that has neither succeeded nor been cancelled."""
