"""SQL expressions that turn one JSON leaf into a typed value and a status; no data is ever pasted into them.

A *leaf* is the compact JSON text of a value (`"gpt-4o"`, `12`, `1000.0`, `true`, `{...}`), or SQL NULL where the
record has none; JSON null is NULL too.
Only names and constants of a profile become part of the text, as quoted literals.
None of these expressions can raise on any data: an error would abort the posting's transaction.
"""

from __future__ import annotations

import json
import re

INTEGER = "-?[0-9]+"
ISO = (
    "[0-9]{4}-[0-9]{2}-[0-9]{2}[T ]([01][0-9]|2[0-3]):[0-9]{2}(:[0-9]{2}([.][0-9]+)?)?"
    "(Z|[+-](0[0-9]|1[0-8])(:?[0-9]{2})?)"
)
NAIVE_ISO = "[0-9]{4}-[0-9]{2}-[0-9]{2}[T ]([01][0-9]|2[0-3]):[0-9]{2}(:[0-9]{2}([.][0-9]+)?)?"
EPOCH_DIGITS = {"s": 6, "ms": 3, "us": 0, "ns": -3}
MONEY_DIGITS = {"usd": 9, "usd_cents": 7, "nano_usd": 0}
OK, BAD, NEGATIVE, RANGE, NAIVE = 0, 1, 2, 3, 4
"""Statuses of a typed leaf: fine or absent, of another type, below zero, beyond its bounds, a time without offset."""


def literal(text: str) -> str:
    """A text as an SQL string literal."""
    if "\0" in text:
        raise ValueError("a NUL character cannot be part of a profile")
    return "'" + text.replace("'", "''") + "'"


def json_literal(value: str | int) -> str:
    """A constant as a JSON leaf."""
    return literal(json.dumps(value, ensure_ascii=False))


def text_of(leaf: str) -> str:
    """The text of a string or of an integer; NULL for an empty string and for any other type."""
    return (
        f"CASE WHEN starts_with({leaf}, '\"') THEN nullif(CASE WHEN contains({leaf}, '\\') "
        f"THEN json_extract_string({leaf}, '$') ELSE substr({leaf}, 2, length({leaf}) - 2) END, '') "
        f"WHEN regexp_full_match({leaf}, '{INTEGER}') THEN {leaf} END"
    )


def text_is_bad(leaf: str) -> str:
    """True where a leaf is neither a string nor an integer."""
    return f"({leaf} IS NOT NULL AND NOT starts_with({leaf}, '\"') AND NOT regexp_full_match({leaf}, '{INTEGER}'))"


def word_of(leaf: str) -> str:
    """Any leaf as plain text: strings decoded, numbers without a zero fraction, the rest as its JSON text."""
    return (
        f"CASE WHEN starts_with({leaf}, '\"') THEN json_extract_string({leaf}, '$') "
        f"ELSE regexp_replace({leaf}, '^(-?[0-9]+)\\.0+$', '\\1') END"
    )


def number_text(leaf: str, mode: str) -> str:
    """The text in which an integer leaf has to be one, by the profile's `integers` mode."""
    if mode == "float":
        return (
            f"CASE WHEN regexp_matches({leaf}, '^[0-9-].*[.e]') THEN coalesce(regexp_replace(CASE "
            f"WHEN contains({leaf}, 'e') THEN try_cast({leaf} AS DECIMAL(38, 9))::VARCHAR ELSE {leaf} END, "
            f"'\\.0+$', ''), {leaf}) ELSE {leaf} END"
        )
    if mode == "text":
        plain = f"nullif(regexp_replace({leaf}, '^\"(-?[0-9]*)\"$', '\\1'), '')"
        return f"CASE WHEN starts_with({leaf}, '\"') THEN {plain} ELSE {leaf} END"
    return leaf


def integer_of(text: str, low: int, high: int) -> str:
    """BIGINT in [low, high], or NULL; the text must be in the plain form that JSON writes."""
    cast = f"try_cast({text} AS BIGINT)"
    return f"CASE WHEN {cast}::VARCHAR = {text} AND {cast} BETWEEN {low} AND {high} THEN {cast} END"


def integer_status(text: str, value: str, low: int) -> str:
    """Why an integer text gave no value. Leading zeros are accepted nowhere."""
    below = f"WHEN starts_with({text}, '-') THEN {NEGATIVE} " if low >= 0 else ""
    return (
        f"CASE WHEN {text} IS NULL OR {value} IS NOT NULL THEN {OK} "
        f"WHEN NOT regexp_full_match({text}, '-?(0|[1-9][0-9]*)') THEN {BAD} {below}ELSE {RANGE} END"
    )


