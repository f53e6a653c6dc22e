"""Where each column of the typed tables comes from in Stripe's JSON, and how strictly it is read.

JSON is parsed with decimals as texts (`parse_float=str`), so that no amount or rate passes through a float.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from pipelines.books.journal import canonical_json

StripeJson = Mapping[str, Any]
Read = Callable[[Any], Any]

INT64_MAX = 2**63 - 1
LAST_SECOND = 253_402_300_799  # the end of the year 9999
MICROSECONDS = 1_000_000
RATE_DECIMALS = Decimal("0.000000000001")
_RATE_LIMIT = Decimal(10**12)
_CURRENCY = re.compile(r"[a-z]{3}")


class UnreadableFieldError(ValueError):
    """A value is not what the field holds; the message says what was expected, never the value."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its name, its type, where its value stands, how it is read, and whether it must be there."""

    name: str
    type: str
    get: Callable[[StripeJson], Any]
    read: Read
    required: bool = False
    default: Any = None


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of object: its table and columns; the first column is the id."""

    table: str
    columns: tuple[Column, ...]

    @property
    def id_column(self) -> str:
        """Name of the column that holds the object's id."""
        return self.columns[0].name


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise UnreadableFieldError("a text")
    return value


def _whole(value: Any) -> int:
    if type(value) is not int or abs(value) > INT64_MAX:
        raise UnreadableFieldError("a whole number of 64 bits")
    return value


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise UnreadableFieldError("true or false")
    return value


def _instant(value: Any) -> int:
    """Unix seconds as microseconds."""
    if type(value) is not int or not 0 <= value <= LAST_SECOND:
        raise UnreadableFieldError("Unix seconds")
    return value * MICROSECONDS


def _currency(value: Any) -> str:
    if not isinstance(value, str) or not _CURRENCY.fullmatch(value):
        raise UnreadableFieldError("a currency of three lower-case letters")
    return value


def link(value: Any) -> str:
    """The id of a linked object, whether the link is expanded or not."""
    identity = value.get("id") if isinstance(value, dict) else value
    if not isinstance(identity, str):
        raise UnreadableFieldError("an id")
    return identity


def _links(value: Any) -> list[str]:
    if not isinstance(value, list):
        raise UnreadableFieldError("a list of objects")
    return [link(item) for item in value]


def _pairs(value: Any) -> str:
    if not isinstance(value, dict):
        raise UnreadableFieldError("an object")
    return canonical_json(value).decode()


def _items(value: Any) -> str:
    if not isinstance(value, list):
        raise UnreadableFieldError("a list")
    return canonical_json(value).decode()


def _rate(value: Any) -> str:
    """A rate as decimal text of at most twelve decimals; the raw JSON keeps whatever more there is."""
    try:
        rate = Decimal(value) if isinstance(value, str) or type(value) is int else None
    except ArithmeticError:
        rate = None
    if rate is None or not rate.is_finite() or not 0 < rate < _RATE_LIMIT:
        raise UnreadableFieldError("a number above zero")
    return f"{rate.quantize(RATE_DECIMALS, ROUND_HALF_EVEN):f}"


def _at(*path: str) -> Callable[[StripeJson], Any]:
    def get(thing: StripeJson) -> Any:
        value: Any = thing
        for part in path:
            if not isinstance(value, dict):
                return None
            value = value.get(part)
        return value

    return get


def _method(name: str) -> Callable[[StripeJson], Any]:
    """A detail of the payment method, which stands below the method's own type."""

    def get(thing: StripeJson) -> Any:
        details = thing.get("payment_method_details")
        if not isinstance(details, dict):
            return None
        detail = details.get(str(details.get("type")))
        return detail.get(name) if isinstance(detail, dict) else None

    return get


def _card(name: str) -> Callable[[StripeJson], Any]:
    return _at("payment_method_details", "card", name)


def _sold(*path: str) -> Callable[[StripeJson], Any]:
    """One thing of each line item, once each."""
    inner = _at("price", *path)

    def get(thing: StripeJson) -> Any:
        lines = _at("line_items", "data")(thing)
        found = [inner(line) for line in lines if isinstance(line, dict)] if isinstance(lines, list) else []
        return list(dict.fromkeys(link(value) for value in found if value is not None))

    return get


def _column(name: str, kind: str, read: Read, path: str | Callable[[StripeJson], Any] = "", **options: Any) -> Column:
    get = path if callable(path) else _at(*(path or name).split("."))
    return Column(name, kind, get, read, **options)


def text(name: str, path: Any = "", *, required: bool = False) -> Column:
    """A text."""
    return _column(name, "VARCHAR", _text, path, required=required)


def linked(name: str, path: Any = "", *, required: bool = False) -> Column:
    """The id of another object."""
    return _column(name, "VARCHAR", link, path, required=required)


def amount(name: str, path: str = "", *, required: bool = True, default: int | None = None) -> Column:
    """Minor units."""
    return _column(name, "BIGINT", _whole, path, required=required, default=default)


def flag(name: str, path: str = "", *, required: bool = True, default: bool | None = None) -> Column:
    """A truth value."""
    return _column(name, "BOOLEAN", _boolean, path, required=required, default=default)


def instant(name: str, path: str = "", *, required: bool = False) -> Column:
    """Unix seconds."""
    return _column(name, "TIMESTAMPTZ", _instant, path, required=required)


def currency(*, required: bool = True) -> Column:
    """The currency of the amounts."""
    return _column("currency", "VARCHAR", _currency, required=required)


def texts(name: str, get: Any, read: Read = _links) -> Column:
    """A list of ids, empty where there is none."""
    return _column(name, "VARCHAR[]", read, get, default=())


def rate(name: str) -> Column:
    """A rate of exchange."""
    return _column(name, "DECIMAL(24,12)", _rate)


def metadata() -> Column:
    """The app's own pairs."""
    return _column("metadata", "JSON", _pairs, default="{}")


def details(name: str) -> Column:
    """A list that is kept as JSON."""
    return _column(name, "JSON", _items, default="[]")


method_detail, card_detail, sold = _method, _card, _sold
