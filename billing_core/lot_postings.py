"""Settlement of token lots for a whole posting, over Polars frames.

Consecutive debits of an account are gathered into runs as long as none of its lots starts or expires among them, so
Python sees lot events instead of debits. Rules: docs/ledger.md, "Lots".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from billing_core.errors import IntegrityError
from billing_core.lot_types import FOREVER, AccountLots, Entry, Lot, Movements
from billing_core.lots import settle
from billing_core.tape import Piece, append, cut, length

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from polars._typing import PolarsDataType

ALLOCATIONS: dict[str, PolarsDataType] = {
    "account_id": pl.String,
    "lot_id": pl.String,
    "kind": pl.String,
    "debit_from": pl.Int64,
    "debit_to": pl.Int64,
    "tokens": pl.Int64,
    "allocated_us": pl.Int64,
    "entry_id": pl.Int64,
}
EXPIRIES: dict[str, PolarsDataType] = {
    "account_id": pl.String,
    "lot_id": pl.String,
    "at_us": pl.Int64,
    "tokens": pl.Int64,
    "number": pl.Int64,
    "before_entry_id": pl.Int64,
}
REVIVALS: dict[str, PolarsDataType] = {
    "account_id": pl.String,
    "lot_id": pl.String,
    "at_us": pl.Int64,
    "tokens": pl.Int64,
    "number": pl.Int64,
    "expiry_number": pl.Int64,
    "before_entry_id": pl.Int64,
}
DEBT: dict[str, PolarsDataType] = {"account_id": pl.String, "debit_from": pl.Int64, "debit_to": pl.Int64}
HEADS: dict[str, PolarsDataType] = {"account_id": pl.String, "tape_end": pl.Int64, "uncovered": pl.Int64}
_LOT = (
    pl.col("account_id"),
    pl.col("lot_id"),
    pl.col("tokens"),
    pl.col("priority"),
    pl.col("effective_us"),
    pl.col("expires_us").fill_null(FOREVER),
    pl.col("remaining"),
    pl.col("expired"),
    pl.col("expiry_count"),
    pl.col("revival_count"),
)


@dataclass(frozen=True, slots=True)
class LotPosting:
    """What a posting does to token lots; every frame has the columns of the dictionary of its name, in ledger order.

    debt and heads cover every account of the entries, lots, debt or heads given.
    """

    allocations: pl.DataFrame
    expiries: pl.DataFrame
    revivals: pl.DataFrame
    debt: pl.DataFrame
    heads: pl.DataFrame


@dataclass(frozen=True, slots=True)
class LotState:
    """The accounts before a posting: those that it touches and those with a lot that expires in it.

    lots: lot_id, account_id, tokens, priority, effective_us, expires_us (null: never), remaining, expired,
    expiry_count, revival_count; all lots with remaining or expired tokens, and all lots of accounts with a take_back or
    release. debt: account_id, debit_from, debit_to. heads: account_id, tape_end. history: account_id, lot_id, kind,
    debit_from, debit_to; the burn, repay and release allocations on the intervals that releases name, in any order.
    """

    lots: pl.DataFrame
    debt: pl.DataFrame
    heads: pl.DataFrame
    history: pl.DataFrame | None = None


def settle_postings(
    entries: pl.DataFrame,
    state: LotState,
    horizon_us: int,
    *,
    posted_until_us: int = -FOREVER,
    cuts_us: Sequence[int] = (),
) -> LotPosting:
    """Settle one posting of many accounts.

    entries: entry_id, account_id, seq_in_account (ledger order), occurred_us (not falling in that order), kind (credit,
    debit, take_back, release), tokens (> 0), lot_id, priority, effective_us, expires_us, interval_from, interval_to,
    and optionally named_entry_id and other_intervals; see Entry. horizon_us, posted_until_us: see settle. cuts_us:
    instants that no burn may span, such as the starts of periods; allocated_us of a burn is the newest debit's of its
    run.
    Raises IntegrityError on entries out of order and where settle does.
    """
    if "named_entry_id" not in entries.columns:
        entries = entries.with_columns(named_entry_id=pl.lit(None, pl.Int64))
    if "other_intervals" not in entries.columns:
        entries = entries.with_columns(other_intervals=pl.lit(None, pl.List(pl.Int64)))
    ordered = _in_ledger_order(entries)
    runs = _Cursor(_runs(ordered, _boundaries(ordered, state.lots, cuts_us)))
    movements = Movements()
    debt: list[tuple[str, int, int]] = []
    heads: list[tuple[str, int, int]] = []

    def split(run: Entry) -> list[Entry]:
        part = ordered.slice(run.first_row, run.rows).select("entry_id", "occurred_us", "tokens")
        return [Entry(entry_id, "debit", at_us, at_us, tokens) for entry_id, at_us, tokens in part.iter_rows()]

    for account in _accounts(ordered, state):
        account_id = account.account_id
        own = [Entry._make(row[1:]) for row in runs.take(account_id)]
        settle(account, own, horizon_us, posted_until_us=posted_until_us, split=split, movements=movements)
        debt.extend((account_id, start, end) for start, end, _ in account.debt)
        heads.append((account_id, account.tape_end, length(account.debt)))
    return LotPosting(
        allocations=_frame(movements.allocations, ALLOCATIONS),
        expiries=_frame(movements.expiries, EXPIRIES),
        revivals=_frame(movements.revivals, REVIVALS),
        debt=_frame(debt, DEBT),
        heads=_frame(heads, HEADS),
    )


class _Cursor:
    """Rows whose first column is an account_id in rising order, taken account by account."""

    def __init__(self, frame: pl.DataFrame) -> None:
        self._rows = frame.rows()
        self._at = 0

    def take(self, account_id: str) -> list[tuple[Any, ...]]:
        """The account's rows; accounts must be asked for in rising order, and none with rows left out."""
        start, rows = self._at, self._rows
        while self._at < len(rows) and rows[self._at][0] == account_id:
            self._at += 1
        return rows[start : self._at]


