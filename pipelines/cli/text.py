"""Figures and foreign text as a terminal shows them."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

from billing_core.currency_rules import UNSETTLED_EXPONENTS
from billing_core.money import currency_exponent

if TYPE_CHECKING:
    from datetime import datetime

_KIB = 1024


def clean(value: object) -> str:
    """Text in which no character can steer a terminal or reorder what is read: those are written as escapes."""
    return "".join(_visible(char) for char in str(value))


def _visible(char: str) -> str:
    if char.isascii():
        return char if char.isprintable() else _escape(char)
    # Control, format (which reorder text), surrogate, private and line separators; every other character is itself.
    return _escape(char) if unicodedata.category(char) in {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"} else char


def _escape(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")


def number(value: int | None) -> str:
    """A whole number with separators, "-" for none."""
    return "-" if value is None else f"{value:,}"


def plural(count: int, noun: str, many: str | None = None) -> str:
    """One line, 2 lines."""
    return f"{count:,} {noun if count == 1 else many or f'{noun}s'}"


def size(count: int) -> str:
    """Bytes in the unit that keeps the figure short, one decimal, without floats."""
    for unit, scale in (("GiB", _KIB**3), ("MiB", _KIB**2), ("KiB", _KIB)):
        if count >= scale:
            tenths = count * 10 // scale
            return f"{tenths // 10:,}.{tenths % 10} {unit}"
    return f"{count} B"


def cents(amount: int | None, currency: str | None) -> str:
    """Minor units as an amount, "12.50 USD", "1,500 JPY"; "-" for nothing in no currency.

    Where it is not settled how many decimals a currency has, the minor units are shown as they are.
    """
    if amount is None or (currency is None and not amount):
        return "-"
    if currency is None or currency.lower() in UNSETTLED_EXPONENTS:
        return f"{amount:,} {(currency or '').upper()} minor units".replace("  ", " ")
    decimals = currency_exponent(currency.lower())
    sign, (whole, part) = ("-" if amount < 0 else ""), divmod(abs(amount), 10**decimals)
    return f"{sign}{whole:,}{f'.{part:0{decimals}d}' if decimals else ''} {currency.upper()}"


def nanousd(amount: int | None) -> str:
    """Billionths of a US dollar as an amount with at least two decimals and no digit lost, "0.00042 USD"."""
    if amount is None:
        return "-"
    sign, whole = ("-" if amount < 0 else ""), abs(amount)
    decimals = f"{whole % _NANO:09d}".rstrip("0").ljust(2, "0")
    return f"{sign}{whole // _NANO:,}.{decimals} USD"


_NANO = 10**9


def per_mille(share: int | None, *, signed: bool = False) -> str:
    """A share in tenths of a percent, "12.5 %"; "-" for none."""
    if share is None:
        return "-"
    sign = "-" if share < 0 else "+" if signed else ""
    return f"{sign}{abs(share) // 10:,}.{abs(share) % 10} %"


def whose_run(at: str) -> str:
    """Which run posts an entry of the admin journal made at an instant: one that bills that day."""
    return f"A run that bills {at[:10]} posts it; on that day, `tollbook run --through today`"


def instant(value: datetime | str | None) -> str:
    """An instant in UTC to the second, "2026-09-01 12:00:00 UTC"; "-" for none."""
    if value is None:
        return "-"
    text = value if isinstance(value, str) else value.isoformat(sep=" ")
    return f"{text[:19].replace('T', ' ')} UTC"
