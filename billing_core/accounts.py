"""What a balance says about its account: the level shown to the user and the status that gates service."""

from __future__ import annotations

import narwhals as nw

from billing_core.vocabulary import AccountStatus, BalanceLevel


def balance_level(balance: nw.Expr, low: nw.Expr | int, critical: nw.Expr | int) -> nw.Expr:
    """The BalanceLevel of a balance in tokens: negative below 0, critical or low up to and including its threshold.

    The thresholds are those in force at the posting; critical is looked at before low.
    """
    above_critical = (
        nw.when(balance <= low).then(nw.lit(BalanceLevel.LOW.value)).otherwise(nw.lit(BalanceLevel.OK.value))
    )
    not_negative = nw.when(balance <= critical).then(nw.lit(BalanceLevel.CRITICAL.value)).otherwise(above_critical)
    return nw.when(balance < 0).then(nw.lit(BalanceLevel.NEGATIVE.value)).otherwise(not_negative)


def account_status(blocked: nw.Expr, app_suspended: nw.Expr, balance: nw.Expr) -> nw.Expr:
    """The AccountStatus: blocked by the last word of the journal or the app, else suspended in debt or by the app.

    A null flag is no word. Nothing but `blocked` itself lifts a block: no balance, however large, does.
    """
    is_suspended = app_suspended | (balance < 0)
    unblocked = (
        nw.when(is_suspended).then(nw.lit(AccountStatus.SUSPENDED.value)).otherwise(nw.lit(AccountStatus.ACTIVE.value))
    )
    return nw.when(blocked).then(nw.lit(AccountStatus.BLOCKED.value)).otherwise(unblocked)
