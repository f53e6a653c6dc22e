"""Calls to rate, and helpers that rate them: on Polars, or on two engines that must say the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import duckdb
import narwhals as nw
import polars as pl

from billing_core.price_book import PriceBook
from billing_core.rating import EVENT_COLUMNS, rate

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from billing_core.settings import SettingsBook

_TEXT = {"account_id", "workspace", "plan", "operation_type", "provider", "model", "image_size", "image_quality"}
_FLAGS = {"success", "gateway_cache_hit", "cancelled"}
EVENT_SCHEMA: dict[str, Any] = {
    name: pl.String if name in _TEXT else pl.Boolean if name in _FLAGS else pl.Int64 for name in EVENT_COLUMNS
}
PLAIN_CALL: dict[str, object] = {
    **dict.fromkeys(name for name, kind in EVENT_SCHEMA.items() if kind == pl.Int64),
    "account_id": "ada",
    "operation_type": "chat",
    "provider": "openai",
    "model": "gpt-4o",
    "success": True,
    "gateway_cache_hit": False,
    "cancelled": False,
}
PLAIN_CALL |= {name: 0 for name, kind in EVENT_SCHEMA.items() if kind == pl.Int64 and name != "row_id"}
_CONNECTION = duckdb.connect()


def in_duckdb(frame: pl.DataFrame) -> nw.LazyFrame[Any]:
    """A small table on the connection of the events."""
    return nw.from_native(_CONNECTION.from_arrow(frame.to_arrow()))


def events_of(calls: Iterable[Mapping[str, object]]) -> pl.DataFrame:
    """The events of some calls, each a plain successful chat but for what it says; row_id counts from 1.

    A call that states no total_tokens has the sum of its input and output; one that states only a total, all as input.
    """
    rows = [PLAIN_CALL | {"row_id": number} | _counted(call) for number, call in enumerate(calls, start=1)]
    return pl.DataFrame(rows, schema=EVENT_SCHEMA)


def _counted(call: Mapping[str, object]) -> dict[str, object]:
    counts = {name: call[name] for name in ("input_tokens", "output_tokens") if name in call}
    if "total_tokens" in call:
        return {"input_tokens": call["total_tokens"], **call}
    return {**call, "total_tokens": sum(int(str(value)) for value in counts.values())}


def rated_frame(events: pl.DataFrame, book: PriceBook | SettingsBook) -> pl.DataFrame:
    """The rated rows by row_id, after both engines gave equal ones, names and types included."""
    book = book if isinstance(book, PriceBook) else PriceBook(book)
    on_polars = rate(nw.from_native(events.lazy()), book).collect().to_native().sort("row_id")
    _CONNECTION.register("events", events.to_arrow())
    relation = _CONNECTION.table("events")
    on_duckdb = rate(nw.from_native(relation), book, in_duckdb).collect("polars").to_native().sort("row_id")
    assert on_duckdb.schema == on_polars.schema
    assert on_duckdb.equals(on_polars)
    rated: pl.DataFrame = on_polars
    return rated


def rated(calls: Iterable[Mapping[str, object]], book: PriceBook | SettingsBook) -> list[dict[str, Any]]:
    """From calls to plain dictionaries in the same order, on Polars alone: an example is about the rule."""
    book = book if isinstance(book, PriceBook) else PriceBook(book)
    frame = rate(nw.from_native(events_of(calls).lazy()), book).collect().to_native()
    rows: list[dict[str, Any]] = frame.sort("row_id").to_dicts()
    return rows


def rated_one(book: PriceBook | SettingsBook, **call: object) -> dict[str, Any]:
    """One call, rated."""
    (row,) = rated([call], book)
    return row
