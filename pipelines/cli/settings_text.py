"""The text of a new tollbook.toml, from the very models that validate it: no key can be missing or out of date."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, get_args

from pydantic_core import PydanticUndefined

from pipelines.books.config_models import BooksConfig, Section, Usage

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from pydantic.fields import FieldInfo

_HEAD = """\
#:schema ./schemas/tollbook.json
# The configuration of these books. Every key is here: those without `#` are set, those behind `#` show their default.
# The variable TOLLBOOK__SECTION__KEY overrides a key; so does tollbook.NAME.toml with --env NAME.
# What changes money in time (prices, bonuses, policies) is in rates.toml, never here.
"""
_COMMENT_COLUMN = 44
# What a key takes is worth saying where it is a choice, a range or a unit; that a path is a path is not.
_SAYS_MORE = re.compile(r'"\w+" or|number|such as|true or')


def commented_config(name: str, start: date) -> str:
    """A configuration that reads plain usage files below usage/ from `start` on, with every other key explained."""
    given: dict[str, dict[str, object]] = {
        "books": {"name": name, "start": start},
        "usage": {"path": "usage/**/*", "profile": "tollbook"},
    }
    sections = [_section(key, field, given.get(key, {})) for key, field in BooksConfig.model_fields.items()]
    return "\n".join([_HEAD, *sections])


def _section(key: str, field: FieldInfo, given: Mapping[str, object]) -> str:
    model = Usage if key == "usage" else _model(field)
    title = "[[usage]]" if key == "usage" else f"[{key}]"
    about = (model.__doc__ or "").split(": ", 1)[-1].splitlines()[0]
    about = about[:1].upper() + about[1:]
    if key == "stripe":  # written out, the table would switch Stripe on
        title = f"# {title}"
    lines = [f"{title:<{_COMMENT_COLUMN}}# {about}"]
    return "\n".join([*lines, *(_key(name, info, given) for name, info in model.model_fields.items()), ""])


def _model(field: FieldInfo) -> type[Section]:
    for kind in (field.annotation, *get_args(field.annotation)):
        if isinstance(kind, type) and issubclass(kind, Section):
            return kind
    raise TypeError(field)


def _key(name: str, info: FieldInfo, given: Mapping[str, object]) -> str:
    extra: Any = info.json_schema_extra
    expected = str(extra["expected"]) if isinstance(extra, dict) else ""
    default = None if info.default is PydanticUndefined else info.default
    if name in given:
        setting = f"{name} = {_toml(given[name])}"
    else:
        setting = f"# {name} = {'...' if default in (None, '') else _toml(default)}"
    about = (
        f"{info.description} {expected[:1].upper()}{expected[1:]}." if _SAYS_MORE.search(expected) else info.description
    )
    return f"{setting:<{_COMMENT_COLUMN}}# {about}"


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Section | dict):
        return "{}"  # a table of its own, empty unless it is written out
    if isinstance(value, str | list):
        return json.dumps(value, ensure_ascii=False)
    return str(value)
