"""Status and level of the accounts that a posting touched, by the core's rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

import narwhals as nw

from billing_core.accounts import account_status, balance_level
from pipelines.parsed_sql import run, statements

if TYPE_CHECKING:
    import duckdb

    from billing_core.settings import Settings


_TOUCHED = "SELECT account_id, balance, blocked, app_suspended FROM next_accounts"


def grade_accounts(connection: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    """Fill the temp table ``graded`` (account_id, status, balance_level) for every row of ``next_accounts``."""
    touched = connection.sql(statements(_TOUCHED)[0]).pl()
    graded = (
        nw.from_native(touched.lazy())
        .select(
            "account_id",
            status=account_status(nw.col("blocked"), nw.col("app_suspended"), nw.col("balance")),
            balance_level=balance_level(
                nw.col("balance"),
                nw.lit(settings.low_balance_threshold, nw.Int64),
                nw.lit(settings.critical_balance_threshold, nw.Int64),
            ),
        )
        .to_native()
        .collect()
    )
    connection.register("graded_frame", graded)
    run(connection, "CREATE OR REPLACE TEMP TABLE graded AS SELECT * FROM graded_frame")
    connection.unregister("graded_frame")
