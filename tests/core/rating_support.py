"""Calls to rate, and a helper that rates them on two engines and insists that both say the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import duckdb
import narwhals as nw
import polars as pl

from billing_core.rating import rate

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from billing_core.settings import SettingsBook

EVENT_SCHEMA: dict[str, Any] = {
    "row_id": pl.Int64,
    "occurred_us": pl.Int64,
    "operation_type": pl.String,
    "model": pl.String,
    "total_tokens": pl.Int64,
    "image_count": pl.Int64,
    "success": pl.Boolean,
    "gateway_cache_hit": pl.Boolean,
    "cancelled": pl.Boolean,
}
PLAIN_CALL: dict[str, object] = {
    "occurred_us": 0,
    "operation_type": "chat",
    "model": "gpt-4o",
    "total_tokens": 0,
    "image_count": 0,
    "success": True,
    "gateway_cache_hit": False,
    "cancelled": False,
}
_CONNECTION = duckdb.connect()


def events_of(calls: Iterable[Mapping[str, object]]) -> pl.DataFrame:
    """The events of some calls, each a plain successful chat but for what it says; row_id counts from 1."""
    rows = [PLAIN_CALL | {"row_id": number} | dict(call) for number, call in enumerate(calls, start=1)]
    return pl.DataFrame(rows, schema=EVENT_SCHEMA)


def rated_frame(events: pl.DataFrame, book: SettingsBook) -> pl.DataFrame:
    """The rated rows by row_id, after both engines gave equal ones, names and types included."""
    on_polars = rate(nw.from_native(events.lazy()), book).collect().to_native().sort("row_id")
    _CONNECTION.register("events", events.to_arrow())
    relation = _CONNECTION.table("events")
    on_duckdb = rate(nw.from_native(relation), book).collect("polars").to_native().sort("row_id")
    assert on_duckdb.schema == on_polars.schema
    assert on_duckdb.equals(on_polars)
    rated: pl.DataFrame = on_polars
    return rated


def rated(calls: Iterable[Mapping[str, object]], book: SettingsBook) -> list[dict[str, Any]]:
    """As `rated_frame`, from calls to plain dictionaries in the same order."""
    return rated_frame(events_of(calls), book).to_dicts()


def rated_one(book: SettingsBook, **call: object) -> dict[str, Any]:
    """One call, rated."""
    (row,) = rated([call], book)
    return row
