"""The break catalogue: every way in which books and payments can disagree, how grave it is, and what settles it.

A code's number and name never change: breaks are found again by them from run to run. The SQL of the reconciler is
handed this catalogue as a table, so severity and resolution stand here and nowhere else.
"""

from __future__ import annotations

import hashlib
from enum import StrEnum
from typing import NamedTuple


class Severity(StrEnum):
    """How grave a break is, from a remark to books that are wrong."""

    INFO = "info"
    LOW = "low"
    MED = "med"
    HIGH = "high"
    CRITICAL = "critical"


class State(StrEnum):
    """Where an item stands. Only `break` is an exception; `expected` waits inside its grace."""

    MATCHED = "matched"
    MATCHED_WITH_VARIANCE = "matched_with_variance"
    TIMING = "timing"
    EXPECTED = "expected"
    BREAK = "break"
    OVERRIDDEN = "overridden"


class BreakCode(NamedTuple):
    """One code. `detection` says what is seen, `resolution` what to do about it; both are shown to people."""

    number: int
    code: str
    severity: Severity
    detection: str
    resolution: str


_INFO, _LOW, _MED, _HIGH, _CRITICAL = Severity

BREAKS: tuple[BreakCode, ...] = (
    BreakCode(1, "payment_not_credited", _HIGH, "a payment succeeded and no purchase credits it", "post the purchase"),
    BreakCode(
        2, "credit_without_payment", _CRITICAL, "a purchase has no payment", "reverse it, or attach the evidence"
    ),
    BreakCode(
        3, "credit_on_unsettled", _HIGH, "a purchase was credited before its payment succeeded", "wait, or reverse it"
    ),
    BreakCode(4, "credit_on_failed_payment", _CRITICAL, "the payment behind a purchase failed", "take the tokens back"),
    BreakCode(5, "duplicate_credit", _CRITICAL, "one payment was credited more than once", "reverse the extra credit"),
    BreakCode(
        6,
        "duplicate_charge",
        _HIGH,
        "one customer was charged twice for one package in 10 minutes",
        "refund one charge",
    ),
    BreakCode(7, "amount_mismatch", _HIGH, "ledger and Stripe name different amounts", "correct the entry"),
    BreakCode(8, "currency_mismatch", _HIGH, "ledger and Stripe name different currencies", "correct the entry"),
    BreakCode(9, "tokens_mismatch", _HIGH, "the tokens are not those that the paid amount buys", "correct the tokens"),
    BreakCode(10, "account_mismatch", _CRITICAL, "another account paid than was credited", "move the credit"),
    BreakCode(
        11,
        "partial_capture_overcredit",
        _HIGH,
        "the authorised amount was credited, less was captured",
        "take the difference back",
    ),
    BreakCode(12, "refund_not_recorded", _HIGH, "Stripe refunded, the ledger did not", "post the refund"),
    BreakCode(
        13, "refund_without_stripe", _HIGH, "the ledger gave money back, Stripe did not", "issue it, or reverse the row"
    ),
    BreakCode(14, "refund_amount_mismatch", _HIGH, "a refund has two amounts", "correct the entry"),
    BreakCode(15, "over_refund", _CRITICAL, "more was refunded than was paid", "investigate"),
    BreakCode(
        16, "refund_failed_not_reversed", _HIGH, "a refund failed and the ledger still has it", "credit it again"
    ),
    BreakCode(17, "refund_pending_stale", _LOW, "a refund is pending for over 10 days", "watch it, or top up"),
    BreakCode(
        18, "dispute_opened_not_held", _HIGH, "a dispute took money and the ledger did not", "post the chargeback"
    ),
    BreakCode(
        19,
        "dispute_lost_not_debited",
        _HIGH,
        "a dispute was lost and the ledger never took the tokens",
        "post the chargeback, or write it off",
    ),
    BreakCode(
        20,
        "dispute_won_not_reinstated",
        _HIGH,
        "a dispute was won and the ledger still has the chargeback",
        "post the reversal",
    ),
    BreakCode(21, "dispute_and_refund", _CRITICAL, "a charge was refunded and disputed", "reverse one of the two"),
    BreakCode(22, "inquiry_open", _INFO, "a bank asks about a charge; no money moved", "answer it"),
    BreakCode(23, "balance_txn_missing", _MED, "a settled object has no balance transaction yet", "sync again"),
    BreakCode(
        24,
        "charge_bt_mismatch",
        _HIGH,
        "an object and its balance transactions differ in one currency",
        "sync again, or ask Stripe",
    ),
    BreakCode(25, "bt_orphan_source", _MED, "a balance transaction's source was not synced", "sync the missing object"),
    BreakCode(
        26, "bt_arithmetic", _CRITICAL, "amount, fee and net of a balance transaction do not add up", "a data fault"
    ),
    BreakCode(27, "fee_anomaly", _LOW, "a fee is outside its configured band", "review the pricing plan"),
    BreakCode(28, "fx_variance", _LOW, "a conversion differs from its own rate, or left a gain or loss", "book FX"),
    BreakCode(
        29, "unclassified_category", _MED, "a balance transaction of a kind that has no place here", "extend the map"
    ),
    BreakCode(30, "stripe_fee_unallocated", _INFO, "a fee of Stripe's own that no sale carries", "book the expense"),
    BreakCode(
        31, "payout_total_mismatch", _CRITICAL, "a payout is not the sum of its items", "sync again, or ask Stripe"
    ),
    BreakCode(
        32, "payout_not_itemised", _LOW, "Stripe gives no items for a payout", "compare at the level of the balance"
    ),
    BreakCode(33, "payout_failed", _HIGH, "a payout failed or was cancelled", "mend the bank account"),
    BreakCode(34, "payout_not_in_bank", _HIGH, "a payout has not reached the bank", "trace it"),
    BreakCode(35, "bt_unpaid_aged", _MED, "available money was in no payout for over 7 days", "look for a reserve"),
    BreakCode(
        36, "balance_rollforward", _CRITICAL, "the balance moved by other than its transactions", "stop the close"
    ),
    BreakCode(37, "timing_cutoff", _INFO, "the two sides fall into different periods", "carry it forward"),
    BreakCode(
        38, "late_update", _MED, "a movement of a closed period was seen after the close", "adjust the open period"
    ),
    BreakCode(39, "mode_or_account_mix", _CRITICAL, "an object is of another account or mode", "remove it"),
    BreakCode(40, "ambiguous_match", _MED, "more than one payment fits a purchase", "choose by hand"),
    BreakCode(41, "stale_extract", _HIGH, "the extract is older than it may be", "sync"),
    BreakCode(
        42,
        "auto_recharge_unlinked",
        _MED,
        "recharge and purchase are mixed up, or the balance was not low",
        "correct the type",
    ),
    BreakCode(43, "auto_recharge_failed_streak", _MED, "three recharges in a row were declined", "tell the customer"),
    BreakCode(
        44, "free_grant_as_purchase", _MED, "a gift names a payment, or a purchase has no price", "correct the type"
    ),
    BreakCode(
        45, "unsupported_amount", _MED, "an amount that its currency does not allow", "set the currency's exponent"
    ),
)
"""In the order of their numbers, 1 to 45."""

BY_CODE = {item.code: item for item in BREAKS}


def break_id(code: str, subject: str) -> str:
    """The id under which a break is found again in every run: of its code and of what it is about.

    `subject` is the id of the group or object. The SQL of the reconciler builds the same text.
    """
    return "brk_" + hashlib.sha256(f"{code}|{subject}".encode()).hexdigest()[:20]
