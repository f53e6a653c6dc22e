"""How many posted calls a change of prices would have billed otherwise: what a restatement would have to touch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipelines.simulate.figures import price_calls
from pipelines.simulate.history import History, Span

if TYPE_CHECKING:
    import duckdb

    from billing_core.price_book import PriceBook

_NAME = "changed"


@dataclass(frozen=True)
class Affected:
    """Posted calls since an instant, and how many of them the new prices would bill otherwise, by how many tokens."""

    calls: int
    billed_otherwise: int
    change_tokens: int


def affected_calls(reader: duckdb.DuckDBPyConnection, prices: PriceBook, begins_us: int, timezone: str) -> Affected:
    """Price every posted call since an instant under other prices; nothing is written. `timezone` is that of tiers."""
    span = Span(begins_us)
    sums = price_calls(History(reader), {_NAME: prices}, span, timezone=timezone, with_debits=False).sums
    if sums.is_empty():
        return Affected(0, 0, 0)
    whole = sums.select("calls", f"changed_{_NAME}", f"tokens_{_NAME}", "tokens_posted").sum().row(0)
    return Affected(int(whole[0]), int(whole[1]), int(whole[2] - whole[3]))
