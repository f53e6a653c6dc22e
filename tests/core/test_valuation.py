"""What billed tokens are worth: at the package last bought, at what was paid, or at the smallest package."""

from __future__ import annotations

from dataclasses import replace

import pytest

from billing_core.packages import SEED_PACKAGES
from billing_core.valuation import OWN_PURCHASES, Purchases, UnitPrice, price_in, unit_price

EURO = tuple(replace(package, price_eur=package.price_cents - 100) for package in SEED_PACKAGES[:2])


@pytest.mark.parametrize(
    ("bought", "basis", "minor_units", "tokens"),
    [
        (Purchases("usd"), "starter", 1_500, 150_000),
        (Purchases("usd", last_package_id="pro", last_tokens=1, money=1, tokens=1), "pro", 6_500, 750_000),
        (
            Purchases("usd", last_package_id="gone", last_tokens=2_250_000, money=1, tokens=1),
            "business",
            17_500,
            2_250_000,
        ),
        (Purchases("usd", last_package_id="gone", last_tokens=7, money=300, tokens=1_000), OWN_PURCHASES, 300, 1_000),
        (Purchases("eur", last_package_id="pro", money=5, tokens=10), OWN_PURCHASES, 5, 10),
    ],
)
def test_price_comes_from_the_nearest_purchase(bought: Purchases, basis: str, minor_units: int, tokens: int) -> None:
    """By id, by size, by average, by the package one would begin with; a package without that currency is passed."""
    assert unit_price(bought, SEED_PACKAGES, 0) == UnitPrice(bought.currency, minor_units, tokens, basis)


def test_currencies_are_not_converted() -> None:
    """A euro account is valued in euro where a package has such a price, else not at all."""
    assert unit_price(Purchases("eur"), SEED_PACKAGES, 0) is None
    found = unit_price(Purchases("eur"), EURO, 0)
    assert found == UnitPrice("eur", 1_400, 150_000, "starter")
    assert price_in(EURO[0], "jpy") is None


def test_only_packages_on_sale_count() -> None:
    """A retired package and one of a later day are passed."""
    retired = replace(SEED_PACKAGES[0], active=False)
    coming = replace(SEED_PACKAGES[1], effective_from=100)
    found = unit_price(Purchases("usd"), (retired, coming, SEED_PACKAGES[2]), 99)
    assert found is not None
    assert found.basis == "business"


def test_value_is_rounded_half_to_even_once() -> None:
    """150,000 tokens for 15.00: 50 tokens are half a cent, 150 are one and a half."""
    price = UnitPrice("usd", 1_500, 150_000, "starter")
    assert [price.value_of(tokens) for tokens in (50, 150, 250, 100, 0)] == [0, 2, 2, 1, 0]
