"""The order of ledger rows and the running balance: one text of lazy expressions for every engine.

Within an account rows stand in the order of their time; at one instant an expiry comes first, then what adds tokens,
then what takes them; equal rows by transaction id. ``balance_before`` of the first row is the account's last balance.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import narwhals as nw

if TYPE_CHECKING:
    from collections.abc import Sequence

RANK_EXPIRY, RANK_CREDIT, RANK_DEBIT = 0, 1, 2

ORDER: Sequence[str] = ("account_id", "occurred_us", "rank", "transaction_id")
"""Total order of a posting's entries: by account, then as above."""

PURCHASE_WAIT_DAYS = 3
"""Billing dates that a refund or chargeback waits for the purchase it names, after the one that read it."""

BALANCE_LIMIT = 2**62
"""No running total may reach this: Polars would wrap at 2**63 without a word."""


def sequence(entries: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """Give each entry its account_seq and its balance before and after.

    entries: entry_id, account_id, position Int64 (rising in ledger order; unique within the account), token_amount
    Int64, opening_seq and opening_balance Int64 (the account's last ones; 0 for a new account).
    Returns entry_id, account_seq, balance_before, balance_after (Int64). The caller has proved that the absolute
    amounts of an account stay under BALANCE_LIMIT.
    """

    def running(column: str) -> nw.Expr:
        return nw.col(column).cum_sum().over("account_id", order_by="position")

    numbered = entries.with_columns(one=nw.lit(1, nw.Int64)).with_columns(
        balance_after=(nw.col("opening_balance") + running("token_amount")).cast(nw.Int64),
        account_seq=(nw.col("opening_seq") + running("one")).cast(nw.Int64),
    )
    return numbered.select(
        "entry_id",
        "account_seq",
        balance_before=nw.col("balance_after") - nw.col("token_amount"),
        balance_after=nw.col("balance_after"),
    )
