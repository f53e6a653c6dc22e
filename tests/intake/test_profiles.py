"""Profiles: every mistake is named with its file and key."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from billing_core.errors import ConfigurationError
from pipelines.intake.profiles import built_in_profiles, load_profile, parse_profile

if TYPE_CHECKING:
    from pathlib import Path

GOOD = 'kind = "usage"\ndedup = ["id"]\n[time]\npath = "t"\n[account]\ntry = ["a"]\n'


@pytest.mark.parametrize("name", built_in_profiles())
def test_built_in_profiles_are_valid(name: str) -> None:
    """All of them load."""
    assert load_profile(name, None).kind in ("usage", "credits", "accounts", "provider_usage")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (GOOD + "surprise = 1\n", "unknown key 'account.surprise'"),
        ("extra = 1\n" + GOOD, "unknown key 'extra'"),
        (GOOD.replace('kind = "usage"', 'kind = "usages"'), "kind"),
        (GOOD.replace('dedup = ["id"]\n', ""), "dedup is missing"),
        (GOOD.replace('["id"]', '"row"'), "dedup"),
        (GOOD.replace('path = "t"', 'path = "t"\nunit = "min"'), "unit"),
        (GOOD.replace('path = "t"', 'path = "a..b"'), "path"),
        (GOOD + '[fields]\nmodle = "m"\n', "fields.modle"),
        (GOOD + '[fields]\nmodel = { constant = "m" }\n', "const"),
        (GOOD + '[operation]\npaths = ["x"]\nmap = { a = "dance" }\n', "map"),
        (GOOD.replace('try = ["a"]', ""), "account"),
        ("kind = ", "not valid TOML"),
    ],
)
def test_mistake_is_named(text: str, message: str) -> None:
    """ConfigurationError with the file and the key, exit code 2."""
    with pytest.raises(ConfigurationError) as caught:
        parse_profile(text, "profiles/mine.toml")
    assert "profiles/mine.toml" in str(caught.value)
    assert message in str(caught.value)
    assert caught.value.exit_code == 2


def test_own_profile_comes_before_a_built_in_one(tmp_path: Path) -> None:
    """profiles/NAME.toml beside the configuration wins; an unknown name lists what exists."""
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "mine.toml").write_text(GOOD)
    (tmp_path / "profiles" / "tollbook.toml").write_text(GOOD.replace('"t"', '"other"'))
    assert load_profile("mine", tmp_path).time.path == (("t",),)
    assert load_profile("tollbook", tmp_path).time.path == (("other",),)
    with pytest.raises(ConfigurationError, match="mine, tollbook"):
        load_profile("../mine", tmp_path)


def test_forms_of_paths() -> None:
    """Dotted text, several paths, exact keys, alternatives of an id."""
    profile = parse_profile(
        GOOD.replace('["id"]', '["id|call.id", ["odd.key"]]')
        + '[fields]\nmodel = ["a.b", "c"]\nprovider = [["x.y", "z"]]\nproject_id = { const = "p" }\n',
        "x",
    )
    assert profile.dedup == ((("id",), ("call", "id")), (("odd.key",),))
    assert profile.fields["model"] == (("a", "b"), ("c",))
    assert profile.fields["provider"] == (("x.y", "z"),)
