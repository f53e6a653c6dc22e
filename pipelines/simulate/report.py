"""The outcome of a simulation as one document: totals per price book, then every account."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from billing_core.instants import utc_text
from billing_core.money import round_half_even_ratio
from pipelines.simulate.figures import POSTED

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pipelines.simulate.outcome import Account, AccountFigures

NANO_PER_CENT = 10**7
COST_CURRENCY = "usd"
"""Provider costs are US dollars; no rate is applied, so only accounts in dollars have a margin."""


def totals(accounts: Sequence[Account], name: str, *, totals_only: bool) -> dict[str, Any]:
    """Everything of one price book, or of what was posted, over all accounts."""
    figures = [account.figures[name] for account in accounts]
    posted = [account.figures[POSTED] for account in accounts]
    changes = [one.tokens - other.tokens for one, other in zip(figures, posted, strict=True)]
    found: dict[str, Any] = {
        "billable_tokens": sum(each.tokens for each in figures),
        "change_tokens": sum(changes),
        "calls_billed_otherwise": sum(each.changed_calls for each in figures),
        "calls_held": sum(each.held_calls for each in figures),
        "revenue": _revenue(accounts, name),
        "change_revenue": _difference(_revenue(accounts, name), _revenue(accounts, POSTED)),
        "tokens_without_a_price": sum(each.tokens for each in figures if each.revenue is None),
        "margin": _margin(accounts, name),
        "accounts_billed_more": sum(change > 0 for change in changes),
        "accounts_billed_less": sum(change < 0 for change in changes),
    }
    return found if totals_only else {**found, "ran_dry": _dry(accounts, name), "recharges": _recharges(accounts, name)}


def given_away(accounts: Sequence[Account]) -> dict[str, int]:
    """Bonuses and grants at the same package prices, in minor units by currency; the same under every price book."""
    found: Counter[str] = Counter()
    for account in accounts:
        if account.price is not None:
            found[account.currency] += account.price.value_of(account.given_tokens)
    return dict(sorted(found.items()))


def account_rows(accounts: Sequence[Account], *, totals_only: bool) -> Iterator[dict[str, Any]]:
    """One row per account, with one entry per price book."""
    for account in accounts:
        yield {
            "account_id": account.account_id,
            "currency": account.currency,
            "price_basis": account.price.basis if account.price else None,
            "calls": account.calls,
            "provider_cost_nanousd": account.cost_nanousd,
            "uncosted_calls": account.uncosted_calls,
            "books": {name: _of_account(account, name, totals_only=totals_only) for name in account.figures},
        }


def newly_dry(accounts: Sequence[Account], name: str) -> list[Account]:
    """The accounts that would have run dry and did not, or earlier than they did; the first to do so ahead."""
    found = [account for account in accounts if _dry_change(account, name) in {"newly", "earlier"}]
    return sorted(found, key=lambda account: (account.figures[name].ran_dry_us or 0, account.account_id))


def largest_changes(accounts: Sequence[Account], name: str, count: int) -> list[Account]:
    """The accounts whose billed tokens change most, the largest change ahead."""
    changed = [account for account in accounts if _change(account, name)]
    return sorted(changed, key=lambda account: (-abs(_change(account, name)), account.account_id))[:count]


def _change(account: Account, name: str) -> int:
    return account.figures[name].tokens - account.figures[POSTED].tokens


def _of_account(account: Account, name: str, *, totals_only: bool) -> dict[str, Any]:
    figures, posted = account.figures[name], account.figures[POSTED]
    is_priced = figures.revenue is not None and posted.revenue is not None
    found: dict[str, Any] = {
        "billable_tokens": figures.tokens,
        "change_tokens": figures.tokens - posted.tokens,
        "calls_billed_otherwise": figures.changed_calls,
        "calls_held": figures.held_calls,
        "revenue": figures.revenue,
        "change_revenue": (figures.revenue or 0) - (posted.revenue or 0) if is_priced else None,
    }
    if totals_only:
        return found
    dry = figures.ran_dry_us
    return {
        **found,
        "balance": figures.balance,
        "ran_dry_at": None if dry is None else utc_text(dry),
        "recharges": figures.recharges,
        "recharge_skipped": account.recharge_skip,
    }


def _revenue(accounts: Sequence[Account], name: str) -> dict[str, int]:
    found: Counter[str] = Counter()
    for account in accounts:
        revenue = account.figures[name].revenue
        if revenue is not None:
            found[account.currency] += revenue
    return dict(sorted(found.items()))


def _difference(one: dict[str, int], other: dict[str, int]) -> dict[str, int]:
    return {currency: one.get(currency, 0) - other.get(currency, 0) for currency in sorted(one.keys() | other.keys())}


def _margin(accounts: Sequence[Account], name: str) -> dict[str, Any]:
    """Revenue less provider cost of the calls whose cost is known, of accounts in dollars.

    Calls of unknown cost are counted over all accounts; the cost of calls of other currencies is told apart.
    """
    mine = [account for account in accounts if account.currency == COST_CURRENCY]
    revenue = sum(account.figures[name].costed_revenue or 0 for account in mine)
    cost = sum(account.cost_nanousd for account in mine)
    left = revenue * NANO_PER_CENT - cost
    return {
        "revenue_cents": revenue,
        "provider_cost_nanousd": cost,
        "margin_nanousd": left,
        "margin_per_mille": round_half_even_ratio(left, 1000, revenue * NANO_PER_CENT) if revenue > 0 else None,
        "uncosted_calls": sum(account.uncosted_calls for account in accounts),
        "cost_of_other_currencies_nanousd": sum(account.cost_nanousd for account in accounts) - cost,
    }


def _dry(accounts: Sequence[Account], name: str) -> dict[str, int]:
    changes = Counter(_dry_change(account, name) for account in accounts)
    words = ("newly", "earlier", "later", "no_longer")
    return {
        "accounts": sum(account.figures[name].ran_dry_us is not None for account in accounts),
        **{word: changes[word] for word in words},
    }


def _dry_change(account: Account, name: str) -> str:
    was, now = account.figures[POSTED].ran_dry_us, account.figures[name].ran_dry_us
    if was == now:
        return "same"
    if was is None or now is None:
        return "newly" if was is None else "no_longer"
    return "earlier" if now < was else "later"


def _recharges(accounts: Sequence[Account], name: str) -> dict[str, Any]:
    figures: list[tuple[Account, AccountFigures]] = [(account, account.figures[name]) for account in accounts]
    money: Counter[str] = Counter()
    for account, each in figures:
        if each.recharges:
            money[account.currency] += each.recharged_money
    return {
        "fired": sum(each.recharges for _, each in figures),
        "accounts": sum(each.recharges > 0 for _, each in figures),
        "tokens": sum(each.recharged_tokens for _, each in figures),
        "money": dict(sorted(money.items())),
        "skipped_accounts": dict(sorted(Counter(a.recharge_skip for a in accounts if a.recharge_skip).items())),
    }
