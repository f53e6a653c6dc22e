"""From a call to its billable tokens: the terms in force when it happened, the rule that applies, the exact figure.

One text of narwhals lazy expressions for every engine. Integers only, and no step can leave Int64.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import narwhals as nw
import polars as pl

from billing_core.bounds import bounds_of
from billing_core.charge_terms import FREE, TOKENS, TOTAL, UNITS, term_table
from billing_core.charges import Unit
from billing_core.exact import count, no_count, with_blocks
from billing_core.pools import with_tokens_figure
from billing_core.resolution import Term, in_polars, stepped, with_products, with_terms
from billing_core.vocabulary import Reason

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from billing_core.bounds import Bounds
    from billing_core.charge_terms import TermTable
    from billing_core.price_book import PriceBook
    from billing_core.resolution import Lift
    from billing_core.rules import Product
    from billing_core.settings import Settings, SettingsBook

EVENT_COLUMNS = (
    "row_id",
    "occurred_us",
    "account_id",
    "workspace",
    "plan",
    "operation_type",
    "provider",
    "model",
    "image_size",
    "image_quality",
    "input_tokens",
    "output_tokens",
    "total_tokens",
    "cache_read_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "reasoning_tokens",
    "audio_input_tokens",
    "audio_output_tokens",
    "image_count",
    "success",
    "gateway_cache_hit",
    "cancelled",
)
"""What `rate` reads. occurred_us is epoch microseconds, counts are Int64, the last three Boolean, ids and words String.

