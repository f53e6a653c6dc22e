"""Tiered calls: where each stands among the tokens of its account's month, and what it costs there.

A month is the account's and the rule's: the calls that one rule charges in one calendar month of the books' zone. A
call's position is how many tokens of that month were posted before it; a later version of a call keeps the position
of the first. Graduated tiers charge every token by the tier it falls into, and round up once per call. Volume tiers
charge all tokens of the month by the tier that its total falls into: provisionally the total so far, and after the end
of the month the total itself. A tier holds the tokens up to and including its `up_to`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import narwhals as nw
import polars as pl

from billing_core.charges import TierCharge
from billing_core.exact import NARROW_MAX, Part, count, no_count, with_sum
from billing_core.money import INT64_MAX, PPM
from billing_core.resolution import in_polars
from billing_core.vocabulary import Reason

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from billing_core.price_book import PriceBook
    from billing_core.resolution import Lift

_MONTH = ("account_id", "rate_id", "period")
_ORDER = ("occurred_us", "order_id")


class _Band(NamedTuple):
    """Columns of one tier of a call's rule: its tokens are those after `low` up to `high`."""

    low: nw.Expr
    high: nw.Expr
    whole: nw.Expr
    part: nw.Expr

    def part_of(self, tokens: nw.Expr) -> Part:
        """Tokens at the weight of this tier."""
        return Part(tokens, self.whole, self.part)


def tier_charges(book: PriceBook) -> dict[str, TierCharge]:
    """The tiers of a book by rate_version."""
    return {rule.rate_version: rule.charge for rule in book.rates if isinstance(rule.charge, TierCharge)}


def price_tiers(
    calls: nw.LazyFrame[Any], charges: Mapping[str, TierCharge], lift: Lift = in_polars
) -> nw.LazyFrame[Any]:
    """Price the calls that `rate` left to their tiers; one row out per row in, in no given order.

    In: row_id, account_id, period (the month as text), occurred_us, order_id (String: settles equal instants), rate_id,
    rate_version, total_tokens, opening (tokens of the month posted before any of these calls), known_position (of a
    call that has its place already, else null: it takes none), and month_tokens (what the month comes to, once that is
    known, else null: volume tiers are provisional then). `charges` has the tiers of every rate_version, see
    `tier_charges`.
    Out: row_id, position, billable_tokens, multiplier_ppm (of volume tiers, else null), rating_reason
    (amount_out_of_range for counts that no call can have).
    """
    table, most = _tier_table(charges)
    tokens = nw.col("total_tokens")
    fits = (tokens >= 0) & (tokens <= count(NARROW_MAX))
    calls = calls.with_columns(
        nw.when(fits).then(tokens).otherwise(count(0)).alias("_tokens"),
        nw.when(fits & nw.col("known_position").is_null()).then(tokens).otherwise(count(0)).alias("_taken"),
        nw.coalesce(fits, nw.lit(value=False)).alias("_fits"),
    )
    running = nw.col("_taken").cum_sum().over(*_MONTH, order_by=_ORDER).cast(nw.Int64)
    calls = calls.with_columns((nw.col("opening") + running - nw.col("_taken")).alias("_place"))
    calls = calls.with_columns(nw.coalesce(nw.col("known_position"), nw.col("_place")).alias("position"))
    reached = nw.coalesce(nw.col("month_tokens"), nw.col("position") + nw.col("_tokens"))
    calls = calls.join(lift(table), on="rate_version", how="left").with_columns(reached.alias("_reached"))
    bands = [_Band(*(nw.col(f"_{name}{number}") for name in _Band._fields)) for number in range(most)]
    calls = calls.with_columns(
        _volume_weight(bands, "whole").alias("_v_whole"), _volume_weight(bands, "part").alias("_v_part")
    )
    is_volume, is_sound = nw.col("_is_volume") == 1, nw.col("_fits")
    calls = with_sum(calls, [Part(nw.col("_tokens"), nw.col("_v_whole"), nw.col("_v_part"))], "_volume")
    calls = with_sum(
        _with_shares(calls, bands), [band.part_of(nw.col(f"_share{k}")) for k, band in enumerate(bands)], "_graduated"
    )
    figure = nw.when(is_volume).then(nw.col("_volume")).otherwise(nw.col("_graduated"))
    multiplier = nw.when(is_volume).then(nw.col("_v_whole") * PPM + nw.col("_v_part")).otherwise(no_count())
    out_of_range = nw.lit(Reason.AMOUNT_OUT_OF_RANGE.value)
    return calls.select(
        "row_id",
        "position",
        nw.when(is_sound).then(figure).otherwise(no_count()).alias("billable_tokens"),
        multiplier.alias("multiplier_ppm"),
        nw.when(is_sound).then(nw.lit(None, dtype=nw.String)).otherwise(out_of_range).alias("rating_reason"),
    )


def _with_shares(calls: nw.LazyFrame[Any], bands: Sequence[_Band]) -> nw.LazyFrame[Any]:
    """Add the tokens of a call that fall into each tier, as columns _share0, _share1 ..."""
    first, last = nw.col("position"), nw.col("position") + nw.col("_tokens")
    shares = []
    for number, band in enumerate(bands):
        begins = nw.when(first > band.low).then(first).otherwise(band.low)
        ends = nw.when(last < band.high).then(last).otherwise(band.high)
        shares.append(nw.when(ends > begins).then(ends - begins).otherwise(count(0)).alias(f"_share{number}"))
    return calls.with_columns(shares)


def _volume_weight(bands: Sequence[_Band], half: str) -> nw.Expr:
    """Half a weight, whole or part, of the tier that the month has reached."""
    chosen: nw.Expr = getattr(bands[0], half)
    for band in bands[1:]:
        chosen = nw.when(nw.col("_reached") > band.low).then(getattr(band, half)).otherwise(chosen)
    return chosen


def _tier_table(charges: Mapping[str, TierCharge]) -> tuple[pl.DataFrame, int]:
    """The tiers of each tiered rule version side by side, and the most that one has; absent ones are beyond reach."""
    most = max((len(charge.tiers) for charge in charges.values()), default=1)
    schema: dict[str, Any] = {"rate_version": pl.String, "_is_volume": pl.Int64}
    schema |= {f"_{name}{number}": pl.Int64 for number in range(most) for name in _Band._fields}
    rows = [(version, int(charge.is_volume), *_bands(charge, most)) for version, charge in charges.items()]
    return pl.DataFrame(rows, schema=schema, orient="row"), most


def _bands(charge: TierCharge, most: int) -> list[int]:
    numbers: list[int] = []
    low = 0
    for tier in charge.tiers:
        high = INT64_MAX if tier.up_to is None else tier.up_to
        numbers += [low, high, *divmod(tier.ppm, PPM)]
        low = high
    return numbers + [INT64_MAX, INT64_MAX, 0, 0] * (most - len(charge.tiers))
