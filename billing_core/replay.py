"""Replaying an account's tokens in time under several sets of figures at once: who runs dry, who is recharged.

Rows stand in the order of the ledger: by instant; at one instant expiries, then what adds tokens, then what takes them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import polars as pl

from billing_core.errors import ConfigurationError
from billing_core.ledger import BALANCE_LIMIT

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

DAY_US = 86_400_000_000


class Recharge(NamedTuple):
    """A recharge that would have fired: at the end of which UTC day (days since 1970), for how many tokens."""

    day: int
    tokens: int


@dataclass(frozen=True)
class RechargePolicy:
    """When an account is recharged: its balance after a day's posting is below `threshold`; then by `tokens`."""

    threshold: int
    tokens: int


def balances(entries: pl.DataFrame, columns: Sequence[str]) -> pl.DataFrame:
    """The running balance of every account under each column of amounts.

    entries: account (any integer), occurred_us, rank (0 expiry, 1 credit, 2 debit) and an Int64 column of token amounts
    per name in `columns`. Returns account, occurred_us and, under the same names, the balance after each row, in
    ledger order. Raises ConfigurationError, with the name, where the absolute amounts of an account reach 2^62.
    """
    largest = entries.group_by("account").agg(pl.col(columns).cast(pl.Int128).abs().sum()).select(pl.col(columns).max())
    for name, value in zip(columns, largest.row(0), strict=True):
        if value is not None and value >= BALANCE_LIMIT:
            raise ConfigurationError(f"{name}: an account would move more than 2^62 tokens; check its multipliers")
    ordered = entries.sort("account", "occurred_us", "rank")
    return ordered.select("account", "occurred_us", pl.col(columns).cum_sum().over("account"))


def ran_dry(running: pl.DataFrame, columns: Sequence[str]) -> pl.DataFrame:
    """account, and per column the first instant after which its balance was below zero; null where it never was."""
    dry = [pl.col("occurred_us").filter(pl.col(column) < 0).first().alias(column) for column in columns]
    below = pl.any_horizontal(pl.col(column) < 0 for column in columns)
    return running.filter(below).group_by("account", maintain_order=True).agg(dry)


def final(running: pl.DataFrame, columns: Sequence[str]) -> pl.DataFrame:
    """account, and per column the balance after its last row."""
    return running.group_by("account", maintain_order=True).agg(pl.col(columns).last())


def daily(entries: pl.DataFrame, columns: Sequence[str]) -> pl.DataFrame:
    """account, day (since 1970, UTC), and per column the tokens that the day adds or takes; by account and day."""
    day = (pl.col("occurred_us") // DAY_US).cast(pl.Int64).alias("day")
    return entries.group_by("account", day).agg(pl.col(columns).sum()).sort("account", "day")


def recharges(days: Iterable[tuple[int, int]], policy: RechargePolicy) -> list[Recharge]:
    """The recharges of one account: after each day that moved its balance, at most one, as a posting would try it.

    days: (day, tokens moved) in order, without any recharge that was really made. A recharge adds its tokens before
    the next day. An account below its threshold after a quiet day has been tried already and is not tried again.
    """
    balance, fired = 0, []
    for day, moved in days:
        balance += moved
        if balance < policy.threshold:
            fired.append(Recharge(day, policy.tokens))
            balance += policy.tokens
    return fired
