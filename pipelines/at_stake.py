"""What quarantined calls would cost at the settings of today, where enough of them could be read."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import narwhals as nw
import polars as pl

from billing_core.rating import rate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from billing_core.settings import SettingsBook

_SCHEMA: dict[str, Any] = {
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


def tokens_at_stake(parsed: Sequence[str | None], book: SettingsBook, now_us: int) -> list[int | None]:
    """Billing tokens of each quarantined call by its parsed fields (JSON text); None where they do not tell.

    `now_us` is the instant, in epoch microseconds, whose settings value them.
    """
    rows = [_row(index, text, now_us) for index, text in enumerate(parsed)]
    readable = [row for row in rows if row is not None]
    if not readable:
        return [None] * len(parsed)
    frame = pl.DataFrame(readable, schema=_SCHEMA, orient="row")
    rated = rate(nw.from_native(frame.lazy()), book).to_native().collect()
    figures = dict(rated.select("row_id", "billable_tokens").iter_rows())
    return [figures.get(index) for index in range(len(parsed))]


def _row(index: int, text: str | None, now_us: int) -> tuple[Any, ...] | None:
    """One call to rate; None when it is none, or says neither tokens nor images."""
    fields = json.loads(text) if text else None
    if not isinstance(fields, dict) or "input_tokens" not in fields:
        return None
    total = (fields.get("input_tokens") or 0) + (fields.get("output_tokens") or 0)
    images = fields.get("image_count") or 0
    if not total and not images:
        return None
    operation = fields.get("operation_type") or "chat"
    success = fields.get("success")
    return (index, now_us, operation, fields.get("model"), total, images, success is not False, False, False)
