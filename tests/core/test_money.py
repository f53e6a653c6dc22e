"""Exact money arithmetic: exponents, the one rounding, multipliers from text."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_core.errors import ConfigurationError
from billing_core.money import currency_exponent, decimal_text_to_ppm, ppm_to_decimal_text, round_half_even_ratio

ANY_INTEGER = st.integers(-(10**30), 10**30)


@pytest.mark.parametrize(
    ("currency", "exponent"),
    [("usd", 2), ("eur", 2), ("jpy", 0), ("xpf", 0), ("ugx", 0), ("kwd", 3), ("tnd", 3), ("isk", 2), ("huf", 2)],
)
def test_a_currency_has_the_exponent_of_the_stripe_api(currency: str, exponent: int) -> None:
    """Zero-decimal and three-decimal currencies stand in tables, every other one has two."""
    assert currency_exponent(currency) == exponent


def test_an_override_wins_over_the_table() -> None:
    """Sources disagree about ugx, so a user's word decides, for that currency alone."""
    assert currency_exponent("ugx", {"ugx": 2}) == 2
    assert currency_exponent("jpy", {"ugx": 2}) == 0


@pytest.mark.parametrize("code", ["USD", "us", "", "dollar", "u$d", "usd\n"])
def test_a_code_that_is_no_lower_case_iso_code_is_refused(code: str) -> None:
    """A currency that is not spelled as ours would join nothing, so it is an error and not a guess."""
    with pytest.raises(ConfigurationError, match="not a lower-case ISO 4217 code"):
        currency_exponent(code)


@pytest.mark.parametrize(
    ("a", "b", "c", "rounded"),
    [
        (1, 1, 2, 0),
        (3, 1, 2, 2),
        (5, 1, 2, 2),
        (-1, 1, 2, 0),
        (-3, 1, 2, -2),
        (2, 1, 3, 1),
        (7, 0, 3, 0),
        (10, 5, 10, 5),
    ],
)
def test_a_tie_goes_to_the_even_integer(a: int, b: int, c: int, rounded: int) -> None:
    """Halves go to even on both sides of zero; everything else goes to the nearest."""
    assert round_half_even_ratio(a, b, c) == rounded


@given(ANY_INTEGER, ANY_INTEGER, st.one_of(st.integers(1, 8), st.integers(1, 10**30)))
def test_the_ratio_equals_the_exact_fraction_rounded_half_even(a: int, b: int, c: int) -> None:
    """Whatever the sizes and signs, it is what exact fractions say."""
    assert round_half_even_ratio(a, b, c) == round(Fraction(a * b, c))


@pytest.mark.parametrize("divisor", [0, -2])
def test_a_ratio_needs_a_divisor_above_zero(divisor: int) -> None:
    """A zero or negative divisor is a programmer's mistake."""
    with pytest.raises(ValueError, match=f"above 0, got {divisor}"):
        round_half_even_ratio(1, 1, divisor)


@pytest.mark.parametrize(
    ("text", "ppm"),
    [
        ("1.5", 1_500_000),
        ("1", 1_000_000),
        ("1.1", 1_100_000),
        ("0.000001", 1),
        ("001.50", 1_500_000),
        ("999999.999999", 10**12 - 1),
    ],
)
def test_a_multiplier_is_read_from_its_text_without_a_float(text: str, ppm: int) -> None:
    """Six decimals are kept exactly, up to the widest number of its column."""
    assert decimal_text_to_ppm(text) == ppm


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("1,5", "not a plain decimal number"),
        ("", "not a plain decimal number"),
        (" 1.5", "not a plain decimal number"),
        ("1.5\n", "not a plain decimal number"),
        ("-1.5", "not a plain decimal number"),
        ("1e3", "not a plain decimal number"),
        (".5", "not a plain decimal number"),
        ("5.", "not a plain decimal number"),
        ("nan", "not a plain decimal number"),
        ("\u0661.5", "not a plain decimal number"),
        ("1.1234567", "has 7 decimals; at most 6"),
        ("0", "is zero; write a value above 0"),
        ("0.000000", "is zero; write a value above 0"),
        ("1000000", "is too large; write a value below 1000000"),
        ("9" * 5000, "is too large; write a value below 1000000"),
    ],
)
def test_a_text_that_is_no_multiplier_says_why_and_where(text: str, problem: str) -> None:
    """The message begins with the place the caller names, and says what is wrong and what to write."""
    with pytest.raises(ConfigurationError) as refusal:
        decimal_text_to_ppm(text, "rates.toml, key m")
    assert str(refusal.value).startswith("rates.toml, key m: ")
    assert problem in str(refusal.value)


@given(st.integers(1, 10**12 - 1))
def test_the_text_of_a_multiplier_reads_back_as_itself(ppm: int) -> None:
    """Text and parts per million are two spellings of one number."""
    text = ppm_to_decimal_text(ppm)
    assert decimal_text_to_ppm(text) == ppm
    assert Decimal(text) * 10**6 == ppm


@pytest.mark.parametrize(
    ("ppm", "text"), [(1_500_000, "1.5"), (2_000_000, "2"), (10_000_000, "10"), (1, "0.000001"), (0, "0")]
)
def test_the_text_of_a_multiplier_is_the_shortest(ppm: int, text: str) -> None:
    """No trailing zeros and no trailing point, so equal multipliers hash alike."""
    assert ppm_to_decimal_text(ppm) == text


def test_parts_per_million_are_never_negative() -> None:
    """A negative multiplier has no text."""
    with pytest.raises(ValueError, match="must not be negative, got -1"):
        ppm_to_decimal_text(-1)
