"""One pass over the calls under every price book: what each account is billed, and the debits that balances need."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import narwhals as nw
import polars as pl

from billing_core.rating import rate_books
from billing_core.tiers import price_tiers, tier_charges
from billing_core.vocabulary import ChargeType
from pipelines.simulate.history import Span, is_tiered

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from billing_core.price_book import PriceBook
    from pipelines.simulate.history import History

POSTED = "posted"
"""The name of what was billed, beside those of the price books."""
_TIER_COLUMNS = ("rate_id", "rate_version", "charge_type")


@dataclass(frozen=True)
class Figures:
    """What every account comes to, and the calls that touch a balance.

    sums: account, calls, cost_nanousd, uncosted_calls, and per name NAME tokens_NAME, costed_NAME (tokens of calls with
    a known provider cost), held_NAME (calls that no rule prices), changed_NAME (calls billed otherwise than posted).
    debits: account, occurred_us, and per name the tokens billed; empty for totals only.
    """

    sums: pl.DataFrame
    debits: pl.DataFrame


def price_calls(
    history: History, books: Mapping[str, PriceBook], span: Span, *, timezone: str, with_debits: bool
) -> Figures:
    """Price every call once under every book. Calls outside the span keep their posted figure.

    With debits all calls are read; without them only those of the span, unless a month's tiers need those before it.
    """
    names = [POSTED, *books]
    tiered = {name: book for name, book in books.items() if is_tiered(book)}
    runs = _runs(history, books, Span() if with_debits or tiered else span)
    if not with_debits and not tiered:
        return Figures(_summed([_sums(run, names) for run in runs]), _no_debits(names))
    kept = list(runs)
    priced = pl.concat(kept) if kept else None
    if priced is None:
        return Figures(_summed([]), _no_debits(names))
    for name, book in tiered.items():
        priced = _with_tiers(priced, name, book, timezone)
    inside = _inside(span)
    priced = priced.with_columns(
        pl.when(inside).then(pl.col(name)).otherwise(pl.col(POSTED)).alias(name) for name in books
    )
    debits = priced.select("account", "occurred_us", pl.col(names).fill_null(0)) if with_debits else _no_debits(names)
    return Figures(_summed([_sums(priced.filter(inside), names)]), debits)


def _runs(history: History, books: Mapping[str, PriceBook], span: Span) -> Iterator[pl.DataFrame]:
    """The calls with one column of billable tokens per name; of tiered books also what their tiers need."""
    for run in history.calls(list(books.values()), span):
        events = nw.from_native(run.lazy())
        kept = [
            name
            for name in ("account", "occurred_us", "row_id", POSTED, "provider_cost_nanousd")
            if name in run.columns
        ]
        kept += [name for name in ("order_id", "total_tokens") if any(map(is_tiered, books.values()))]
        wanted = [f"billable_tokens_{name}" for name in books]
        wanted += [f"{column}_{name}" for name, book in books.items() if is_tiered(book) for column in _TIER_COLUMNS]
        rated = rate_books(events, books, kept).select(*kept, *wanted).to_native().collect()
        yield rated.rename({f"billable_tokens_{name}": name for name in books})


def _with_tiers(priced: pl.DataFrame, name: str, book: PriceBook, timezone: str) -> pl.DataFrame:
    """Fill in what a book's tiers come to, each call at its place in its account's month and the month's total."""
    month = pl.from_epoch("occurred_us", time_unit="us").dt.replace_time_zone("UTC").dt.convert_time_zone(timezone)
    calls = priced.filter(pl.col(f"charge_type_{name}") == ChargeType.TIERED.value).select(
        "row_id",
        "occurred_us",
        "order_id",
        "total_tokens",
        account_id=pl.col("account").cast(pl.String),
        period=month.dt.strftime("%Y-%m"),
        rate_id=f"rate_id_{name}",
        rate_version=f"rate_version_{name}",
        opening=pl.lit(0, pl.Int64),
        known_position=pl.lit(None, pl.Int64),
    )
    calls = calls.with_columns(month_tokens=pl.col("total_tokens").sum().over("account_id", "rate_id", "period"))
    settled = price_tiers(nw.from_native(calls.lazy()), tier_charges(book)).to_native().collect()
    figures = settled.select("row_id", settled="billable_tokens")
    joined = priced.join(figures, on="row_id", how="left")
    return joined.with_columns(pl.coalesce(name, "settled").alias(name)).drop("settled")


def _sums(priced: pl.DataFrame, names: Sequence[str]) -> pl.DataFrame:
    """One row per account of some calls."""
    costed = pl.col("provider_cost_nanousd").is_not_null()
    figures = [
        pl.len().cast(pl.Int64).alias("calls"),
        _total("provider_cost_nanousd").alias("cost_nanousd"),
        (~costed).sum().cast(pl.Int64).alias("uncosted_calls"),
    ]
    for name in names:
        figures += [
            _total(name).alias(f"tokens_{name}"),
            _total(pl.col(name).filter(costed)).alias(f"costed_{name}"),
            pl.col(name).is_null().sum().cast(pl.Int64).alias(f"held_{name}"),
            pl.col(name).ne_missing(pl.col(POSTED)).sum().cast(pl.Int64).alias(f"changed_{name}"),
        ]
    return priced.group_by("account").agg(figures)


def _total(column: str | pl.Expr) -> pl.Expr:
    """A sum in 128 bits: a candidate may bill what no posting would."""
    return (pl.col(column) if isinstance(column, str) else column).cast(pl.Int128).sum()


def _summed(parts: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Sums of several runs as one row per account, in the order of accounts; without any run no column but account."""
    if not parts:
        return pl.DataFrame(schema={"account": pl.Int32})
    return pl.concat(parts).group_by("account").agg(pl.all().sum()).sort("account")


def _no_debits(names: Sequence[str]) -> pl.DataFrame:
    return pl.DataFrame(schema={"account": pl.Int32, "occurred_us": pl.Int64} | dict.fromkeys(names, pl.Int64))


def _inside(span: Span) -> pl.Expr:
    after = pl.lit(value=True) if span.begins is None else pl.col("occurred_us") >= span.begins
    before = pl.lit(value=True) if span.ends is None else pl.col("occurred_us") < span.ends
    return after & before
