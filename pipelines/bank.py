"""The bank's statement: CSV files with the credits of an account, as far as payouts are looked for in them."""

from __future__ import annotations

import csv
import re
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING

from billing_core.errors import ConfigurationError
from billing_core.money import currency_exponent
from pipelines.warehouse.reconcile import BankLine

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

COLUMNS = ("booked_on", "amount", "currency", "reference")
_AMOUNT = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")


def bank_lines(root: Path, pattern: str, exponents: Mapping[str, int]) -> list[BankLine]:
    """The lines of every file that matches, in order; amounts are units of the currency as decimal text.

    Raises ConfigurationError with file, line and column of what is not a statement.
    """
    return [line for path in sorted(root.glob(pattern)) for line in _lines(path, exponents)]


def _lines(path: Path, exponents: Mapping[str, int]) -> Iterator[BankLine]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file)
        missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
        if missing:
            raise ConfigurationError(
                f"{path}: the column {missing[0]} is missing; a statement has {', '.join(COLUMNS)}"
            )
        for row in reader:
            yield _line(f"{path}, line {reader.line_num}", row, exponents)


def _line(where: str, row: Mapping[str, str], exponents: Mapping[str, int]) -> BankLine:
    try:
        booked_on = date.fromisoformat(row["booked_on"].strip())
    except ValueError:
        raise ConfigurationError(f"{where}: booked_on: {row['booked_on']!r} is no date like 2026-09-01") from None
    currency, text = row["currency"].strip().lower(), row["amount"].strip()
    try:
        scaled = Decimal(text).scaleb(currency_exponent(currency, exponents)) if _AMOUNT.fullmatch(text) else None
    except InvalidOperation:
        scaled = None
    if scaled is None or scaled != scaled.to_integral_value():
        raise ConfigurationError(f"{where}: amount: {text!r} is no amount of {currency} like 1234.50")
    return BankLine(booked_on=booked_on.isoformat(), amount=int(scaled), currency=currency, reference=row["reference"])