`workspace` and `plan` are those of the account's version in force when the call happened. A null flag means a plain
success. Columns that no rule of the book looks at may be left out.
"""

RATED_COLUMNS = (
    "row_id",
    "settings_version",
    "rate_id",
    "rate_version",
    "charge_type",
    "multiplier_ppm",
    "fixed_cost",
    "billable_tokens",
    "rating_reason",
)
"""What `rate` returns, in order."""


def rate(events: nw.LazyFrame[Any], book: PriceBook, lift: Lift = in_polars) -> nw.LazyFrame[Any]:
    """Rate every event at the terms in force at its `occurred_us`; one row out per row in, in no given order.

    In: EVENT_COLUMNS. Out: RATED_COLUMNS. `lift` makes a frame of the events' engine of a small Polars one; queries
    for the distinct kinds of calls run at once, the rest when the caller asks for it.

    - A call that a policy in force calls free, be it failed, served from the gateway's cache or cancelled, is
      billable 0 under no rule. Any one policy that says free suffices.
    - Any other call costs what its rule says: see `billing_core.charges`. An image model of no family that no rule
      names is held: billable null.
    - A tiered call has billable null here: what it costs depends on the calls before it, see `billing_core.tiers`.
    - A charged quantity that is null, negative or too large for an Int64 result has billable null and the
      rating_reason 'amount_out_of_range'; subsets larger than their parent, where a rule weighs them apart, have
      'inconsistent_usage'.
    """
    rated = rate_books(events, {"": book}, ("row_id",), lift)
    return rated.select(*RATED_COLUMNS)


def rate_books(
    events: nw.LazyFrame[Any], books: Mapping[str, PriceBook], keep: Sequence[str], lift: Lift = in_polars
) -> nw.LazyFrame[Any]:
    """Rate every event under several books in one pass over the events.

    Out: the columns `keep`, then for each book those of RATED_COLUMNS but row_id, each with the book's name behind it:
    `billable_tokens_NAME`; with nothing behind it for the name "". What the caller does not select costs little.
    """
    calls, products = with_products(events, books.values(), lift)
    bounds = bounds_of(events)
    for name, book in books.items():
        calls = _with_rating(calls, products, book, f"_{name}" if name else "", bounds, lift)
    out = [f"{column}_{name}" if name else column for name in books for column in RATED_COLUMNS[1:]]
    return calls.select(*keep, *out)


def _with_rating(
    calls: nw.LazyFrame[Any], products: Sequence[Product], book: PriceBook, suffix: str, bounds: Bounds, lift: Lift
) -> nw.LazyFrame[Any]:
    """Add the columns of RATED_COLUMNS but row_id, each with the suffix."""
    key = f"_term{suffix}"
    calls, terms = with_terms(calls, book, products, key, lift, bounds.calls)
    calls, terms = _with_long_terms(calls, terms, key, lift)
    calls, terms = _with_free_terms(calls, terms, key, book.settings)
    table = term_table(terms, key, f"{key}_", bounds)
    calls = calls.join(lift(table.frame), on=key, how="left")
    calls = _with_figure(calls, table, f"{key}_figure", bounds)
    return calls.with_columns(column.alias(f"{name}{suffix}") for name, column in _rated(table).items())


def _with_long_terms(
    calls: nw.LazyFrame[Any], terms: list[Term], key: str, lift: Lift
) -> tuple[nw.LazyFrame[Any], list[Term]]:
    """Move the calls whose input is beyond what their term allows to the term of long ones, numbered after the rest."""
    longer = [(number, term, term.long) for number, term in enumerate(terms) if term.long is not None]
    if not longer:
        return calls, terms
    above, long = f"{key}_above", f"{key}_long"
    rows = [(number, term.above, len(terms) + place) for place, (number, term, _) in enumerate(longer)]
    table = pl.DataFrame(rows, schema={key: pl.Int64, above: pl.Int64, long: pl.Int64}, orient="row")
    calls = calls.join(lift(table), on=key, how="left")
    is_long = nw.col("input_tokens") > nw.col(above)
    moved = calls.with_columns(nw.when(is_long).then(nw.col(long)).otherwise(nw.col(key)).alias(key))
    return moved, [*terms, *(long_term for _, _, long_term in longer)]


def _with_free_terms(
    calls: nw.LazyFrame[Any], terms: list[Term], key: str, settings: SettingsBook
) -> tuple[nw.LazyFrame[Any], list[Term]]:
    """Move the calls that a policy in force records without billing them to a term of that, numbered after the rest."""

    def says_free(policy: Callable[[Settings], str]) -> nw.Expr:
        return stepped(settings.cuts, [policy(version) == "free" for version in settings.versions])

    # Null, as good as false, for a flag that is null.
    is_free = (
        (~nw.col("success") & says_free(lambda version: version.partial_error))
        | (nw.col("gateway_cache_hit") & says_free(lambda version: version.gateway_cache_hit))
        | (nw.col("cancelled") & says_free(lambda version: version.cancelled_stream))
    )
    free = [Term(version, None, is_free=True) for version in settings.versions]
    number = stepped(settings.cuts, range(len(terms), len(terms) + len(free)))
    moved = calls.with_columns(nw.when(is_free).then(number).otherwise(nw.col(key)).alias(key))
    return moved, [*terms, *free]


def _with_figure(calls: nw.LazyFrame[Any], table: TermTable, figure: str, bounds: Bounds) -> nw.LazyFrame[Any]:
    """Add the billable tokens of calls that are charged by tokens or by units; null where they do not fit Int64."""
    kind = nw.col(f"{table.prefix}kind")
    chosen = nw.when(kind == FREE).then(count(0)).otherwise(no_count())
    if UNITS in table.kinds:
        calls = _with_units_figure(calls, table, f"{figure}_units")
        chosen = nw.when(kind == UNITS).then(nw.col(f"{figure}_units")).otherwise(chosen)
    if TOKENS in table.kinds:
        calls = with_tokens_figure(calls, table, f"{figure}_tokens", bounds)
        chosen = nw.when(kind == TOKENS).then(nw.col(f"{figure}_tokens")).otherwise(chosen)
    return calls.with_columns(chosen.alias(figure))


def _with_units_figure(calls: nw.LazyFrame[Any], table: TermTable, figure: str) -> nw.LazyFrame[Any]:
    """Add images, calls or started blocks times their cost."""
    if table.has_small_units:
        is_per_image = nw.col(f"{table.prefix}is_per_image") == 1
        units = (
            nw.when(is_per_image).then(nw.col("image_count")).otherwise(count(1))
            if Unit.IMAGE in table.units
            else count(1)
        )
        return calls.with_columns((units * nw.col(f"{table.prefix}fixed_cost")).alias(figure))
    size, half, number = f"{table.prefix}block_tokens", f"{table.prefix}block_half", f"{figure}_number"
    units = count(1)
    if Unit.BLOCK in table.units:
        total = nw.col("total_tokens")
        calls = with_blocks(calls, nw.when(total >= 0).then(total).otherwise(count(0)), size, half, f"{figure}_blocks")
        started = nw.when(total >= 0).then(nw.col(f"{figure}_blocks")).otherwise(no_count())
        units = nw.when(~nw.col(size).is_null()).then(started).otherwise(units)
    if Unit.IMAGE in table.units:
        units = nw.when(nw.col(f"{table.prefix}is_per_image") == 1).then(nw.col("image_count")).otherwise(units)
    calls = calls.with_columns(units.alias(number))
    fits = (nw.col(number) >= 0) & (nw.col(number) <= nw.col(f"{table.prefix}units_max"))
    cost = nw.when(fits).then(nw.col(number)).otherwise(count(0)) * nw.col(f"{table.prefix}fixed_cost")
    return calls.with_columns(nw.when(fits).then(cost).otherwise(no_count()).alias(figure))


def _rated(table: TermTable) -> dict[str, nw.Expr]:
    """The columns of RATED_COLUMNS but row_id, by name."""
    prefix = table.prefix
    figure, kind = nw.col(f"{prefix}figure"), nw.col(f"{prefix}kind")
    is_due = ((kind == TOKENS) | (kind == UNITS)) & figure.is_null()
    reason = nw.when(is_due).then(nw.lit(Reason.AMOUNT_OUT_OF_RANGE.value)).otherwise(_no_text())
    if table.pools != (TOTAL,):
        is_broken = (kind == TOKENS) & nw.col(f"{prefix}is_inconsistent") & figure.is_null()
        reason = nw.when(is_broken).then(nw.lit(Reason.INCONSISTENT_USAGE.value)).otherwise(reason)
    said = ("settings_version", "rate_id", "rate_version", "charge_type", "multiplier_ppm", "fixed_cost")
    return {
        **{name: nw.col(f"{prefix}{name}") for name in said},
        "billable_tokens": figure,
        "rating_reason": reason,
    }


def _no_text() -> nw.Expr:
    return nw.lit(None, dtype=nw.String)
