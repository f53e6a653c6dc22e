"""What a simulation found, as plain values: per price book and per account."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from billing_core.valuation import UnitPrice

SKIPS = ("no_package", "no_customer", "no_payment_method")
"""Why a recharge could not have been made: no package of that many tokens on sale, no Stripe customer, no card."""


@dataclass(frozen=True)
class AccountFigures:
    """One account under one price book.

    `revenue` and `costed_revenue` are minor units of the account's currency, None where no package has a price in it;
    the latter is that of calls with a known provider cost. Instants are epoch microseconds.
    """

    tokens: int
    held_calls: int
    changed_calls: int
    revenue: int | None
    costed_revenue: int | None
    balance: int | None = None
    ran_dry_us: int | None = None
    recharges: int = 0
    recharged_tokens: int = 0
    recharged_money: int = 0


@dataclass(frozen=True)
class Account:
    """One account, with its figures by name: what was posted, then each price book.

    `given_tokens` are those of bonuses and grants; the cost is that of its calls whose cost is known.
    """

    account_id: str
    currency: str
    price: UnitPrice | None
    given_tokens: int
    calls: int
    cost_nanousd: int
    uncosted_calls: int
    recharge_skip: str | None
    figures: Mapping[str, AccountFigures] = field(default_factory=dict)
