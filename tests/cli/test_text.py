"""Figures as the terminal shows them."""

from __future__ import annotations

import pytest

from pipelines.cli.text import cents


@pytest.mark.parametrize(
    ("amount", "currency", "shown"),
    [
        (1_250, "usd", "12.50 USD"),
        (-5, "usd", "-0.05 USD"),
        (150_000, "jpy", "150,000 JPY"),
        (-1_234_567, "kwd", "-1,234.567 KWD"),
        (0, "eur", "0.00 EUR"),
    ],
)
def test_money_has_the_decimals_of_its_currency(amount: int, currency: str, shown: str) -> None:
    """Two, none or three, as Stripe counts them; the sign stands in front."""
    assert cents(amount, currency) == shown


def test_money_of_unsettled_decimals_is_shown_as_minor_units() -> None:
    """Nobody is told a sum that may be a hundred times another; nothing in no currency is no sum."""
    assert cents(700, "ugx") == "700 UGX minor units"
    assert cents(700, None) == "700 minor units"
    assert (cents(None, "usd"), cents(0, None)) == ("-", "-")
