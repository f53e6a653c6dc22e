"""Ledger rows of a posting, shard by shard of accounts: order them, settle their lots, number them.

Settling lots finds rows of its own, expiries and the corrections that revive them; they are spliced in where they
belong before the rows are numbered. The shard count leaves no trace in the result.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import narwhals as nw
import polars as pl

from billing_core.errors import IntegrityError
from billing_core.ledger import BALANCE_LIMIT, ORDER, RANK_CREDIT, RANK_EXPIRY, sequence
from billing_core.lot_postings import LotPosting, LotState, settle_postings
from pipelines.engines.frames import with_frame
from pipelines.parsed_sql import statements
from pipelines.warehouse.script import rows, run_script, scalar
from pipelines.warehouse.sql import sql_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    import duckdb

SHARD_ROWS = 1_000_000
"""Ledger rows that are held in memory at a time, about; one account is never split."""

EXTRA_ENTRY_BASE, EXTRA_ENTRIES_PER_SHARD = -1_000_000_000, 100_000_000
"""entry_id of a shard's n-th extra row is its base less n: below every entry that SQL numbered."""

_MICROSECONDS = 1_000_000
_AFTER_ALL = 2**62


def post_entries(connection: duckdb.DuckDBPyConnection, parameters: Mapping[str, object]) -> None:
    """Number every row of ``ledger_entries`` into ``sequenced`` and write what it does to token lots.

    Adds the expiries and revivals it finds to the temp table ``entries``.
    """
    run_script(connection, "posting/lots_before.sql", parameters)
    _refuse_overflow(connection)
    count = scalar(connection, "SELECT count(*) FROM ledger_entries")
    shards = max(1, -(-count // SHARD_ROWS))
    for shard in range(shards):
        _post_shard(connection, {**parameters, "shards": shards, "shard": shard})
    run_script(connection, "posting/lots_after.sql", parameters)


def _refuse_overflow(connection: duckdb.DuckDBPyConnection) -> None:
    """Prove, in 128 bits, that no running balance of this posting can leave 64."""
    over = rows(
        connection,
        "SELECT account_id FROM ledger_entries JOIN books.account_heads AS head USING (account_id)"
        " GROUP BY account_id, head.balance HAVING sum(abs(token_amount::HUGEINT)) + abs(head.balance) >= $most"
        " LIMIT 1",
        {"most": BALANCE_LIMIT},
    )
    if over:
        raise IntegrityError(
            f"account {over[0][0]}: this posting would move more than 2^62 tokens; check its usage for absurd counts"
        )


def _post_shard(connection: duckdb.DuckDBPyConnection, parameters: Mapping[str, object]) -> None:
    entries = _frame(connection, "posting/shard_entries.sql", parameters).sort(*ORDER)
    entries = entries.with_row_index("position").with_columns(pl.col("position").cast(pl.Int64))
    state = LotState(
        lots=_frame(connection, "posting/shard_lots.sql", parameters),
        debt=_frame(connection, "posting/shard_debt.sql", parameters),
        heads=_frame(connection, "posting/shard_heads.sql", parameters),
        history=_frame(connection, "posting/shard_history.sql", parameters),
    )
    settled = settle_postings(
        entries.filter(pl.col("tokens") > 0).with_columns(seq_in_account=pl.col("position")),
        state,
        _epoch_us(parameters["horizon"]),
        posted_until_us=_epoch_us(parameters["previous_horizon"]),
        cuts_us=_month_starts(entries, str(parameters["timezone"])),
    )
    extra_base = EXTRA_ENTRY_BASE - int(str(parameters["shard"])) * EXTRA_ENTRIES_PER_SHARD
    _keep(connection, settled, {**parameters, "extra_base": extra_base})
    spliced = _spliced(entries, settled, extra_base)
    openings = state.heads.select("account_id", "opening_seq", "opening_balance")
    numbered = sequence(nw.from_native(spliced.join(openings, on="account_id").lazy())).to_native().collect()
    with_frame(connection, "numbered_shard", numbered, "INSERT INTO sequenced SELECT * FROM numbered_shard")


def _frame(connection: duckdb.DuckDBPyConnection, name: str, parameters: Mapping[str, object]) -> pl.DataFrame:
    query = sql_text(name)
    wanted = {key: value for key, value in parameters.items() if f"${key}" in query}
    frame: pl.DataFrame = connection.sql(statements(query)[0], params=wanted).pl()
    return frame


def _keep(connection: duckdb.DuckDBPyConnection, settled: LotPosting, parameters: Mapping[str, object]) -> None:
    """Hand what the settlement found to SQL: allocations, debt, tape ends, and the rows it adds to the ledger."""
    frames = {
        "shard_allocations": settled.allocations,
        "shard_debt_after": settled.debt,
        "shard_heads_after": settled.heads,
        "shard_extras": _extras(settled),
    }
    for name, frame in frames.items():
        connection.register(name, frame)
    run_script(connection, "posting/shard_settled.sql", parameters)
    if frames["shard_extras"].height:
        run_script(connection, "posting/shard_extras.sql", parameters)
    for name in frames:
        connection.unregister(name)


def _extras(settled: LotPosting) -> pl.DataFrame:
    """The ledger rows that settling added, numbered from 1 in the order they were found, expiries before revivals."""
    expiries = settled.expiries.with_columns(expiry_number=pl.col("number"), is_expiry=pl.lit(value=True))
    revivals = settled.revivals.with_columns(is_expiry=pl.lit(value=False))
    both = pl.concat([expiries, revivals.select(expiries.columns)])
    return both.with_row_index("extra", offset=1).with_columns(pl.col("extra").cast(pl.Int64))


def _spliced(entries: pl.DataFrame, settled: LotPosting, extra_base: int) -> pl.DataFrame:
    """Entries and extras in ledger order: entry_id, account_id, position, token_amount."""
    base = entries.select("entry_id", "account_id", "position", "token_amount")
    extras = _extras(settled)
    if extras.is_empty():
        return base
    places = entries.select(before_entry_id="entry_id", place="position")
    placed = extras.join(places, on="before_entry_id", how="left").select(
        entry_id=extra_base - pl.col("extra"),
        account_id="account_id",
        place=pl.col("place").fill_null(_AFTER_ALL),
        part=pl.when("is_expiry").then(RANK_EXPIRY).otherwise(RANK_CREDIT),
        number="extra",
        token_amount=pl.when("is_expiry").then(-pl.col("tokens")).otherwise(pl.col("tokens")),
    )
    whole = base.select(
        "entry_id",
        "account_id",
        place="position",
        part=pl.lit(RANK_CREDIT + 1),
        number=pl.lit(0, pl.Int64),
        token_amount=pl.col("token_amount"),
    )
    merged = pl.concat([placed, whole.select(placed.columns)], how="vertical_relaxed")
    return (
        merged.sort("account_id", "place", "part", "number")
        .with_row_index("position")
        .with_columns(pl.col("position").cast(pl.Int64))
    )


def _month_starts(entries: pl.DataFrame, timezone: str) -> list[int]:
    """Starts of the months, in the books' zone, inside the time that the entries span: no allocation crosses one."""
    if entries.is_empty():
        return []
    zone = ZoneInfo(timezone) if timezone != "UTC" else UTC
    span = entries.select(first=pl.col("occurred_us").min(), last=pl.col("occurred_us").max()).row(0)
    first, last = (datetime.fromtimestamp(value // _MICROSECONDS, zone) for value in span)
    months = range(first.year * 12 + first.month, last.year * 12 + last.month)
    return [_epoch_us(datetime(month // 12, month % 12 + 1, 1, tzinfo=zone)) for month in months]


def _epoch_us(instant: object) -> int:
    assert isinstance(instant, datetime), "an instant of a posting is a datetime"
    return int(instant.timestamp()) * _MICROSECONDS
