# ruff: noqa: S608  -- names and quoted literals of a validated profile only; data stays in the relations
"""The app's accounts: every row is a version; the latest updated_at is the one in force."""

from __future__ import annotations

from typing import TYPE_CHECKING

from billing_core.vocabulary import AccountStatus, Disposition, Reason
from pipelines.intake import classify_small
from pipelines.intake.classify_small import BIGGEST, Columns
from pipelines.intake.currencies import CURRENCIES
from pipelines.intake.finalise import IGNORED, content_json
from pipelines.intake.sqltext import case_of, json_literal, literal

if TYPE_CHECKING:
    from pipelines.intake.classify_usage import Shape

COLUMNS = Columns(
    texts=("user_id", "workspace_id", "plan", "currency", "status", "stripe_customer_id", "default_payment_method_id"),
    integers={
        "auto_recharge_threshold": (0, BIGGEST),
        "auto_recharge_amount": (0, BIGGEST),
        "reported_balance": (-BIGGEST, BIGGEST),
    },
    booleans=("auto_recharge_enabled",),
    times=("updated_at",),
)
CONTENT = (
    "account_id", "user_id", "workspace_id", "plan", "currency", "status", "auto_recharge_enabled",
    "auto_recharge_threshold", "auto_recharge_amount", "stripe_customer_id", "default_payment_method_id", "created_at",
    "updated_at", "reported_balance",
)  # fmt: skip


def classified_sql(shape: Shape) -> str:
    """Rows of classified_accounts by name, without their place; event_key covers the whole content."""
    typed = classify_small.typed_sql(shape, COLUMNS, "created_at")
    defaults = f"SELECT *, coalesce(updated_at, created_at) AS own_updated FROM ({typed})"
    judged = f"SELECT *, {_reason(shape)} AS reason FROM ({defaults})"
    ignored = ", ".join(f"'{reason}'" for reason in IGNORED)
    detail = classify_small.detail_sql(
        COLUMNS,
        "created_at",
        (f"reason = '{Reason.UNKNOWN_STATUS}'", "left(status, 100)"),
        (f"reason = '{Reason.UNKNOWN_CURRENCY}'", "left(currency, 20)"),
    )
    named = (
        f"SELECT * EXCLUDE (updated_at, currency, status), own_updated AS updated_at, lower(currency) AS currency, "
        f"lower(status) AS status, {detail} AS detail, CASE WHEN is_blank THEN '{Disposition.BLANK}' "
        f"WHEN reason IN ({ignored}) "
        f"THEN '{Disposition.IGNORED}' WHEN reason IS NOT NULL THEN '{Disposition.QUARANTINED}' ELSE "
        f"'{Disposition.ACCEPTED}' END "
        f"AS disposition FROM ({judged})"
    )
    head = literal("[" + json_literal(shape.source)[1:-1].replace("''", "'") + ",")
    content = f"{content_json(CONTENT)}::VARCHAR"
    return (
        f"SELECT *, CASE WHEN account_id IS NOT NULL THEN unhex(sha256({head} || {content} || ']')) END "
        f"AS event_key FROM ({named})"
    )


def _reason(shape: Shape) -> str:
    statuses = ", ".join(f"'{status}'" for status in AccountStatus)
    currencies = ", ".join(f"'{code}'" for code in sorted(CURRENCIES))
    pairs = classify_small.first_reasons(shape, "created_at")
    pairs += classify_small.value_reasons(COLUMNS)
    pairs += [
        (f"lower(status) NOT IN ({statuses})", f"'{Reason.UNKNOWN_STATUS}'"),
        (f"lower(currency) NOT IN ({currencies})", f"'{Reason.UNKNOWN_CURRENCY}'"),
    ]
    return case_of(pairs)
