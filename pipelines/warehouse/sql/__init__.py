"""The SQL of the warehouse: every statement that writes the books stands in a file of this folder."""

from __future__ import annotations

from functools import cache
from importlib.resources import files


@cache
def sql_text(name: str) -> str:
    """The text of one file of this folder, for example ``posting/insert_usage.sql``."""
    return files(__name__).joinpath(name).read_text(encoding="utf-8")


@cache
def sql_names(folder: str) -> tuple[str, ...]:
    """The .sql files of one folder, in the order of their names."""
    found = files(__name__).joinpath(folder).iterdir()
    return tuple(sorted(f"{folder}/{entry.name}" for entry in found if entry.name.endswith(".sql")))
