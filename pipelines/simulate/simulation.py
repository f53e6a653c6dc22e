"""A simulation from the published copy to its outcome: price, value, replay, recharge; account by account."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import polars as pl

from billing_core.packages import packages_at
from billing_core.replay import DAY_US, RechargePolicy, balances, daily, final, ran_dry, recharges
from billing_core.valuation import Purchases, price_in, unit_price
from pipelines.simulate.expiries import expiries
from pipelines.simulate.figures import POSTED, price_calls
from pipelines.simulate.history import History, count_calls
from pipelines.simulate.outcome import Account, AccountFigures

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import duckdb

    from billing_core.packages import Package
    from billing_core.price_book import PriceBook
    from billing_core.valuation import UnitPrice
    from pipelines.simulate.history import Span

SHARD_CALLS = 5_000_000
"""Calls whose debits are held in memory at a time, about; one account is never split."""


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is simulated: price books by name, over which calls, at which packages, in which zone a month begins.

    `packages` value what the price books bill, `posted_packages` what was posted. `totals_only` leaves out balances,
    who ran dry, and recharges.
    """

    books: Mapping[str, PriceBook]
    span: Span
    packages: Sequence[Package]
    posted_packages: Sequence[Package]
    timezone: str
    totals_only: bool


@dataclass(frozen=True)
class _Replayed:
    """By account and name: the last balance, the first instant below zero, recharges (days) fired."""

    last: Mapping[int, Mapping[str, int]]
    dry: Mapping[int, Mapping[str, int | None]]
    fired: Mapping[tuple[int, str], int]


