"""Reading typed values out of the user's TOML tables, so that every mistake is answered with file, table and key.

Nothing here opens a file: the tables arrive as `tomllib` parsed them.
"""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from billing_core.errors import ConfigurationError
from billing_core.instants import epoch_us
from billing_core.money import INT64_MAX, decimal_text_to_ppm

if TYPE_CHECKING:
    from collections.abc import Collection

_KIND_NAMES: dict[type, str] = {bool: "a boolean", int: "a whole number", float: "a float", str: "text"}


def _described(value: object) -> str:
    """A value and its TOML kind, as an error message shows it."""
    spelled = str(value).lower() if isinstance(value, bool) else repr(value)
    if isinstance(value, (date, datetime)):
        return f"{value.isoformat()} (a date)"
    if isinstance(value, (Mapping, list)):
        return "a table" if isinstance(value, Mapping) else "a list"
    return f"{spelled} ({_KIND_NAMES.get(type(value), type(value).__name__)})"


@dataclass(frozen=True)
class Table:
    """One `[[name]]` table of a file: `number` counts from 1 in file order, `values` is what the user wrote.

    A table inside it has the same number, and `path` says where in it: "match.", "graduated[2].".

    Every reader returns `default` for an absent key and raises ConfigurationError for a value of the wrong kind.
    """

    where: str
    name: str
    number: int
    values: Mapping[str, object]
    path: str = ""

    def place(self, key: str) -> str:
        """Where a key stands, for the head of a message."""
        return f"{self.where}: [[{self.name}]] table {self.number}, key {self.path}{key}"

    def refusal(self, key: str, problem: str) -> ConfigurationError:
        """The error for one key, to be raised by the caller."""
        return ConfigurationError(f"{self.place(key)}: {problem}")

    def expect_keys(self, known: Collection[str]) -> None:
        """Refuse the first key that is not in `known`, with the nearest known one or all of them."""
        for key in self.values:
            if key in known:
                continue
            if key == "effective_to":
                raise self.refusal(key, "it is derived, a version ends where the next one starts; remove the key")
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"the known keys are {', '.join(sorted(known))}"
            raise self.refusal(key, f"unknown key; {hint}")

    def whole(self, key: str, default: int, minimum: int = 0, maximum: int = INT64_MAX) -> int:
        """A whole number from `minimum` to `maximum`; a float or a boolean is never taken for one."""
        found = self.optional_whole(key, minimum, maximum)
        return default if found is None else found

    def optional_whole(self, key: str, minimum: int = 0, maximum: int = INT64_MAX) -> int | None:
        """As `whole`, None when absent."""
        if key not in self.values:
            return None
        value = self.values[key]
        if not isinstance(value, int) or isinstance(value, bool):
            raise self.refusal(key, f"got {_described(value)}; write a whole number without quotes or decimals")
        if not minimum <= value <= maximum:
            raise self.refusal(key, f"got {value}; write a whole number from {minimum} to {maximum}")
        return value

    def required_whole(self, key: str, minimum: int = 0, maximum: int = INT64_MAX) -> int:
        """As `whole`, for a key that every table of its kind needs."""
        found = self.optional_whole(key, minimum, maximum)
        if found is None:
            raise self._missing(key)
        return found

    def required_text(self, key: str) -> str:
        """As `text`, for a key that every table of its kind needs."""
        found = self.text(key)
        if found is None:
            raise self._missing(key)
        return found

    def _missing(self, key: str) -> ConfigurationError:
        return self.refusal(key, "missing; every table of this kind needs it")

    def flag(self, key: str, *, default: bool) -> bool:
        """True or false."""
        value = self.values.get(key, default)
        if not isinstance(value, bool):
            raise self.refusal(key, f"got {_described(value)}; write true or false")
        return value

    def text(self, key: str, default: str | None = None) -> str | None:
        """Quoted text that is not blank."""
        if key not in self.values:
            return default
        value = self.values[key]
        if not isinstance(value, str) or not value.strip():
            raise self.refusal(key, f"got {_described(value)}; write quoted text that is not blank")
        return value

    def word(self, key: str, allowed: Sequence[str], default: str) -> str:
        """One of a closed list of words."""
        value = self.values.get(key, default)
        if not isinstance(value, str) or value not in allowed:
            choices = " or ".join(f'"{word}"' for word in allowed)
            raise self.refusal(key, f"got {_described(value)}; write {choices}")
        return value

    def multiplier_ppm(self, key: str, default: int) -> int:
        """Quoted decimal text above 0 as parts per million; an unquoted number may already have lost digits."""
        return self._ppm(key, zero=False) if key in self.values else default

    def required_ppm(self, key: str) -> int:
        """As `multiplier_ppm`, from 0 on, for a key that every table of its kind needs."""
        if key not in self.values:
            raise self._missing(key)
        return self._ppm(key, zero=True)

    def _ppm(self, key: str, *, zero: bool) -> int:
        value = self.values[key]
        if not isinstance(value, str):
            meant = value if type(value) in {int, float} else "1.5"
            hint = f'put it in quotes, {key} = "{meant}", so that it is read exactly'
            raise self.refusal(key, f"got {_described(value)}; {hint}")
        return decimal_text_to_ppm(value, self.place(key), zero=zero)

    def inside(self, key: str, known: Collection[str]) -> Table:
        """The table under a key, `key = { ... }`, with these keys and no other; empty when absent."""
        return self._inner(key, self.values.get(key, {}), known)

    def each_inside(self, key: str, known: Collection[str]) -> list[Table]:
        """The tables of a list under a key, `key = [{ ... }, { ... }]`; at least one."""
        value = self.values.get(key)
        if not isinstance(value, list) or not value:
            raise self.refusal(key, f"got {_described(value)}; write a list of tables, {key} = [{{ ... }}, {{ ... }}]")
        return [self._inner(f"{key}[{place}]", found, known) for place, found in enumerate(value, start=1)]

    def _inner(self, key: str, value: object, known: Collection[str]) -> Table:
        if not isinstance(value, Mapping):
            raise self.refusal(key, f"got {_described(value)}; write a table, {{ {min(known)} = ... }}")
        table = Table(self.where, self.name, self.number, value, f"{self.path}{key}.")
        table.expect_keys(known)
        return table

    def instant(self, key: str) -> int | None:
        """A TOML date (midnight UTC) or a date-time with an offset, as epoch microseconds; None when absent."""
        if key not in self.values:
            return None
        value = self.values[key]
        if not isinstance(value, date):
            raise self.refusal(key, f"got {_described(value)}; write a date or time without quotes, {key} = 2026-09-01")
        if not isinstance(value, datetime):
            return epoch_us(datetime(value.year, value.month, value.day, tzinfo=UTC))
        if value.utcoffset() is None:
            raise self.refusal(key, f"{value.isoformat()} has no offset; add Z for UTC, {key} = {value.isoformat()}Z")
        try:
            return epoch_us(value.astimezone(UTC))
        except OverflowError:
            raise self.refusal(key, f"{value.isoformat()} is outside the years 1 to 9999 in UTC") from None


def read_tables(tables: object, name: str, where: str, known: Collection[str]) -> list[Table]:
    """Number the `[[name]]` tables of a file and refuse unknown keys.

    Anything but a list of tables (a single `[name]`, a value) is a ConfigurationError that says how to write it.
    """
    if not isinstance(tables, Sequence) or isinstance(tables, str) or not all(isinstance(t, Mapping) for t in tables):
        raise ConfigurationError(
            f"{where}: key {name}: expected a list of tables; start each one with [[{name}]] in double brackets"
        )
    numbered = [Table(where, name, number, values) for number, values in enumerate(tables, start=1)]
    for table in numbered:
        table.expect_keys(known)
    return numbered


def content_version(values: Mapping[str, object]) -> str:
    """First 12 hex digits of the SHA-256 of the values as canonical JSON: sorted keys, no spaces, UTF-8."""
    canonical = json.dumps(values, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()[:12]
