"""Every kind of fault and fact that the demo plants, with the query that counts it in the published copy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipelines.demo.prices import IMAGE_COSTS, MULTIPLIER_AFTER, MULTIPLIER_BEFORE
from pipelines.demo.tally import LATE_DAYS

if TYPE_CHECKING:
    from fractions import Fraction

    from pipelines.demo.plan import Plan

_DAY_US = 86_400_000_000
_FAMILY_NAMES = {"dall_e_3": "DALL-E 3", "dall_e_2": "DALL-E 2", "google": "Google"}
_QUARANTINE_NOTES = {
    "duplicate_json_key": "one key twice in an object",
    "image_count": "an image call that delivered none",
    "invalid_integer": "text, fractions or true where tokens belong",
    "invalid_json": "cut lines, NaN, Infinity",
    "invalid_utf8": "bytes that are no text",
    "missing_account": "nobody to bill",
    "missing_id": "no id",
    "missing_time": "no time",
    "missing_usage": "a successful call without tokens",
    "negative_count": "tokens below zero",
    "not_an_object": "a list instead of an object",
    "unknown_account": "calls of customers that the app never named",
    "unknown_operation": "a word for no operation",
}
_BREAK_NOTES = {
    "amount_mismatch": "a coupon that only Stripe knows",
    "auto_recharge_failed_streak": "three declines in a row",
    "credit_without_payment": "a purchase whose PaymentIntent nobody has",
    "dispute_opened_not_held": "a dispute took the money, the tokens stayed",
    "duplicate_credit": "one payment, two purchases",
    "inquiry_open": "a bank asks",
    "payment_not_credited": "paid, and no purchase",
    "payout_failed": "the bank sent a payout back",
    "payout_not_itemised": "a payout by hand",
    "refund_not_recorded": "a refund that the ledger does not know",
    "refund_pending_stale": "pending for weeks",
    "stripe_fee_unallocated": "Stripe's monthly fee",
    "timing_cutoff": "paid in August, credited in September",
}


@dataclass(frozen=True)
class PlantedKind:
    """One kind: how many were planted, where they lie, and SQL that returns one whole number, equal to `planted`."""

    kind: str
    planted: int
    where: str
    query: str


def planted(plan: Plan) -> list[PlantedKind]:
    """Every kind of a plan. Queries hold on the books after the plan's last billing date was posted."""
    return [
        *_lines(plan),
        *_quarantined(plan),
        *_files(plan),
        *_calls(plan),
        *_reported(plan),
        *_ledger(plan),
        *_accounts(plan),
        *_breaks(plan),
    ]


def _lines(plan: Plan) -> list[PlantedKind]:
    duplicates = (
        "SELECT count(*) FROM audit.line_dispositions d JOIN books.token_usage u ON u.event_key = d.event_key "
        "JOIN audit.usage_files f ON f.file_id = d.file_id "
        "WHERE d.disposition = 'duplicate' AND f.outcome = 'taken' AND {}"
    )
    return [
        _usage_lines("lines received", plan.received, "received", "every line of the usage files that were taken"),
        _usage_lines("calls accepted", plan.accepted, "accepted", "usage lines that became a call"),
        PlantedKind(
            "repeated lines in one file",
            plan.duplicates_in_file,
            "usage/app/2026-08-07.jsonl, usage/gateway/dt=2026-09-14",
            duplicates.format("d.file_id = u.file_id"),
        ),
        PlantedKind(
            "repeated lines across files",
            plan.duplicates_across_files,
            "usage/app/2026-09-01.jsonl, usage/gateway/dt=2026-10-07",
            duplicates.format("d.file_id <> u.file_id"),
        ),
        PlantedKind(
            "lines of a file delivered twice",
            plan.resent_lines,
            "usage/app/resent/2026-08-14.jsonl",
            "SELECT CAST(coalesce(sum(duplicate), 0) AS BIGINT) FROM audit.usage_files "
            "WHERE kind = 'usage' AND outcome = 'duplicate'",
        ),
        _usage_lines("conflicting lines", plan.conflict, "conflict", "one id with two contents, on 08-14 and 10-14"),
        _usage_lines("calls before the books start", plan.ignored, "ignored", "usage/app/2026-08-01.jsonl"),
        _usage_lines("blank lines", plan.blank, "blank", "usage/app/2026-08-14 and 2026-09-14, gateway 2026-10-21"),
    ]


def _usage_lines(kind: str, count: int, column: str, where: str) -> PlantedKind:
    query = f"SELECT CAST(coalesce(sum({column}), 0) AS BIGINT) FROM audit.usage_files "  # noqa: S608
    query += "WHERE kind = 'usage' AND outcome = 'taken'"
    return PlantedKind(kind, count, where, query)


def _quarantined(plan: Plan) -> list[PlantedKind]:
    query = "SELECT count(*) FROM audit.quarantine WHERE kind = 'usage' AND reason = '{}'"
    return [
        PlantedKind(f"quarantined: {reason}", count, _QUARANTINE_NOTES[reason], query.format(reason))
        for reason, count in plan.quarantined.items()
    ]


def _files(plan: Plan) -> list[PlantedKind]:
    query = "SELECT count(DISTINCT sha256) FROM audit.usage_files WHERE kind = 'usage' AND outcome = '{}'"
    refused = query.format("refused") + " AND reason = '{}'"
    return [
        PlantedKind("file delivered twice", plan.duplicate_files, "usage/app/resent", query.format("duplicate")),
        PlantedKind("unsigned file", plan.unsigned_files, "usage/app/unsigned", refused.format("unsigned")),
        PlantedKind("forged file", plan.forged_files, "usage/app/forged", refused.format("bad_signature")),
    ]


