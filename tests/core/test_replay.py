"""Replaying tokens in time: balances, who runs dry and when, recharges; equal to a plain loop over the rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_core.errors import ConfigurationError
from billing_core.replay import DAY_US, Recharge, RechargePolicy, balances, daily, final, ran_dry, recharges

if TYPE_CHECKING:
    from collections.abc import Sequence

NAMES = ("a", "b")
_SCHEMA = {"account": pl.Int32, "occurred_us": pl.Int64, "rank": pl.Int32, "a": pl.Int64, "b": pl.Int64}


def _frame(rows: Sequence[tuple[int, ...]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=_SCHEMA, orient="row")


def _rows(frame: pl.DataFrame) -> dict[int, Any]:
    return {row[0]: row[1:] for row in frame.iter_rows()}


def test_credits_come_before_debits_at_one_instant() -> None:
    """A call at the very instant of a purchase does not run the account dry; an expiry comes before both."""
    running = balances(_frame([(1, 5, 2, -10, -11), (1, 5, 1, 10, 10)]), NAMES)
    assert running.rows() == [(1, 5, 10, 10), (1, 5, 0, -1)]
    assert _rows(ran_dry(running, NAMES)) == {1: (None, 5)}


def test_zero_is_not_dry() -> None:
    """An account that spends its last token has not run dry, and is not listed."""
    running = balances(_frame([(1, 1, 1, 5, 5), (1, 2, 2, -5, -5)]), NAMES)
    assert ran_dry(running, NAMES).is_empty()


def test_absurd_sums_are_refused() -> None:
    """What would wrap in 64 bits is an error, never a balance."""
    rows = [(1, number, 2, -(2**61), 0) for number in range(3)]
    with pytest.raises(ConfigurationError, match="a: an account would move more than 2\\^62"):
        balances(_frame(rows), NAMES)


_ROW = st.tuples(st.integers(0, 3), st.integers(0, 6), st.sampled_from([0, 1, 2]), st.integers(0, 9), st.integers(0, 9))


@given(st.lists(_ROW, max_size=30))
def test_replay_equals_a_plain_loop(rows: list[tuple[int, ...]]) -> None:
    """Last balances and first instants below zero are those of a loop over the sorted rows."""
    signed = [(account, at, rank, *(x if rank == 1 else -x for x in tokens)) for account, at, rank, *tokens in rows]
    last: dict[int, list[int]] = {}
    dry: dict[int, list[int | None]] = {}
    # Rows of one instant and rank stand in no order; all of them move the balance the same way.
    for account, at, _rank, *amounts in sorted(signed, key=lambda row: row[:3]):
        for place, amount in enumerate(amounts):
            last.setdefault(account, [0, 0])[place] += amount
            if last[account][place] < 0 and dry.setdefault(account, [None, None])[place] is None:
                dry[account][place] = at
    running = balances(_frame(signed), NAMES)
    assert _rows(final(running, NAMES)) == {account: tuple(found) for account, found in last.items()}
    assert _rows(ran_dry(running, NAMES)) == {account: tuple(found) for account, found in dry.items() if any(
        at is not None for at in found)}  # fmt: skip


def test_days_are_utc_days() -> None:
    """The last microsecond of a day belongs to it."""
    days = daily(_frame([(1, DAY_US - 1, 1, 3, 0), (1, DAY_US, 2, -1, 0), (1, DAY_US + 5, 2, -1, -4)]), NAMES)
    assert days.rows() == [(1, 0, 3, 0), (1, 1, -2, -4)]


def test_recharge_fires_below_the_threshold_once_a_day() -> None:
    """At the threshold nothing fires; below it one recharge; its tokens count from the next day on."""
    policy = RechargePolicy(threshold=100, tokens=50)
    assert recharges([(1, 100)], policy) == []
    assert recharges([(1, 99)], policy) == [Recharge(1, 50)]
    assert recharges([(1, 99), (2, -49), (3, -1)], policy) == [Recharge(1, 50), Recharge(3, 50)]
    assert recharges([(1, -1_000), (9, 0)], policy) == [Recharge(1, 50), Recharge(9, 50)]