def simulate(reader: duckdb.DuckDBPyConnection, question: Question) -> list[Account]:
    """Price all history under every book and replay it; nothing is written anywhere. Accounts in the order of ids."""
    shards = 1 if question.totals_only else max(1, -(-count_calls(reader) // SHARD_CALLS))
    found = [account for shard in range(shards) for account in _simulated(History(reader, shard, shards), question)]
    return sorted(found, key=lambda account: account.account_id)


def _simulated(history: History, question: Question) -> list[Account]:
    """The accounts of one shard that have calls in the span or a ledger row at all."""
    priced = price_calls(
        history, question.books, question.span, timezone=question.timezone, with_debits=not question.totals_only
    )
    owners = history.accounts(question.span)
    at_us = (question.span.ends or history.horizon_us()) - 1
    replayed = None if question.totals_only else _replayed(history, question, owners, priced.debits, at_us)
    sums = {row["account"]: row for row in priced.sums.iter_rows(named=True)}
    known = sums.keys() if replayed is None else sums.keys() | replayed.last.keys()
    return [
        _account(owner, sums.get(owner["account"]), replayed, question, at_us)
        for owner in owners.iter_rows(named=True)
        if owner["account"] in known
    ]


def _replayed(
    history: History, question: Question, owners: pl.DataFrame, debits: pl.DataFrame, at_us: int
) -> _Replayed:
    names = [POSTED, *question.books]
    others = history.others().filter(~pl.col("by_lots"))
    same = [pl.col("token_amount").alias(name) for name in names]
    rows = others.select("account", "occurred_us", "rank", "transaction_type", *same)
    calls = debits.filter(pl.any_horizontal(pl.col(names) != 0)).select(
        "account", "occurred_us", -pl.col(names), rank=pl.lit(2, pl.Int32)
    )
    lots = history.ending_lots()
    ends = expiries(debits, others, lots, names, history.horizon_us()) if lots.height else rows.head(0)
    entries = pl.concat([part.select("account", "occurred_us", "rank", *names) for part in (rows, calls, ends)])
    running = balances(entries, names)
    dry = {row.pop("account"): row for row in ran_dry(running, names).iter_rows(named=True)}
    last = {row.pop("account"): row for row in final(running, names).iter_rows(named=True)}
    made = rows.filter(pl.col("transaction_type") == "auto_recharge")
    return _Replayed(last, dry, _fired(entries, made, owners, question, at_us))


def _fired(
    entries: pl.DataFrame, made: pl.DataFrame, owners: pl.DataFrame, question: Question, at_us: int
) -> dict[tuple[int, str], int]:
    """How many recharges would have fired inside the span, by account and name; those really made are left out."""
    names = [POSTED, *question.books]
    able = {
        owner["account"]: RechargePolicy(owner["auto_recharge_threshold"], owner["auto_recharge_amount"])
        for owner in owners.iter_rows(named=True)
        if _asks(owner) and _skip(owner, question.packages, at_us) is None
    }
    if not able:
        return {}
    undone = made.select("account", "occurred_us", "rank", -pl.col(names))
    mine = pl.concat([entries, undone]).filter(pl.col("account").is_in(list(able)))
    moved = daily(mine, names).rows()
    first = (question.span.begins or 0) // DAY_US
    until = at_us // DAY_US
    fired: dict[tuple[int, str], int] = {}
    for account, group in groupby(moved, key=itemgetter(0)):
        days = list(group)
        for place, name in enumerate(names, start=2):
            found = recharges(((day[1], day[place]) for day in days), able[account])
            if count := sum(first <= recharge.day <= until for recharge in found):
                fired[account, name] = count
    return fired


def _asks(owner: Mapping[str, Any]) -> bool:
    amounts = (owner["auto_recharge_threshold"], owner["auto_recharge_amount"])
    return bool(owner["auto_recharge_enabled"]) and None not in amounts and amounts[1] > 0


def _skip(owner: Mapping[str, Any], packages: Sequence[Package], at_us: int) -> str | None:
    """Why a recharge of this account could not be made, as the recharge itself would say."""
    if _recharge_package(owner, packages, at_us) is None:
        return "no_package"
    if not owner["has_customer"]:
        return "no_customer"
    return None if owner["has_payment_method"] else "no_payment_method"


def _recharge_package(owner: Mapping[str, Any], packages: Sequence[Package], at_us: int) -> Package | None:
    found = [p for p in packages_at(packages, at_us) if p.token_amount == owner["auto_recharge_amount"]]
    return found[0] if found else None


def _account(
    owner: Mapping[str, Any],
    sums: Mapping[str, Any] | None,
    replayed: _Replayed | None,
    question: Question,
    at_us: int,
) -> Account:
    bought = Purchases(
        owner["currency"], owner["last_package_id"], owner["last_tokens"], owner["bought_money"], owner["bought_tokens"]
    )
    price = unit_price(bought, question.packages, at_us)
    prices = dict.fromkeys(question.books, price) | {POSTED: unit_price(bought, question.posted_packages, at_us)}
    return Account(
        account_id=owner["account_id"],
        currency=owner["currency"],
        price=price,
        given_tokens=owner["given_tokens"],
        calls=sums["calls"] if sums else 0,
        cost_nanousd=sums["cost_nanousd"] if sums else 0,
        uncosted_calls=sums["uncosted_calls"] if sums else 0,
        recharge_skip=_skip(owner, question.packages, at_us) if _asks(owner) else None,
        figures={
            name: _figures(owner, name, sums, prices[name], replayed, question, at_us)
            for name in (POSTED, *question.books)
        },
    )


def _figures(
    owner: Mapping[str, Any],
    name: str,
    sums: Mapping[str, Any] | None,
    price: UnitPrice | None,
    replayed: _Replayed | None,
    question: Question,
    at_us: int,
) -> AccountFigures:
    tokens, costed = (sums[f"{kind}_{name}"] if sums else 0 for kind in ("tokens", "costed"))
    figures = AccountFigures(
        tokens=tokens,
        held_calls=sums[f"held_{name}"] if sums else 0,
        changed_calls=sums[f"changed_{name}"] if sums else 0,
        revenue=price.value_of(tokens) if price else None,
        costed_revenue=price.value_of(costed) if price else None,
    )
    if replayed is None:
        return figures
    account = owner["account"]
    count = replayed.fired.get((account, name), 0)
    package = _recharge_package(owner, question.packages, at_us) if count else None
    money = 0 if package is None else (price_in(package, owner["currency"]) or 0)
    return AccountFigures(
        **{**_plain(figures), "balance": replayed.last.get(account, {}).get(name, 0)},
        ran_dry_us=replayed.dry.get(account, {}).get(name),
        recharges=count,
        recharged_tokens=count * (package.token_amount if package else 0),
        recharged_money=count * money,
    )


def _plain(figures: AccountFigures) -> dict[str, Any]:
    kept = ("tokens", "held_calls", "changed_calls", "revenue", "costed_revenue")
    return {name: getattr(figures, name) for name in kept}
