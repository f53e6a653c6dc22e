"""Paths of a profile: texts and lists of TOML as tuples of keys.

A *path* is a dotted text `"usage.prompt_tokens"`, or, where a key itself holds a dot, a list of the exact keys inside a
list of paths: `[["gen_ai.usage", "input"]]`. A flat list of texts is always *several dotted paths tried in order*; the
first one whose value is present and not null gives the value. So `["a.b", "c"]` is two paths and
`[["a.b", "c"]]` is one.
A *list path* is a dotted text whose lists are marked with `[]`: `"candidates[].parts[]"`.
"""

from __future__ import annotations

from typing import Annotated, TypeAlias

from pydantic import BeforeValidator, Field

KeyPath: TypeAlias = tuple[str, ...]
_HELP = (
    'a dotted text "a.b.c", or a list of paths tried in order (a path whose keys hold dots is itself a list of keys)'
)
ITSELF = ("line", "line_ordinal", "file_line")
"""The words of `dedup` by which a record is its own id."""


def one_path(value: object) -> KeyPath:
    """The keys of one path. Raises ValueError."""
    if isinstance(value, tuple):
        return value
    keys: list[object] = (
        list(value.split(".")) if isinstance(value, str) else list(value) if isinstance(value, list) else []
    )
    if not keys or not all(isinstance(key, str) and key and key.isprintable() for key in keys):
        message = f"expected {_HELP}, got {value!r}"
        raise ValueError(message)
    return tuple(str(key) for key in keys)


def paths(value: object) -> tuple[KeyPath, ...]:
    """One or several paths. Raises ValueError."""
    if isinstance(value, tuple):
        return value
    if isinstance(value, str):
        return (one_path(value),)
    if isinstance(value, list) and value:
        return tuple(one_path(item) for item in value)
    message = f"expected {_HELP}, got {value!r}"
    raise ValueError(message)


def id_columns(value: object) -> object:
    """`dedup`: a word, or per id column the paths tried in order (`"id|call_id"` is one column). Raises ValueError."""
    if isinstance(value, str) and value in ITSELF:
        return value
    if not isinstance(value, list) or not value:
        message = f'expected "line", "line_ordinal", "file_line" or a list of the id columns\' paths, got {value!r}'
        raise ValueError(message)
    return tuple(
        tuple(one_path(text) for text in item.split("|")) if isinstance(item, str) else (one_path(item),)
        for item in value
    )


OnePath = Annotated[KeyPath, BeforeValidator(one_path)]
Paths = Annotated[tuple[KeyPath, ...], BeforeValidator(paths)]
ListPath = Annotated[str, Field(pattern=r"^[^\s\[\]$\"'*.]+(\.[^\s\[\]$\"'*.]+|\[\])*$")]
"""Dotted, at least one list marked with `[]`; checked further by its users."""


def json_path(path: KeyPath) -> str:
    """A path as the database's JSON path."""
    return "$" + "".join('."' + key.replace("\\", "\\\\").replace('"', '\\"') + '"' for key in path)


def json_list_path(path: str) -> tuple[str, str]:
    """(path of its first list, path of all its items) of a list path, as the database's JSON paths."""
    keys = path.split(".")
    parts = [f'."{key.replace("[]", "")}"' + "[*]" * key.count("[]") for key in keys]
    first = [f'."{key}"' for key in path.split("[]", maxsplit=1)[0].split(".")]
    return "$" + "".join(first), "$" + "".join(parts)
