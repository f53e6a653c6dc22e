"""One setting from a day on: as a new `[[settings]]` version, or in the version that starts right then."""

from __future__ import annotations

import difflib
import re
import tomllib
from typing import TYPE_CHECKING

from billing_core.errors import ConfigurationError
from billing_core.instants import utc_text
from billing_core.settings import Settings
from pipelines.books.dated_files import Draft, start_us
from pipelines.books.toml_text import toml_value, with_keys, with_table

if TYPE_CHECKING:
    from datetime import date, datetime

    from billing_core.settings import SettingsBook
    from pipelines.books.dated_files import DatedFile
    from pipelines.books.toml_text import TomlValue

_WHOLE = re.compile(r"-?[0-9]{1,30}")
_NOT_A_SETTING = {"effective_from"}


def setting_keys() -> list[str]:
    """Every key that a version of the settings may state, but for its dates and who wrote it."""
    return sorted(set(Settings().content()) - _NOT_A_SETTING)


def typed_setting(key: str, text: str) -> TomlValue:
    """The value that a text on the command line stands for. Raises ConfigurationError; ranges are the loader's matter.

    Amounts are whole numbers, the multiplier and the policies are text: decimals are never read as floats.
    """
    if key not in setting_keys():
        near = difflib.get_close_matches(key, setting_keys(), n=1)
        hint = f"did you mean {near[0]}?" if near else f"the settings are {', '.join(setting_keys())}"
        raise ConfigurationError(f"KEY: {key!r} is no setting; {hint}")
    if not isinstance(Settings().content()[key], int):
        return text
    if not _WHOLE.fullmatch(text):
        raise ConfigurationError(f"VALUE: {key} is a whole number of tokens, cents or a priority; got {text!r}")
    return int(text)


def draft_setting(
    file: DatedFile, key: str, value: TomlValue, start: date | datetime, *, actor: str, reason: str
) -> Draft:
    """The file with `key` set from `start` on. The version that starts right then is extended, else one is added.

    Raises ConfigurationError for a start before the first version's: that version would lose what it reaches back to.
    """
    tables = tomllib.loads(file.text).get("settings", [])
    stated = [start_us(table["effective_from"]) if "effective_from" in table else None for table in tables]
    first = min((at for at in stated if at is not None), default=None)
    if first is not None and None not in stated and start_us(start) < first:
        raise ConfigurationError(
            f"--from: {utc_text(start_us(start))} is before the first version of {file.name} ({utc_text(first)}), "
            "which reaches back without limit; a version before it must be written by hand, with every key"
        )
    what = f"{key} = {toml_value(value)} from {utc_text(start_us(start))}"
    signed: dict[str, TomlValue] = {key: value, "updated_by": actor, "reason": reason}
    if start_us(start) in stated:
        number = stated.index(start_us(start)) + 1
        return Draft(file, with_keys(file.text, "settings", number, signed, file.name), what)
    table = {"effective_from": start, **signed}
    text = file.text
    if not tables:  # defaults reach back as a version of their own, which the new one follows
        text = with_table(text, "settings", {"reason": "the defaults"}, file.name)
    return Draft(file, with_table(text, "settings", table, file.name), what)


def later_versions(book: SettingsBook, key: str, start: int) -> list[tuple[int, object]]:
    """(start in epoch microseconds, value) of `key` in every version after an instant."""
    return [
        (version.effective_from, version.content()[key])
        for version in book.versions
        if version.effective_from is not None and version.effective_from > start
    ]
