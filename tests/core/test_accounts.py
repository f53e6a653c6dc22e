"""Balance levels and account status."""

from __future__ import annotations

from itertools import product

import duckdb
import narwhals as nw
import polars as pl
import pytest

from billing_core.accounts import account_status, balance_level


def evaluated(frame: pl.DataFrame, expression: nw.Expr) -> list[str]:
    """The expression's values by row, after both engines agreed."""
    numbered = frame.with_row_index("row")
    on_polars = nw.from_native(numbered.lazy()).select("row", value=expression).collect().to_native()
    connection = duckdb.connect()
    connection.register("accounts", numbered.to_arrow())
    relation = nw.from_native(connection.table("accounts"))
    on_duckdb = relation.select("row", value=expression).collect("polars").to_native().sort("row")
    assert on_duckdb["value"].to_list() == on_polars["value"].to_list()
    values: list[str] = on_polars["value"].to_list()
    return values


@pytest.mark.parametrize(
    ("balance", "level"),
    [(-1, "negative"), (0, "critical"), (100, "critical"), (101, "low"), (1000, "low"), (1001, "ok"), (2**62, "ok")],
)
def test_a_threshold_belongs_to_the_worse_level(balance: int, level: str) -> None:
    """At the threshold the account is already low, or critical."""
    frame = pl.DataFrame({"balance": [balance]})
    assert evaluated(frame, balance_level(nw.col("balance"), 1000, 100)) == [level]


def test_thresholds_may_differ_by_row() -> None:
    """Accounts of postings under different settings stand in one frame."""
    frame = pl.DataFrame({"balance": [50, 50, 50], "low": [40, 60, 60], "critical": [10, 10, 50]})
    levels = evaluated(frame, balance_level(nw.col("balance"), nw.col("low"), nw.col("critical")))
    assert levels == ["ok", "low", "critical"]


def test_debt_suspends_and_only_an_admin_blocks_or_lifts() -> None:
    """Every combination of the two words and the sign of the balance."""
    cases = list(product([False, True, None], [False, True, None], [-1, 0, 10**9]))
    frame = pl.DataFrame(
        cases,
        schema={"blocked": pl.Boolean, "app_suspended": pl.Boolean, "balance": pl.Int64},
        orient="row",
    )
    statuses = evaluated(frame, account_status(nw.col("blocked"), nw.col("app_suspended"), nw.col("balance")))
    expected = [
        "blocked" if blocked else "suspended" if app_suspended or balance < 0 else "active"
        for blocked, app_suspended, balance in cases
    ]
    assert statuses == expected
