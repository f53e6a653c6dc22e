"""Edits of a TOML text: the rest stays byte for byte, and what cannot be edited so is refused with the text to add."""

from __future__ import annotations

import tomllib
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_core.errors import ConfigurationError
from pipelines.books.toml_text import with_keys, with_table

MIXED = """\
# ours
[[settings]]
a = 1   # one
note = "[[settings]]"

[[rate]]
id = "x"

  [[ settings ]]  # the second
a   =   2   # two
# trailing

[[rate]]
id = "y"
"""


def test_new_table_follows_everything_that_was_there() -> None:
    """The old text is a prefix of the new one, also where tables of two kinds alternate."""
    text = with_table(MIXED, "settings", {"effective_from": date(2026, 12, 1), "a": 3, "by": 'A "b"'}, "r.toml")
    assert text == MIXED + '\n[[settings]]\neffective_from = 2026-12-01\na = 3\nby = "A \\"b\\""\n'
    assert len(tomllib.loads(text)["settings"]) == 3


def test_keys_are_set_in_the_table_that_is_meant() -> None:
    """A key that is there keeps its line and comment; a new one follows the table's last setting."""
    text = with_keys(MIXED, "settings", 2, {"a": 9, "b": "new"}, "r.toml")
    assert text == MIXED.replace("a   =   2   # two", 'a   =   9   # two\nb = "new"')


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_line_endings_and_a_missing_last_one_are_kept(ending: str) -> None:
    """A file of another system stays one; a last line without its end gets it."""
    old = ending.join(["[[settings]]", "a = 1"])
    new = with_table(old, "settings", {"a": 2}, "r.toml")
    assert new == old + ending * 2 + ending.join(["[[settings]]", "a = 2", ""])


def test_instants_are_written_in_utc() -> None:
    """An instant becomes a TOML date-time with Z."""
    text = with_table("", "settings", {"effective_from": datetime(2026, 12, 1, 12, tzinfo=UTC)}, "r.toml")
    assert text == "[[settings]]\neffective_from = 2026-12-01T12:00:00Z\n"


@pytest.mark.parametrize("text", ["settings = [{a = 1}]\n", "settings = 3\n"])
def test_inline_tables_are_refused_with_what_to_write(text: str) -> None:
    """A list written inline cannot be continued; the error holds the table."""
    with pytest.raises(ConfigurationError, match=r"(?s)by hand.*\[\[settings\]\]\na = 2"):
        with_table(text, "settings", {"a": 2}, "r.toml")


def test_text_inside_a_string_is_never_taken_for_a_table() -> None:
    """A header inside a multi-line string shifts the count: refused rather than edited in the wrong place."""
    text = 'x = """\n[[settings]]\na = 1\n"""\n[[settings]]\na = 2\n'
    with pytest.raises(ConfigurationError, match="by hand"):
        with_keys(text, "settings", 1, {"a": 5}, "r.toml")


def test_broken_text_is_refused_before_anything() -> None:
    """A text that is no TOML is named as such."""
    with pytest.raises(ConfigurationError, match=r"r\.toml: not valid TOML"):
        with_table("[[settings", "settings", {"a": 1}, "r.toml")


_TABLES = st.lists(st.tuples(st.sampled_from(["settings", "rate"]), st.integers(0, 99), st.booleans()), max_size=6)


@given(_TABLES, st.integers(0, 5), st.text(max_size=12))
def test_edits_change_exactly_what_was_asked(tables: list[tuple[str, int, bool]], pick: int, value: str) -> None:
    """For any order of tables, the parsed text is the old one plus the edit, and no other line changes."""
    lines = [f"{'# about it' if said else ''}\n[[{name}]]\na = {number}  # {number}\n" for name, number, said in tables]
    text = "".join(lines)
    old = tomllib.loads(text)
    added = with_table(text, "settings", {"v": value}, "r.toml")
    assert added.startswith(text)
    assert tomllib.loads(added)["settings"] == [*old.get("settings", []), {"v": value}]
    count = len(old.get("settings", []))
    if count:
        edited = with_keys(text, "settings", pick % count + 1, {"a": value}, "r.toml")
        old["settings"][pick % count]["a"] = value
        assert tomllib.loads(edited) == old
        assert sum(a != b for a, b in zip(text.split("\n"), edited.split("\n"), strict=True)) == 1