def plain_decimal(text: str) -> str:
    """Decimal text without exponent; NULL where the text is no number.

    A small number with an exponent keeps 30 decimals, a large one 18: a double printed in full must not be rounded up.
    """
    return (
        f"CASE WHEN regexp_full_match({text}, '-?[0-9]+([.][0-9]+)?') THEN {text} "
        f"WHEN regexp_full_match({text}, '-?[0-9]+([.][0-9]+)?[eE][+-]?[0-9]+') "
        f"THEN coalesce(try_cast({text} AS DECIMAL(38, 30))::VARCHAR, try_cast({text} AS DECIMAL(38, 18))::VARCHAR) END"
    )


def shifted(plain: str, digits: int) -> str:
    """BIGINT of a plain decimal times 10^digits; finer digits are cut. NULL beyond BIGINT."""
    whole = f"split_part({plain}, '.', 1)"
    if digits < 0:
        return (
            f"try_cast(CASE WHEN length({whole}) <= {-digits} THEN '0' ELSE left({whole}, length({whole}) "
            f"- {-digits}) END AS BIGINT)"
        )
    if digits == 0:
        return f"try_cast({whole} AS BIGINT)"
    return f"try_cast({whole} || rpad(left(split_part({plain}, '.', 2), {digits}), {digits}, '0') AS BIGINT)"


def exact_number(leaf: str, key: str) -> str:
    """A number with its digits as the line spells them; a reprinted double would round beyond 15 digits.

    The line's number after `"key":` is taken only if it is the same double as the leaf.
    """
    pattern = literal('"' + re.escape(key) + '"\\s*:\\s*(-?[0-9][0-9.eE+-]*)')
    found = (
        f"list_filter(regexp_extract_all(line, {pattern}, 1), lambda t: try_cast(t AS DOUBLE) = "
        f"try_cast({leaf} AS DOUBLE))[1]"
    )
    return f"CASE WHEN regexp_matches({leaf}, '^-?[0-9]+[.e]') THEN coalesce({found}, {leaf}) ELSE {leaf} END"


def time_text(leaf: str) -> str:
    """The decoded text of a time leaf, or the number's own."""
    return f"CASE WHEN starts_with({leaf}, '\"') THEN nullif(json_extract_string({leaf}, '$'), '') ELSE {leaf} END"


def epoch_micros(plain: str, unit: str) -> str:
    """BIGINT microseconds since 1970 of a plain decimal; NULL for unit iso."""
    return "NULL::BIGINT" if unit == "iso" else shifted(plain, EPOCH_DIGITS[unit])


def time_of(text: str, leaf: str, micros: str, *, naive_utc: bool) -> str:
    """TIMESTAMPTZ (microseconds, finer digits cut) of ISO text with offset or of epoch microseconds, else NULL."""
    iso = f"WHEN starts_with({leaf}, '\"') AND regexp_full_match({text}, '{ISO}') THEN try_cast({text} AS TIMESTAMPTZ) "
    naive = (
        f"WHEN starts_with({leaf}, '\"') AND regexp_full_match({text}, '{NAIVE_ISO}') THEN "
        f"try_cast({text} || 'Z' AS TIMESTAMPTZ) "
        if naive_utc
        else ""
    )
    return (
        f"CASE {iso}{naive}ELSE make_timestamptz(CASE WHEN {micros} BETWEEN 0 AND 253402300799999999 THEN "
        f"{micros} END) END"
    )


def time_status(text: str, value: str, plain: str) -> str:
    """Why a time leaf gave no value."""
    return (
        f"CASE WHEN {text} IS NULL OR {value} IS NOT NULL THEN {OK} WHEN regexp_full_match({text}, '{NAIVE_ISO}') "
        f"AND try_cast({text} || 'Z' AS TIMESTAMPTZ) IS NOT NULL THEN {NAIVE} WHEN {plain} IS NOT "
        f"NULL THEN {RANGE} ELSE {BAD} END"
    )


def boolean_of(leaf: str, *, texts: bool) -> str:
    """BOOLEAN of true and false; where `texts`, also of "true", "false", "1" and "0"."""
    also_true, also_false = (
        (", '\"true\"', '\"1\"', '\"True\"'", ", '\"false\"', '\"0\"', '\"False\"'") if texts else ("", "")
    )
    return f"CASE WHEN {leaf} IN ('true'{also_true}) THEN true WHEN {leaf} IN ('false'{also_false}) THEN false END"


def case_of(pairs: list[tuple[str, str]], otherwise: str = "NULL") -> str:
    """CASE WHEN first THEN second ... in order."""
    if not pairs:
        return otherwise
    return "CASE " + " ".join(f"WHEN {condition} THEN {value}" for condition, value in pairs) + f" ELSE {otherwise} END"
