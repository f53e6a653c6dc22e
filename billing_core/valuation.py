"""What billed tokens are worth at package prices: for each account one price per token, as a ratio of whole numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from billing_core.money import round_half_even_ratio
from billing_core.packages import packages_at

if TYPE_CHECKING:
    from collections.abc import Sequence

    from billing_core.packages import Package

OWN_PURCHASES = "own purchases"


@dataclass(frozen=True)
class Purchases:
    """What an account bought: its last purchase's package and tokens; all its money (without tax) and tokens.

    Money is minor units of `currency`; purchases in other currencies are not in it.
    """

    currency: str
    last_package_id: str | None = None
    last_tokens: int | None = None
    money: int = 0
    tokens: int = 0


@dataclass(frozen=True)
class UnitPrice:
    """`minor_units` of `currency` for `tokens` tokens, and where that comes from: a package, or what was paid."""

    currency: str
    minor_units: int
    tokens: int
    basis: str

    def value_of(self, tokens: int) -> int:
        """The value of tokens in minor units, rounded half to even once."""
        return round_half_even_ratio(tokens, self.minor_units, self.tokens)


def unit_price(bought: Purchases, packages: Sequence[Package], at_us: int) -> UnitPrice | None:
    """The price of a token for an account, at the packages on sale at an instant in epoch microseconds.

    The package of its last purchase, by id or else by its tokens; without one, the average of its own purchases;
    without any, the smallest package, with which it would have to begin. None where none has a price in its currency.
    """
    on_sale = packages_at(packages, at_us)
    for is_last in (
        lambda package: package.package_id == bought.last_package_id,
        lambda package: package.token_amount == bought.last_tokens,
    ):
        for package in filter(is_last, on_sale):
            if (price := price_in(package, bought.currency)) is not None:
                return UnitPrice(bought.currency, price, package.token_amount, package.package_id)
    if bought.tokens > 0:
        return UnitPrice(bought.currency, bought.money, bought.tokens, OWN_PURCHASES)
    for package in sorted(on_sale, key=lambda package: (package.token_amount, package.package_id)):
        if (price := price_in(package, bought.currency)) is not None:
            return UnitPrice(bought.currency, price, package.token_amount, package.package_id)
    return None


def price_in(package: Package, currency: str) -> int | None:
    """A package's price in a currency, in its minor units; None where it is not sold in it."""
    prices = {"usd": package.price_cents, "eur": package.price_eur, "gbp": package.price_gbp}
    return prices.get(currency)