def _in_ledger_order(entries: pl.DataFrame) -> pl.DataFrame:
    """The entries by account and seq_in_account; sorting a million of them costs more than all else, so look first."""
    account, seq, at_us = (pl.col(name) for name in ("account_id", "seq_in_account", "occurred_us"))
    behind = (account > account.shift(1)) | ((account == account.shift(1)) & (seq > seq.shift(1)))
    is_sorted = entries.select(behind.all()).item()
    ordered = entries if is_sorted else entries.sort("account_id", "seq_in_account")
    wrong = ordered.filter((account == account.shift(1)) & (at_us < at_us.shift(1)))
    if wrong.height:
        account_id, entry_id = wrong.select("account_id", "entry_id").row(0)
        raise IntegrityError(
            f"account {account_id}: entry {entry_id} occurs before the entry ahead of it; order entries by time"
        )
    return ordered


def _boundaries(ordered: pl.DataFrame, lots: pl.DataFrame, cuts_us: Sequence[int]) -> pl.DataFrame:
    """account_id, at_us, part: the instants at which an account's debits must be parted, numbered from 1."""
    debits = ordered.lazy().filter(pl.col("kind") == "debit").group_by("account_id")
    spans = debits.agg(first=pl.col("occurred_us").min(), last=pl.col("occurred_us").max()).filter(
        pl.col("first") < pl.col("last")
    )
    usable = lots.lazy().filter((pl.col("remaining") > 0) | (pl.col("expired") > 0))
    credited = ordered.lazy().filter(pl.col("kind") == "credit")
    # A release can wake a lot that was spent, so its account's spent lots count too.
    released = ordered.lazy().filter(pl.col("kind") == "release").select("account_id").unique()
    woken = lots.lazy().join(released, on="account_id", how="semi")
    instants = [
        frame.select("account_id", at_us=pl.col(name))
        for frame in (usable, credited, woken)
        for name in ("effective_us", "expires_us")
    ]
    cuts = pl.LazyFrame({"at_us": list(cuts_us)}, schema={"at_us": pl.Int64})
    return (
        pl.concat([*instants, spans.select("account_id").join(cuts, how="cross")])
        .join(spans, on="account_id")
        .filter((pl.col("first") < pl.col("at_us")) & (pl.col("at_us") <= pl.col("last")))
        .select("account_id", "at_us")
        .unique()
        .sort("account_id", "at_us")
        .with_columns(part=pl.int_range(1, pl.len() + 1).over("account_id"))
        .collect()
    )


