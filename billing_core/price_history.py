"""A new export of prices laid over the table of before, so that no export ever rewrites the past.

What the old table said of the time before it was exported stands. After that the new export holds: a price that it
dates from its date, one that it changed without a date from the day on which it was fetched.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from billing_core.provider_prices import Period, PricedModel


def merged(old: PricedModel | None, new: PricedModel | None, *, exported_us: int, fetched_us: int) -> PricedModel:
    """The price lists of one model after a refresh at `fetched_us` over a table that was exported at `exported_us`.

    Both are epoch microseconds. A model that the new export no longer lists keeps its last prices; one that the old
    table did not know has those of the new export for all time. Lists that say the same are one, under the source that
    said it first. ValueError when both are missing.
    """
    if new is None or old is None:
        known = new or old
        if known is None:
            raise ValueError("a merge needs a model")
        return known
    if _facts(old.periods) == _facts(new.periods):
        return old
    cut = _cut(old, new, exported_us, fetched_us)
    periods = [*_until(old.periods, cut), *_since(new.periods, cut)]
    return replace(old, periods=tuple(_joined(periods)))


def _facts(periods: Sequence[Period]) -> set[Period]:
    return {
        replace(period, source="", source_version="", rates=tuple(sorted(period.rates, key=str))) for period in periods
    }


def _cut(old: PricedModel, new: PricedModel, exported_us: int, fetched_us: int) -> int:
    """The instant from which the new export holds: its first change after the old one, if it dates that change."""
    dated = {period.effective_from for period in new.periods} - {period.effective_from for period in old.periods}
    later = [start for start in dated if start is not None and start > exported_us]
    return min([*later, fetched_us])


def _until(periods: Sequence[Period], cut: int) -> Iterator[Period]:
    for period in periods:
        if period.effective_from is None or period.effective_from < cut:
            ends = cut if period.effective_to is None else min(period.effective_to, cut)
            yield replace(period, effective_to=ends)


def _since(periods: Sequence[Period], cut: int) -> Iterator[Period]:
    for period in periods:
        if period.effective_to is None or period.effective_to > cut:
            starts = cut if period.effective_from is None else max(period.effective_from, cut)
            yield replace(period, effective_from=starts)


def _joined(periods: Sequence[Period]) -> list[Period]:
    """Lists that meet in time and say the same become one."""
    joined: list[Period] = []
    for period in periods:
        place = next((n for n, other in enumerate(joined) if _continues(other, period)), None)
        if place is None:
            joined.append(period)
        else:
            joined[place] = replace(joined[place], effective_to=period.effective_to)
    return joined


def _continues(one: Period, other: Period) -> bool:
    same = ("time_from", "time_to", "variant")
    return (
        one.effective_to is not None
        and one.effective_to == other.effective_from
        and all(getattr(one, name) == getattr(other, name) for name in same)
        and set(one.rates) == set(other.rates)
    )
