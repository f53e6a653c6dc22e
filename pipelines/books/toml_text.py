"""Edits of a TOML text that a person wrote: everything but what is asked for stays, byte for byte.

Nothing is trusted: the result is parsed again and must say exactly what the old text said, plus the edit.
"""

from __future__ import annotations

import json
import re
import tomllib
from copy import deepcopy
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, TypeAlias

from billing_core.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

TomlValue: TypeAlias = str | int | bool | date | datetime

_HEADER = re.compile(r"\s*\[\[\s*([A-Za-z0-9_-]+)\s*\]\]\s*(#.*)?")
_ANY_HEADER = re.compile(r"\s*\[")
_SETTING = re.compile(r"""(\s*[A-Za-z0-9_-]+\s*=\s*)("(?:[^"\\]|\\.)*"|'[^']*'|[^#"']*?)(\s*(?:#.*)?)""")


def with_table(text: str, name: str, values: Mapping[str, TomlValue], where: str) -> str:
    """The text with one more `[[name]]` table at its end.

    Raises ConfigurationError, with the table to add by hand, when the text is laid out so that none can follow.
    """
    ending = "\r\n" if "\r\n" in text else "\n"
    block = ending.join([f"[[{name}]]", *_settings(values)]) + ending
    gap = "" if not text else ending if text.endswith("\n") else 2 * ending
    wanted = deepcopy(_parsed(text, where))
    wanted.setdefault(name, [])
    _require(isinstance(wanted[name], list), where, block)
    wanted[name].append(dict(values))
    return _proved(text + gap + block, wanted, where, block)


def with_keys(text: str, name: str, number: int, values: Mapping[str, TomlValue], where: str) -> str:
    """The text with keys set in its `number`-th `[[name]]` table, from 1: a key that is there keeps its line.

    Raises ConfigurationError, with the lines to write by hand, when the table cannot be found as lines of its own.
    """
    ending = "\r\n" if "\r\n" in text else "\n"
    lines = text.split(ending)
    by_hand = ending.join(_settings(values)) + ending
    start, end = _span(lines, name, number, where, by_hand)
    for key, value in values.items():
        place = next((at for at in range(start, end) if re.match(rf"\s*{re.escape(key)}\s*=", lines[at])), None)
        if place is None:
            lines.insert(end, f"{key} = {toml_value(value)}")
            end += 1
            continue
        found = _SETTING.fullmatch(lines[place])
        _require(found is not None, where, by_hand)
        assert found is not None
        lines[place] = f"{found[1]}{toml_value(value)}{found[3]}"
    wanted = deepcopy(_parsed(text, where))
    wanted[name][number - 1] |= values
    return _proved(ending.join(lines), wanted, where, by_hand)


def toml_value(value: TomlValue) -> str:
    """A value as TOML writes it; an instant in UTC with `Z`."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if not isinstance(value, str):
        return str(value)
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")  # JSON's escapes are TOML's, but for DEL


def _settings(values: Mapping[str, TomlValue]) -> list[str]:
    return [f"{key} = {toml_value(value)}" for key, value in values.items()]


def _span(lines: list[str], name: str, number: int, where: str, by_hand: str) -> tuple[int, int]:
    """The lines of a table after its header, [start, end): up to its last one that is neither blank nor a comment."""
    headers = [at for at, line in enumerate(lines) if (found := _HEADER.fullmatch(line)) and found[1] == name]
    _require(len(headers) >= number, where, by_hand)
    start = headers[number - 1] + 1
    after = next((at for at in range(start, len(lines)) if _ANY_HEADER.match(lines[at])), len(lines))
    said = [at for at in range(start, after) if lines[at].strip() and not lines[at].lstrip().startswith("#")]
    return start, (said[-1] + 1 if said else start)


def _parsed(text: str, where: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{where}: not valid TOML: {error}; mend it first. Nothing was changed.") from None


def _proved(text: str, wanted: dict[str, Any], where: str, by_hand: str) -> str:
    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        found = None
    _require(found == wanted, where, by_hand)
    return text


def _require(holds: bool, where: str, by_hand: str) -> None:  # noqa: FBT001 the condition is the whole argument
    if not holds:
        raise ConfigurationError(
            f"{where}: laid out so that no command can edit it without touching the rest; write this by hand, "
            f"nothing was changed:\n{by_hand}"
        )
