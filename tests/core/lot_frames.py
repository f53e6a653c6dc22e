"""Frames for settle_postings, with every column, made from entries and lots."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from billing_core.lot_types import FOREVER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from billing_core.lot_types import Entry, Lot

ENTRIES_IN = {
    "entry_id": pl.Int64,
    "account_id": pl.String,
    "seq_in_account": pl.Int64,
    "occurred_us": pl.Int64,
    "kind": pl.String,
    "tokens": pl.Int64,
    "lot_id": pl.String,
    "priority": pl.Int32,
    "effective_us": pl.Int64,
    "expires_us": pl.Int64,
    "interval_from": pl.Int64,
    "interval_to": pl.Int64,
}
LOTS_IN = {
    "lot_id": pl.String,
    "account_id": pl.String,
    "tokens": pl.Int64,
    "priority": pl.Int32,
    "effective_us": pl.Int64,
    "expires_us": pl.Int64,
    "remaining": pl.Int64,
    "expired": pl.Int64,
    "expiry_count": pl.Int64,
    "revival_count": pl.Int64,
}
DEBT_IN = {"account_id": pl.String, "debit_from": pl.Int64, "debit_to": pl.Int64}
HEADS_IN = {"account_id": pl.String, "tape_end": pl.Int64}


def entry_frame(entries: Sequence[Entry], account_id: str) -> pl.DataFrame:
    """One account's entries; what a kind does not use is null, as a caller leaves it."""
    rows = []
    for seq, entry in enumerate(entries):
        credit = (entry.priority, entry.effective_us, None if entry.expires_us == FOREVER else entry.expires_us)
        interval = (entry.interval_from, entry.interval_to)
        rows.append(
            (entry.entry_id, account_id, seq, entry.occurred_us, entry.kind, entry.tokens, entry.lot_id)
            + (credit if entry.kind == "credit" else (None, None, None))
            + (interval if entry.kind == "release" else (None, None))
        )
    return pl.DataFrame(rows, schema=ENTRIES_IN, orient="row")


def frame_of_lots(lots: Sequence[Lot], account_id: str) -> pl.DataFrame:
    """One account's lots."""
    rows = [
        (
            lot.lot_id,
            account_id,
            lot.tokens,
            lot.priority,
            lot.effective_us,
            None if lot.expires_us == FOREVER else lot.expires_us,
            lot.remaining,
            lot.expired,
            lot.expiry_count,
            lot.revival_count,
        )
        for lot in lots
    ]
    return pl.DataFrame(rows, schema=LOTS_IN, orient="row")
