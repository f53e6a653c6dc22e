"""The bank's statement, as banks and spreadsheets write it: exact amounts, and words for what is no statement."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_core.errors import ConfigurationError
from pipelines.bank import bank_lines
from pipelines.warehouse.reconcile import BankLine

if TYPE_CHECKING:
    from pathlib import Path

HEADER = "booked_on,amount,currency,reference\n"


def _read(folder: Path, content: str | bytes, **exponents: int) -> list[BankLine]:
    data = content if isinstance(content, bytes) else content.encode()
    (folder / "statement.csv").write_bytes(data)
    return bank_lines(folder, "*.csv", exponents)


def _amounts(folder: Path, content: str | bytes, **exponents: int) -> list[int]:
    return [line.amount for line in _read(folder, content, **exponents)]


def test_reads_what_spreadsheets_write(tmp_path: Path) -> None:
    """A byte order mark, CRLF, capitals, blank lines, more columns in another order."""
    text = "reference,booked_on,currency,amount,balance\r\n\r\nSTRIPE po_1,2026-09-01,USD, 1234.50 ,9.99\r\n"
    expected = BankLine(booked_on="2026-09-01", amount=123_450, currency="usd", reference="STRIPE po_1")
    assert _read(tmp_path, b"\xef\xbb\xbf" + text.encode()) == [expected]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_columns_may_be_separated_otherwise(tmp_path: Path, separator: str) -> None:
    """As the header shows; a reference may hold another separator, quotes and line breaks."""
    line = ["2026-09-01", "-12.00", "eur", '"a;b\tc ""d""\nMüller"']
    text = HEADER.replace(",", separator) + separator.join(line) + "\n"
    assert _read(tmp_path, text) == [
        BankLine(booked_on="2026-09-01", amount=-1_200, currency="eur", reference='a;b\tc "d"\nM\u00fcller')
    ]


@pytest.mark.parametrize(
    ("amount", "currency", "minor_units"),
    [
        ("150", "jpy", 150),
        ("150.00", "jpy", 150),
        ("1.5", "kwd", 1_500),
        ("1.500", "kwd", 1_500),
        ("-0.01", "usd", -1),
        ("+7", "usd", 700),
        ("999999999999999.99", "usd", 99_999_999_999_999_999),
    ],
)
def test_amounts_follow_the_decimals_of_their_currency(
    tmp_path: Path, amount: str, currency: str, minor_units: int
) -> None:
    """None, two or three, and none of it by way of a float."""
    assert _amounts(tmp_path, f"{HEADER}2026-09-01,{amount},{currency},x\n") == [minor_units]


def test_decimals_may_be_stated(tmp_path: Path) -> None:
    """What the configuration says of a currency wins, of one that nobody knows too."""
    text = f"{HEADER}2026-09-01,1.5,ugx,x\n2026-09-01,1.5,zzz,x\n"
    assert _amounts(tmp_path, text, ugx=2, zzz=1) == [150, 15]


@given(minor_units=st.integers(-(10**14), 10**14))
def test_any_amount_comes_back_to_the_last_cent(tmp_path_factory: pytest.TempPathFactory, minor_units: int) -> None:
    """Written with two decimals, read as the same whole number."""
    whole, cents = divmod(abs(minor_units), 100)
    sign = "-" if minor_units < 0 else ""
    text = f"{HEADER}2026-09-01,{sign}{whole}.{cents:02d},usd,x\n"
    assert _amounts(tmp_path_factory.getbasetemp(), text) == [minor_units]


def test_equal_lines_are_two_bookings(tmp_path: Path) -> None:
    """Two payouts of one amount on one day are both looked for; files follow by name."""
    line = "2026-09-01,1.00,usd,x\n"
    (tmp_path / "another.csv").write_text(HEADER + "2026-09-02,3.00,usd,y\n", encoding="utf-8")
    assert _amounts(tmp_path, HEADER + line + line) == [300, 100, 100]
    assert bank_lines(tmp_path, "none/*.csv", {}) == []


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "the column booked_on is missing"),
        (b"booked_on,amount,currency\n", "the column reference is missing"),
        (b"booked_on,amount,amount,currency,reference\n", "the column amount is there twice"),
        (f"{HEADER}2026-09-01,1.00,usd,x\n2026-09-01,1.00\n", "line 3: 2 columns where the header has 4"),
        (f"{HEADER}2026-09-01,1,234.50,usd,x\n", "line 2: 5 columns where the header has 4"),
        (f'{HEADER}2026-09-01,"1,234.50",usd,x\n', "line 2: amount: '1,234.50' is no amount of usd like 1234.50"),
        (f'{HEADER}2026-09-01,"1234,50",eur,x\n', "amount: '1234,50' is no amount of eur"),
        (f"{HEADER}2026-09-01,1 234.50,eur,x\n", "amount: '1 234.50'"),
        (f"{HEADER}2026-09-01,1.005,usd,x\n", "amount: '1.005' is no amount of usd"),
        (f"{HEADER}2026-09-01,1.5,jpy,x\n", "amount: '1.5' is no amount of jpy like 1234:"),
        (f"{HEADER}2026-09-01,1e3,usd,x\n", "amount: '1e3'"),
        (f"{HEADER}2026-09-01,NaN,usd,x\n", "amount: 'NaN'"),
        (f"{HEADER}2026-09-01,,usd,x\n", "amount: ''"),
        (f"{HEADER}2026-09-01,\u0661\u0662,usd,x\n", "amount: "),
        (f"{HEADER}2026-09-01,{'9' * 40},usd,x\n", "amount: "),
        (f"{HEADER}2026-09-01,1.00,euro,x\n", "line 2: currency: 'euro' is no currency that the books know"),
        (f"{HEADER}2026-09-01,1.00,,x\n", "currency: ''"),
        (f"{HEADER}01.09.2026,1.00,usd,x\n", "line 2: booked_on: '01.09.2026' is no date like 2026-09-01"),
        (f"{HEADER}2026-02-30,1.00,usd,x\n", "booked_on: '2026-02-30'"),
        (f"{HEADER}20260901,1.00,usd,x\n", "booked_on: '20260901'"),
        (f'{HEADER}2026-09-01,1.00,usd,"x\n', "line 2: unexpected end of data"),
        (f"{HEADER}2026-09-01,1.00,usd,{'x' * 200_000}\n", "line 2: field larger than field limit"),
        (f"{HEADER}2026-09-01,1.00,usd,M\u00fcller\n".encode("latin-1"), "byte 57 is no UTF-8"),
        (HEADER.encode("utf-16"), "byte 0 is no UTF-8"),
    ],
)
def test_what_is_no_statement_is_told_where_it_stands(tmp_path: Path, content: str | bytes, words: str) -> None:
    """File, line and column; nothing is guessed and nothing is left out in silence."""
    with pytest.raises(ConfigurationError) as error:
        _read(tmp_path, content)
    assert words in str(error.value)
    assert "statement.csv" in str(error.value)
