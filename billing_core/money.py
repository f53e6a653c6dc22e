"""Exact arithmetic for money and multipliers: whole minor units, parts per million, one named rounding."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from billing_core.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

ZERO_DECIMAL_CURRENCIES = frozenset(
    {
        *("bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga"),
        *("pyg", "rwf", "ugx", "vnd", "vuv", "xaf", "xof", "xpf"),
    }
)
"""Currencies whose Stripe amounts are whole units. Sources disagree about ugx: let the user override it."""
THREE_DECIMAL_CURRENCIES = frozenset({"bhd", "jod", "kwd", "omr", "tnd"})
"""Currencies whose Stripe amounts are thousandths. isk, huf and twd are ordinary two-decimal ones in the API."""

PPM = 1_000_000
"""Parts per million in one: multipliers are whole numbers of these."""
PPM_LIMIT = 10**12
"""Every multiplier is below this many parts per million, so that its text fits DECIMAL(12,6)."""

INT64_MAX = 2**63 - 1
"""The largest number of tokens or minor units that a column holds."""

_DECIMAL_TEXT = re.compile(r"([0-9]+)(?:\.([0-9]+))?")
_WHOLE_DIGITS_MAX = 6
_DECIMALS_MAX = 6


def currency_exponent(currency: str, overrides: Mapping[str, int] | None = None) -> int:
    """Decimals of a currency's minor unit in the Stripe API (0, 2 or 3) for a lower-case ISO 4217 code.

    `overrides` wins where the user knows better. A code that is not three lower-case letters: ConfigurationError.
    """
    if not re.fullmatch(r"[a-z]{3}", currency):
        raise ConfigurationError(
            f'currency {currency!r} is not a lower-case ISO 4217 code; write three letters, such as "usd"'
        )
    if overrides and currency in overrides:
        return overrides[currency]
    if currency in ZERO_DECIMAL_CURRENCIES:
        return 0
    return 3 if currency in THREE_DECIMAL_CURRENCIES else 2


def round_half_even_ratio(a: int, b: int, c: int) -> int:
    """`a * b / c` rounded to the nearest integer, a tie to the even one, without any float.

    `c` must be above 0 (ValueError); `a` and `b` have any sign and size.
    """
    if c <= 0:
        raise ValueError(f"the divisor of a ratio must be above 0, got {c}")
    quotient, remainder = divmod(a * b, c)
    rounds_up = 2 * remainder > c or (2 * remainder == c and quotient % 2 == 1)
    return quotient + rounds_up


def decimal_text_to_ppm(text: str, where: str = "multiplier", *, zero: bool = False) -> int:
    """Parts per million of a decimal text above 0 with at most six decimals: "1.5" is 1500000.

    Only plain ASCII digits with one point count as decimal text. Anything else, zero unless `zero` allows it, or a
    value that reaches 1000000 is a ConfigurationError that begins with `where` (the file, table and key).
    """
    match = _DECIMAL_TEXT.fullmatch(text)
    if match is None:
        raise ConfigurationError(
            f'{where}: {text!r} is not a plain decimal number; write digits and one point, such as "1.5"'
        )
    whole, decimals = match[1].lstrip("0"), match[2] or ""
    if len(decimals) > _DECIMALS_MAX:
        raise ConfigurationError(
            f"{where}: {text!r} has {len(decimals)} decimals; at most {_DECIMALS_MAX} are kept exactly"
        )
    # Counted, not compared: int() itself refuses texts of thousands of digits.
    if len(whole) > _WHOLE_DIGITS_MAX:
        raise ConfigurationError(f"{where}: {text!r} is too large; write a value below 1000000")
    ppm = int(whole or "0") * PPM + int(decimals.ljust(_DECIMALS_MAX, "0"))
    if ppm == 0 and not zero:
        raise ConfigurationError(f"{where}: {text!r} is zero; write a value above 0")
    return ppm


def ppm_to_decimal_text(ppm: int) -> str:
    """The one shortest decimal text of a non-negative number of parts per million: 1500000 is "1.5", 2000000 "2"."""
    if ppm < 0:
        raise ValueError(f"parts per million must not be negative, got {ppm}")
    whole, part = divmod(ppm, PPM)
    return f"{whole}.{part:06d}".rstrip("0").rstrip(".")