def _runs(ordered: pl.DataFrame, boundaries: pl.DataFrame) -> pl.DataFrame:
    """account_id, then the fields of Entry: runs of debits between two boundaries, every other entry by itself."""
    parted = ordered.with_row_index("first_row")
    if boundaries.height:
        parted = parted.join_asof(
            boundaries, left_on="occurred_us", right_on="at_us", by="account_id", check_sortedness=False
        )
    else:
        parted = parted.with_columns(part=pl.lit(None, pl.Int64))
    debit = pl.col("kind") == "debit"
    starts = (
        ~debit
        | ~debit.shift(1, fill_value=False)
        | (pl.col("account_id") != pl.col("account_id").shift(1))
        | pl.col("part").ne_missing(pl.col("part").shift(1))
    )
    # A debit that a release of this posting names stands by itself: its place on the tape must be known.
    alone = pl.col("entry_id").is_in(ordered["named_entry_id"].drop_nulls().implode())
    starts = starts | alone | alone.shift(1, fill_value=False)
    firsts = parted.filter(parted.select(starts.fill_null(value=True)).to_series())
    return firsts.select(
        "account_id",
        "entry_id",
        "kind",
        "occurred_us",
        _per_run(ordered, firsts, "occurred_us").alias("last_us"),
        _run_tokens(ordered, firsts).alias("tokens"),
        "lot_id",
        pl.col("priority").fill_null(0),
        pl.col("effective_us").fill_null(pl.col("occurred_us")),
        pl.col("expires_us").fill_null(FOREVER),
        pl.col("interval_from").fill_null(0),
        pl.col("interval_to").fill_null(0),
        "first_row",
        _lengths(ordered, firsts).alias("rows"),
        "named_entry_id",
        "other_intervals",
    )


def _ends(ordered: pl.DataFrame, firsts: pl.DataFrame) -> pl.Series:
    """Row index of each run's last debit."""
    return firsts["first_row"].cast(pl.Int64).shift(-1, fill_value=ordered.height) - 1


def _lengths(ordered: pl.DataFrame, firsts: pl.DataFrame) -> pl.Series:
    return _ends(ordered, firsts) - firsts["first_row"].cast(pl.Int64) + 1


def _per_run(ordered: pl.DataFrame, firsts: pl.DataFrame, column: str) -> pl.Series:
    return ordered[column].gather(_ends(ordered, firsts))


def _run_tokens(ordered: pl.DataFrame, firsts: pl.DataFrame) -> pl.Series:
    """Sums by difference: even where the running total wraps, Int64 differences are exact."""
    running = ordered["tokens"].cum_sum().gather(_ends(ordered, firsts))
    return running - running.shift(1, fill_value=0)


def _accounts(ordered: pl.DataFrame, state: LotState) -> Iterator[AccountLots]:
    """Every account of any frame, in rising order of account_id, as it stands before the posting."""
    frames = (ordered, state.lots, state.debt, state.heads)
    names = pl.concat([frame["account_id"] for frame in frames]).unique().sort()
    tape_ends = dict(state.heads.select("account_id", "tape_end").iter_rows())
    lots = _Cursor(state.lots.sort("account_id").select(_LOT))
    debt = _Cursor(state.debt.sort("account_id", "debit_from").select("account_id", "debit_from", "debit_to"))
    released = ordered.filter(pl.col("kind") == "release")["account_id"].unique()
    coverage: dict[str, list[Piece]] = {account_id: [] for account_id in released}
    if state.history is not None:
        _cover(coverage, state.history)
    for account_id in names:
        own = [Lot(*row[1:]) for row in lots.take(account_id)]
        account = AccountLots(account_id, own, [], tape_ends.get(account_id, 0), coverage.get(account_id))
        for _, start, end in debt.take(account_id):
            append(account.debt, (start, end, None))
        yield account


def _cover(coverage: Mapping[str, list[Piece]], history: pl.DataFrame) -> None:
    """Net the allocations of accounts with a release into the pieces of their tapes that lots still cover."""
    named = history.filter(pl.col("debit_from").is_not_null()).sort("debit_from")
    for kinds, change in ((("burn", "repay"), append), (("release",), _uncover)):
        rows = named.filter(pl.col("kind").is_in(kinds)).select("account_id", "debit_from", "debit_to", "lot_id")
        for account_id, start, end, lot_id in rows.iter_rows():
            if account_id in coverage:
                change(coverage[account_id], (start, end, lot_id))


def _uncover(pieces: list[Piece], piece: Piece) -> None:
    cut(pieces, piece[0], piece[1])


def _frame(rows: Iterable[tuple[Any, ...]], schema: dict[str, PolarsDataType]) -> pl.DataFrame:
    """A frame from rows, column by column: several times faster than row by row."""
    columns = list(zip(*rows, strict=True)) or [()] * len(schema)
    return pl.DataFrame(dict(zip(schema, columns, strict=True)), schema=schema)