def _calls(plan: Plan) -> list[PlantedKind]:
    usage = "SELECT count(*) FROM books.token_usage WHERE "
    multiplied = usage + "charge_type = 'multiplier' AND multiplier = {}"
    images = usage + "charge_type = 'fixed' AND billable_tokens = image_count * {}"
    late = (
        "SELECT count(*) FROM books.token_usage u JOIN audit.usage_files f ON f.file_id = u.file_id "
        "WHERE epoch_us(u.occurred_at) < epoch_us(CAST(f.file_date AS TIMESTAMP)) - {}"
    )
    before, after = _decimal(MULTIPLIER_BEFORE), _decimal(MULTIPLIER_AFTER)
    return [
        PlantedKind(
            f"calls at x {before}", plan.calls_before_change, "until 2026-09-14 23:59:59.999", multiplied.format(before)
        ),
        PlantedKind(
            f"calls at x {after}", plan.calls_after_change, "from 2026-09-15 00:00:00.000", multiplied.format(after)
        ),
        PlantedKind(
            "late calls",
            plan.late_events,
            f"over {LATE_DAYS} days older than their file",
            late.format(LATE_DAYS * _DAY_US),
        ),
        PlantedKind(
            "failed calls, not billed", plan.failed_calls, "both logs", usage + "NOT success AND billable_tokens = 0"
        ),
        PlantedKind(
            "unpriced images, held",
            plan.held_images,
            "gpt-image-1",
            usage + "success AND billable_tokens IS NULL AND model = 'gpt-image-1'",
        ),
        *(
            PlantedKind(
                f"{name} image calls", plan.image_calls[family], "both logs", images.format(IMAGE_COSTS[family])
            )
            for family, name in _FAMILY_NAMES.items()
        ),
    ]


def _reported(plan: Plan) -> list[PlantedKind]:
    drift = "SELECT CAST(coalesce(sum(calls), 0) AS BIGINT) FROM finance.billing_drift"
    return [
        PlantedKind(
            "billing drift: the multiplier of before",
            plan.stale_multiplier_calls,
            "usage/app/2026-10-07.jsonl",
            drift + " WHERE cause = 'stale_multiplier'",
        ),
        PlantedKind(
            "billing drift: for no known cause",
            plan.overcharged_calls,
            "usage/app/2026-10-07.jsonl",
            drift + " WHERE cause = 'unknown'",
        ),
        PlantedKind("billing drift in all", plan.stale_multiplier_calls + plan.overcharged_calls, "both logs", drift),
        PlantedKind(
            "costs ten times the provider's price",
            plan.cost_outliers,
            "usage/gateway/dt=2026-10-14",
            # A failed call that the log calls free is listed too, where its model is dear enough: no fault of the log.
            "SELECT count(*) FROM finance.cost_outliers WHERE finding = 'ten_times_above'",
        ),
    ]


def _ledger(plan: Plan) -> list[PlantedKind]:
    def tokens(kind: str, count: int, types: str, where: str, sign: str = "") -> PlantedKind:
        query = (
            f"SELECT CAST(coalesce(sum({sign}token_amount), 0) AS BIGINT) FROM books.token_transactions "  # noqa: S608
            f"WHERE transaction_type IN ({types})"
        )
        return PlantedKind(kind, count, where, query)

    credited = plan.credited_tokens + plan.welcome_tokens
    return [
        tokens("tokens billed", plan.billable_tokens, "'usage'", "the ledger's usage rows", "-"),
        tokens("tokens credited", credited, "'purchase', 'bonus', 'admin_grant'", "credits/*.jsonl, welcome bonuses"),
        tokens("tokens refunded", plan.refunded_tokens, "'refund'", "credits/2026-08.jsonl", "-"),
        tokens("tokens of an expired bonus", plan.expired_tokens, "'expiry'", "credits/2026-08.jsonl", "-"),
    ]


def _accounts(plan: Plan) -> list[PlantedKind]:
    # The names are the demo's own and the figures whole numbers: nothing in this text comes from a user.
    expected = ", ".join(f"('{account}', {balance})" for account, balance in plan.balances.items())
    balances = (
        f"SELECT count(*) FROM (VALUES {expected}) AS expected(account_id, balance) "  # noqa: S608
        "JOIN books.token_accounts AS a ON a.account_id = expected.account_id AND a.balance = expected.balance"
    )
    suspended = "SELECT count(*) FROM books.token_accounts WHERE status = 'suspended'"
    return [
        PlantedKind("suspended accounts", plan.suspended_accounts, "more used than ever credited", suspended),
        PlantedKind("accounts with the expected balance", plan.accounts, "every account", balances),
    ]


def _breaks(plan: Plan) -> list[PlantedKind]:
    query = "SELECT count(*) FROM recon.breaks WHERE state IN ('break', 'timing') AND code = '{}'"
    left = "SELECT count(*) FROM recon.bridge WHERE line = 'residual' AND amount <> 0"
    return [
        *(
            PlantedKind(f"break: {code}", count, _BREAK_NOTES[code], query.format(code))
            for code, count in plan.breaks.items()
        ),
        PlantedKind(
            "breaks in all",
            sum(plan.breaks.values()),
            "ledger, stripe/*.jsonl",
            "SELECT count(*) FROM recon.breaks WHERE state IN ('break', 'timing')",
        ),
        PlantedKind("bridges that leave something over", 0, "ledger to Stripe to payouts", left),
    ]


def _decimal(multiplier: Fraction) -> str:
    tenths = int(multiplier * 10)
    return f"{tenths // 10}.{tenths % 10}"
