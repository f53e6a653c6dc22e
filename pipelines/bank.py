"""The bank's statement: CSV files with the credits of an account, as far as payouts are looked for in them.

Separated by commas, semicolons or tabs, as the header shows. An amount has a point before its decimals and nothing
between its thousands: a comma could be either, so it is refused rather than guessed.
"""

from __future__ import annotations

import csv
import re
from datetime import date
from io import StringIO
from typing import TYPE_CHECKING

from billing_core.errors import ConfigurationError
from billing_core.money import currency_exponent
from pipelines.intake.currencies import CURRENCIES
from pipelines.warehouse.reconcile import BankLine

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

COLUMNS = ("booked_on", "amount", "currency", "reference")
SEPARATORS = ",;\t"
LONGEST_CELL = 131_072
"""Characters; the limit holds for the whole process, and the reading of usage logs sets a larger one."""
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_AMOUNT = re.compile(r"([+-]?)([0-9]{1,15})(?:\.([0-9]+))?", re.ASCII)


def bank_lines(root: Path, pattern: str, exponents: Mapping[str, int]) -> list[BankLine]:
    """The lines of every file that matches, in order; amounts are units of the currency as decimal text.

    Two equal lines are two bookings. Raises ConfigurationError with file, line and column of what is not a statement.
    """
    return [line for path in sorted(root.glob(pattern)) for line in _lines(path, exponents)]


def _lines(path: Path, exponents: Mapping[str, int]) -> Iterator[BankLine]:
    rows = _rows(path)
    header = [name.strip() for name in next(rows, (0, []))[1]]
    wrong = [name for name in COLUMNS if header.count(name) != 1]
    if wrong:
        how = "there twice" if wrong[0] in header else "missing"
        raise ConfigurationError(f"{path}: the column {wrong[0]} is {how}; a statement has {', '.join(COLUMNS)}")
    for number, row in rows:
        if not row:
            continue
        where = f"{path}, line {number}"
        if len(row) != len(header):
            raise ConfigurationError(f"{where}: {len(row)} columns where the header has {len(header)}")
        yield _line(where, dict(zip(header, row, strict=True)), exponents)


def _rows(path: Path) -> Iterator[tuple[int, Sequence[str]]]:
    """The rows with their line numbers, split at what separates the columns of the first."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path}: byte {error.start} is no UTF-8; export the statement as UTF-8") from None
    header = text.partition("\n")[0]
    csv.field_size_limit(LONGEST_CELL)
    reader = csv.reader(StringIO(text, newline=""), delimiter=max(SEPARATORS, key=header.count), strict=True)
    try:
        for row in reader:
            yield reader.line_num, row
    except csv.Error as error:
        raise ConfigurationError(f"{path}, line {reader.line_num}: {error}") from None


def _line(where: str, row: Mapping[str, str], exponents: Mapping[str, int]) -> BankLine:
    currency = row["currency"].strip().lower()
    if currency not in CURRENCIES and currency not in exponents:
        raise ConfigurationError(f"{where}: currency: {row['currency']!r} is no currency that the books know")
    return BankLine(
        booked_on=_date(where, row["booked_on"].strip()),
        amount=_minor_units(where, row["amount"].strip(), currency, currency_exponent(currency, exponents)),
        currency=currency,
        reference=row["reference"],
    )


def _date(where: str, text: str) -> str:
    try:
        found = date.fromisoformat(text) if _DATE.fullmatch(text) else None
    except ValueError:
        found = None
    if found is None:
        raise ConfigurationError(f"{where}: booked_on: {text!r} is no date like 2026-09-01")
    return found.isoformat()


def _minor_units(where: str, text: str, currency: str, exponent: int) -> int:
    """Digit by digit: nothing is rounded, zeros beyond the currency's decimals are let pass."""
    match = _AMOUNT.fullmatch(text)
    decimals = (match[3] or "") if match else ""
    if match is None or decimals[exponent:].strip("0"):
        example = "1234." + "5".ljust(exponent, "0") if exponent else "1234"
        raise ConfigurationError(
            f"{where}: amount: {text!r} is no amount of {currency} like {example}: a point before the"
            " decimals, nothing between thousands"
        )
    return int(f"{match[1]}{match[2]}{decimals[:exponent].ljust(exponent, '0')}")
