# ruff: noqa: S608  -- names and quoted literals of a validated profile only; data stays in the relations
"""The app's own credit records: types, signs, currency, times.

An expiry row of the app is refused as an unknown type: the books expire lots themselves. A usage row is ignored: it is
the other side of a reconciliation. `currency` stays NULL where the record has none (the posting takes the account's);
`settled_by` is stripe and `effective_at` is `occurred_at` unless given.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from billing_core.vocabulary import Disposition, Reason, TransactionType
from pipelines.intake import classify_small
from pipelines.intake.classify_small import BIGGEST, Columns
from pipelines.intake.currencies import CURRENCIES
from pipelines.intake.finalise import IGNORED
from pipelines.intake.sqltext import case_of

if TYPE_CHECKING:
    from pipelines.intake.classify_usage import Shape

COLUMNS = Columns(
    texts=(
        "transaction_type", "currency", "package_id", "stripe_payment_intent_id", "stripe_charge_id",
        "stripe_refund_id", "admin_user_id", "settled_by", "source_credit_id", "description",
    ),
    integers={
        "token_amount": (-BIGGEST, BIGGEST), "amount_cents": (-BIGGEST, BIGGEST), "priority": (-(2**31), 2**31 - 1),
        "tax_cents": (-BIGGEST, BIGGEST), "discount_cents": (-BIGGEST, BIGGEST),
    },
    booleans=(),
    times=("effective_at", "expires_at"),
)  # fmt: skip
CONTENT = (
    "credit_id", "account_id", "transaction_type", "token_amount", "amount_cents", "currency", "package_id",
    "stripe_payment_intent_id", "stripe_charge_id", "stripe_refund_id", "admin_user_id", "occurred_at", "effective_at",
    "expires_at", "priority", "tax_cents", "discount_cents", "settled_by", "source_credit_id", "description",
    "is_welcome",
)  # fmt: skip
DESCRIPTION_CHARACTERS = 512
"""What is kept of a description."""
_MUST_NAME = ("refund", "correction", "chargeback_reversal")
_POSITIVE = ("purchase", "auto_recharge", "admin_grant", "bonus")


def classified_sql(shape: Shape) -> str:
    """Rows of classified_credits by name, without their place."""
    typed = classify_small.typed_sql(shape, COLUMNS, "occurred_at")
    defaults = (
        "SELECT *, lower(currency) AS own_currency, coalesce(effective_at, occurred_at) AS "
        f"own_effective, coalesce(settled_by, 'stripe') AS own_settled FROM ({typed})"
    )
    judged = f"SELECT *, {_reason(shape)} AS reason FROM ({defaults})"
    ignored = ", ".join(f"'{reason}'" for reason in IGNORED)
    detail = classify_small.detail_sql(
        COLUMNS,
        "occurred_at",
        (f"reason IN ('{Reason.UNKNOWN_TYPE}', '{Reason.WRONG_SIGN}')", "left(transaction_type, 100)"),
        (f"reason = '{Reason.UNKNOWN_CURRENCY}'", "left(currency, 20)"),
        (f"reason = '{Reason.UNKNOWN_ACCOUNT}'", "account_id"),
    )
    return (
        "SELECT * EXCLUDE (effective_at, settled_by, currency, transaction_type) REPLACE "
        f"(left(description, {DESCRIPTION_CHARACTERS}) AS description), own_effective AS effective_at, "
        f"own_settled AS settled_by, own_currency AS currency, lower(transaction_type) AS "
        f"transaction_type, own_id AS credit_id, "
        f"{detail} AS detail, CASE WHEN is_blank THEN '{Disposition.BLANK}' WHEN reason IN "
        f"({ignored}) THEN '{Disposition.IGNORED}' "
        f"WHEN reason IS NOT NULL THEN '{Disposition.QUARANTINED}' ELSE '{Disposition.ACCEPTED}' END "
        f"AS disposition FROM ({judged})"
    )


def _reason(shape: Shape) -> str:
    context = shape.context
    kind = "lower(transaction_type)"
    types = ", ".join(
        f"'{item}'" for item in TransactionType if item not in (TransactionType.USAGE, TransactionType.EXPIRY)
    )
    currencies = ", ".join(f"'{code}'" for code in sorted(CURRENCIES))
    positive = ", ".join(f"'{item}'" for item in _POSITIVE)
    named = ", ".join(f"'{item}'" for item in _MUST_NAME)
    pairs = classify_small.first_reasons(shape, "occurred_at")
    pairs.append((f"coalesce({kind} = '{TransactionType.USAGE}', false)", f"'{Reason.APP_USAGE_ROW}'"))
    pairs += classify_small.value_reasons(COLUMNS)
    pairs += [
        (f"transaction_type IS NULL OR {kind} NOT IN ({types})", f"'{Reason.UNKNOWN_TYPE}'"),
        ("token_amount IS NULL", f"'{Reason.INVALID_INTEGER}'"),
        ("tax_cents < 0 AND amount_cents >= 0 OR discount_cents < 0", f"'{Reason.WRONG_SIGN}'"),
        ("token_amount = 0 AND coalesce(amount_cents, 0) = 0", f"'{Reason.ZERO_AMOUNT}'"),
        (
            f"({kind} IN ({positive}) AND token_amount <= 0) OR ({kind} = 'admin_deduction' AND token_amount >= 0)",
            f"'{Reason.WRONG_SIGN}'",
        ),
        (
            f"({kind} = 'chargeback' AND token_amount > 0) OR ({kind} = 'chargeback_reversal' AND token_amount < 0)",
            f"'{Reason.WRONG_SIGN}'",
        ),
        (f"{kind} IN ('purchase', 'auto_recharge') AND amount_cents < 0", f"'{Reason.WRONG_SIGN}'"),
        (f"currency IS NOT NULL AND own_currency NOT IN ({currencies})", f"'{Reason.UNKNOWN_CURRENCY}'"),
        ("own_settled NOT IN ('stripe', 'bank', 'other')", f"'{Reason.INVALID_TEXT}'"),
        (f"{kind} IN ({named}) AND token_amount > 0 AND source_credit_id IS NULL", f"'{Reason.UNKNOWN_CORRECTED}'"),
        ("expires_at <= own_effective", f"'{Reason.TIME_OUT_OF_RANGE}'"),
    ]
    if context.books_welcome:
        pairs.append((f"is_welcome AND {kind} = 'bonus'", f"'{Reason.WELCOME_IN_BOOKS}'"))
    if not context.auto_create:
        pairs.append(("account_id NOT IN (SELECT account_id FROM known_accounts)", f"'{Reason.UNKNOWN_ACCOUNT}'"))
    return case_of(pairs)
