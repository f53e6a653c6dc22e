"""What Stripe asks of amounts beyond their decimals: some must end in zeros, one currency's decimals are disputed."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from billing_core.money import THREE_DECIMAL_CURRENCIES, currency_exponent

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_WHOLE_UNITS_ONLY = 100
UNSETTLED_EXPONENTS = frozenset({"ugx"})
"""Currencies whose decimals in the API sources disagree about: unknown until the user says which."""


class CurrencyRule(NamedTuple):
    """One currency: minor units in a unit, and what amounts of charges and of payouts must be multiples of."""

    currency: str
    scale: int
    charge_step: int
    payout_step: int


def currency_rules(currencies: Iterable[str], exponents: Mapping[str, int]) -> list[CurrencyRule]:
    """The rule of each currency, in order; one with unknown decimals has none. `exponents` is what the user states.

    Three-decimal amounts end in 0, isk is charged in whole units though it has two decimals, huf and twd are paid out
    in whole units only.
    """
    return [
        CurrencyRule(currency, 10 ** currency_exponent(currency, exponents), *_steps(currency))
        for currency in sorted({*currencies, *exponents})
        if currency in exponents or currency not in UNSETTLED_EXPONENTS
    ]


def _steps(currency: str) -> tuple[int, int]:
    if currency in THREE_DECIMAL_CURRENCIES:
        return 10, 10
    if currency == "isk":
        return _WHOLE_UNITS_ONLY, _WHOLE_UNITS_ONLY
    return 1, _WHOLE_UNITS_ONLY if currency in {"huf", "twd"} else 1
