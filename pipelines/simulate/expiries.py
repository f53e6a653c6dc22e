"""What would have expired: lots settled anew for the accounts that have one with an end.

For every other account a balance is the plain sum of its rows, however its lots are spent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from billing_core.lot_postings import DEBT, HEADS, LotState, settle_postings

if TYPE_CHECKING:
    from collections.abc import Sequence

_LOT_SCHEMA = {
    "account_id": pl.String, "lot_id": pl.String, "tokens": pl.Int64, "priority": pl.Int32, "effective_us": pl.Int64,
    "expires_us": pl.Int64, "remaining": pl.Int64, "expired": pl.Int64, "expiry_count": pl.Int64,
    "revival_count": pl.Int64,
}  # fmt: skip
_TAKES_BACK = ("refund", "chargeback")
_COLUMNS = ("account", "occurred_us", "rank", "transaction_id", "kind", "tokens", "lot_id", "priority", "effective_us",
            "expires_us", "corrects_transaction_id")  # fmt: skip


def expiries(
    debits: pl.DataFrame, others: pl.DataFrame, lots: pl.DataFrame, names: Sequence[str], horizon_us: int
) -> pl.DataFrame:
    """account, occurred_us, rank 0, and per name minus the tokens that expire then, until the horizon.

    debits: account, occurred_us and per name the tokens of each call. others: every other row but what lots did by
    themselves. lots: all lots of the accounts concerned.
    """
    ending = lots["account"].unique()
    rows = _rows(others.filter(pl.col("account").is_in(ending.implode())), lots)
    calls = debits.filter(pl.col("account").is_in(ending.implode()))
    parts = [_expired(calls.select("account", "occurred_us", tokens=name), rows, horizon_us, name) for name in names]
    columns = ["account", "occurred_us", "rank", *names]
    if not parts:
        return pl.DataFrame(schema=dict.fromkeys(columns, pl.Int64))
    return pl.concat(parts, how="diagonal").with_columns(pl.col(names).fill_null(0)).select(columns)


def _rows(others: pl.DataFrame, lots: pl.DataFrame) -> pl.DataFrame:
    """The rows that are no calls, with what each does to lots."""
    opened = lots.select("transaction_id", opens="lot_id", priority="priority", effective_us="effective_us",
                         expires_us="expires_us")  # fmt: skip
    takes_back = pl.col("transaction_type").is_in(_TAKES_BACK) & pl.col("lot_id").is_not_null()
    kind = (
        pl.when(pl.col("opens").is_not_null()).then(pl.lit("credit"))
        .when((pl.col("token_amount") < 0) & takes_back).then(pl.lit("take_back"))
        .when(pl.col("token_amount") < 0).then(pl.lit("debit"))
        .when(pl.col("corrects_transaction_id").is_in(others["transaction_id"].implode())).then(pl.lit("release"))
        .otherwise(pl.lit("credit"))
    )  # fmt: skip
    own = pl.coalesce("opens", "lot_id", "transaction_id")
    return (
        others.join(opened, on="transaction_id", how="left")
        .with_columns(kind=kind, tokens=pl.col("token_amount").abs())
        .with_columns(lot_id=pl.when(pl.col("kind") == "credit").then(own).otherwise("lot_id"))
        .select(_COLUMNS)
    )


def _expired(calls: pl.DataFrame, rows: pl.DataFrame, horizon_us: int, name: str) -> pl.DataFrame:
    """Settle one set of figures as one posting of all history."""
    debits = calls.filter(pl.col("tokens") > 0).with_columns(
        rank=pl.lit(2, rows.schema["rank"]), kind=pl.lit("debit"), transaction_id=pl.lit("")
    )
    entries = (
        pl.concat([rows, debits], how="diagonal")
        .with_columns(account_id=pl.col("account").cast(pl.String))
        .sort("account_id", "occurred_us", "rank", "transaction_id")
        .with_row_index("entry_id")
        .with_columns(pl.col("entry_id").cast(pl.Int64))
    )
    numbers = entries.filter(pl.col("transaction_id") != "").select(
        named_entry_id="entry_id", corrects_transaction_id="transaction_id"
    )
    entries = entries.join(numbers, on="corrects_transaction_id", how="left", maintain_order="left").with_columns(
        pl.when(pl.col("kind") == "release").then("named_entry_id").alias("named_entry_id"),
        seq_in_account=pl.col("entry_id"),
        interval_from=pl.lit(None, pl.Int64),
        interval_to=pl.lit(None, pl.Int64),
    )
    state = LotState(pl.DataFrame(schema=_LOT_SCHEMA), pl.DataFrame(schema=DEBT), pl.DataFrame(schema=HEADS))
    settled = settle_postings(entries, state, horizon_us)
    return settled.expiries.select(
        account=pl.col("account_id").cast(calls.schema["account"]),
        occurred_us="at_us",
        rank=pl.lit(0, pl.Int32),
        amount=-pl.col("tokens"),
    ).rename({"amount": name})
