"""What quarantined calls would cost at the settings of today, where enough of them could be read."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import narwhals as nw
import polars as pl

from billing_core.rating import EVENT_COLUMNS, rate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from billing_core.price_book import PriceBook

_WORDS = ("account_id", "operation_type", "provider", "model", "image_size", "image_quality")
_COUNTS = tuple(name for name in EVENT_COLUMNS if name.endswith("_tokens") or name == "image_count")
_FLAGS = ("success", "gateway_cache_hit", "cancelled")
_SCHEMA: dict[str, Any] = {
    name: pl.Boolean if name in _FLAGS else pl.Int64 if name in {*_COUNTS, "row_id", "occurred_us"} else pl.String
    for name in EVENT_COLUMNS
}


def tokens_at_stake(parsed: Sequence[str | None], book: PriceBook, now_us: int) -> list[int | None]:
    """Billing tokens of each quarantined call by its parsed fields (JSON text); None where they do not tell.

    `now_us` is the instant, in epoch microseconds, whose settings and rules value them; rules by workspace or plan do
    not, and a tiered rule gives no figure: what it comes to depends on the month.
    """
    rows = [_row(index, text, now_us) for index, text in enumerate(parsed)]
    readable = [row for row in rows if row is not None]
    if not readable:
        return [None] * len(parsed)
    frame = pl.DataFrame(readable, schema=_SCHEMA)
    rated = rate(nw.from_native(frame.lazy()), book).to_native().collect()
    figures = dict(rated.select("row_id", "billable_tokens").iter_rows())
    return [figures.get(index) for index in range(len(parsed))]


def _row(index: int, text: str | None, now_us: int) -> dict[str, Any] | None:
    """One call to rate; None when it is none, or says neither tokens nor images."""
    fields = json.loads(text) if text else None
    if not isinstance(fields, dict) or "input_tokens" not in fields:
        return None
    counts = {name: fields.get(name) or 0 for name in _COUNTS}
    counts["total_tokens"] = counts["input_tokens"] + counts["output_tokens"]
    if not counts["total_tokens"] and not counts["image_count"]:
        return None
    words = {name: fields.get(name) for name in _WORDS} | {"operation_type": fields.get("operation_type") or "chat"}
    flags = {"success": fields.get("success") is not False, "gateway_cache_hit": False, "cancelled": False}
    return {"row_id": index, "occurred_us": now_us, "workspace": None, "plan": None, **words, **counts, **flags}
