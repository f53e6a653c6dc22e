"""What is wrong in tollbook.toml, said in the user's words: file, line, key, got, expected. Never a secret."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING, Any, get_args

from pydantic import BaseModel

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from pydantic import ValidationError
    from pydantic_core import ErrorDetails

Key = tuple[int | str, ...]
_VALUE_LENGTH_MAX = 60
# A value under such a key is never repeated: people write the secret itself there.
_SENSITIVE = re.compile(r"secret|key|token|password|env", re.IGNORECASE)


class Origins:
    """Where each key was written: a file and line, or an environment variable."""

    def __init__(self) -> None:
        """Know nothing yet; later files and variables win over earlier ones."""
        self._keys: dict[Key, str] = {}
        self._first_file = ""

    def add_file(self, path: Path, tables: dict[str, Any]) -> dict[str, Any]:
        """Note where a file writes its keys; return its tables unchanged."""
        self._first_file = self._first_file or path.name
        lines = _line_numbers(path.read_text(encoding="utf-8"))
        for section, table in tables.items():
            blocks = enumerate(table) if isinstance(table, list) else [("", table)]
            for index, block in blocks:
                prefix: Key = (section,) if index == "" else (section, index)
                self._note(path.name, lines, prefix)
                for key in block if isinstance(block, dict) else ():
                    self._note(path.name, lines, (*prefix, key))
        return tables

    def add_variable(self, variable: str, section: str, key: str) -> None:
        """Note a key that an environment variable sets."""
        self._keys[section, key] = variable

    def of(self, key: Key) -> str:
        """Return where a key was written, else its table, else the first file."""
        while key and key not in self._keys:
            key = key[:-1]
        return self._keys.get(key, self._first_file)

    def _note(self, file: str, lines: Mapping[Key, int], key: Key) -> None:
        line = lines.get(key)
        self._keys[key] = f"{file}, line {line}" if line else file


def problem_lines(error: ValidationError, origins: Origins, root: type[BaseModel]) -> list[str]:
    """Return one line per problem of a validation error."""
    return [_problem(details, origins, root) for details in error.errors(include_url=False, include_context=False)]


def _problem(details: ErrorDetails, origins: Origins, root: type[BaseModel]) -> str:
    location = _within_model(details["loc"], root)
    where = f"{origins.of(location)}: {_key_name(location)}"
    model, field_name = _model_of(location, root)
    known = list(model.model_fields)
    if details["type"] == "extra_forbidden":
        close = difflib.get_close_matches(field_name, known, n=1)
        hint = f"did you mean `{close[0]}`?" if close else f"expected one of {', '.join(known)}"
        return f"{where}: unknown key; {hint}"
    expected = _expected(model, field_name)
    if details["type"] == "missing":
        return f"{where}: missing; expected {expected}"
    return f"{where}: got {_shown(field_name, details['input'])}, expected {expected}"


def _within_model(location: Sequence[int | str], root: type[BaseModel]) -> Key:
    """Cut a location after the first key that is no table of ours: the rest names positions inside a value."""
    if len(location) > 1 and location[0] == "usage":
        return tuple(location[:3])
    return tuple(location[:2]) if location and location[0] in root.model_fields else tuple(location[:1])


def _model_of(location: Key, root: type[BaseModel]) -> tuple[type[BaseModel], str]:
    """Return the model that a location's last key belongs to, and that key."""
    if len(location) == 1 or isinstance(location[-1], int):
        return root, str(location[0])
    annotation = root.model_fields[str(location[0])].annotation
    for model in (annotation, *get_args(annotation)):
        if isinstance(model, type) and issubclass(model, BaseModel):
            return model, str(location[-1])
    return root, str(location[-1])


def _expected(model: type[BaseModel], field_name: str) -> str:
    extra = model.model_fields[field_name].json_schema_extra if field_name in model.model_fields else None
    if isinstance(extra, dict):
        return str(extra["expected"])
    brackets = f"[[{field_name}]]" if field_name == "usage" else f"[{field_name}]"
    return f"a table {brackets}"


def _key_name(location: Key) -> str:
    if location and location[0] == "usage":
        block = f" {int(location[1]) + 1}" if len(location) > 1 else ""
        return f"[[usage]]{block}" + (f" {location[2]}" if len(location) > len(("usage", "index")) else "")
    return f"[{location[0]}]" + (f" {location[1]}" if len(location) > 1 else "")


def _shown(field_name: str, value: object) -> str:
    """Write a value as the user did, short, and not at all where it may be a secret."""
    if _SENSITIVE.search(field_name) and field_name != "metadata_keys":
        return "a value that is not shown here"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list | tuple):
        return "a list"
    text = f'"{value}"' if isinstance(value, str) else str(value)
    return text if len(text) <= _VALUE_LENGTH_MAX else f"{text[:_VALUE_LENGTH_MAX]}..."


def _line_numbers(text: str) -> dict[Key, int]:
    """Find the line of each table header and key; good enough to point at, not a parser."""
    lines: dict[Key, int] = {}
    blocks: dict[str, int] = {}
    prefix: Key = ()
    for number, line in enumerate(text.splitlines(), start=1):
        if header := re.match(r"\s*(\[\[?)\s*([\w-]+)\s*\]", line):
            section = header[2]
            if header[1] == "[[":
                blocks[section] = blocks.get(section, -1) + 1
                prefix = (section, blocks[section])
            else:
                prefix = (section,)
            lines.setdefault(prefix, number)
        elif assignment := re.match(r"\s*([\w-]+)\s*=", line):
            lines.setdefault((*prefix, assignment[1]), number)
    return lines
