"""`tollbook profile`: what there is, and what becomes of a sample, with and without books."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from pipelines.cli.app import app
from pipelines.intake.profiles import built_in_profiles, profile_text

if TYPE_CHECKING:
    from typer.testing import Result

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "tests" / "fixtures" / "samples"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder without books, on a fixed day."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TOLLBOOK_NOW", "2026-11-03T00:00:00Z")
    for name in ("COLUMNS", "TOLLBOOK_BOOKS"):  # a runner of tests may say how wide its own terminal is
        monkeypatch.delenv(name, raising=False)


def call(*words: str) -> Result:
    """Run the command."""
    return CliRunner().invoke(app, list(words))


def answer(*words: str) -> Any:
    """Its JSON object."""
    result = call("--json", *words)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_list_names_every_profile_with_what_it_reads() -> None:
    """Built-in ones with the first sentence of their comment; no books are needed."""
    rows = answer("profile", "list")["profiles"]
    assert [row["profile"] for row in rows] == built_in_profiles()
    assert all(row["reads"].endswith(".") for row in rows)


def test_own_profile_is_listed_and_wins(tmp_path: Path) -> None:
    """Inside a books folder profiles/NAME.toml stands before the built-in one of its name."""
    (tmp_path / "tollbook.toml").write_text("[books]\nstart = 2026-03-01\n")
    (tmp_path / "profiles").mkdir()
    own = "# Ours.\n" + profile_text("tollbook", None)[0]
    (tmp_path / "profiles" / "tollbook.toml").write_text(own)
    rows = {row["profile"]: row for row in answer("profile", "list")["profiles"]}
    assert (rows["tollbook"]["from"], rows["credits"]["from"]) == ("profiles/tollbook.toml", "built-in profile credits")
    assert call("profile", "show", "tollbook").stdout == own


def test_check_finds_the_profile_that_fits() -> None:
    """Without --profile the one that reads most records; the answer has every record with its counts."""
    found = answer("profile", "check", str(SAMPLES / "openai_responses.jsonl"), "--limit", "0")
    assert found["profile"] == "openai_responses"
    assert found["counts"] == {"accepted": 4, "duplicate": 1, "ignored": 1, "quarantined": 1}
    assert found["received"] == len(found["records"]) == 7
    assert found["records"][0]["cache_read_tokens"] == 1792
    assert found["records"][3] | {"reason": "not_final", "disposition": "ignored"} == found["records"][3]


def test_check_reads_a_file_of_the_books_by_their_profile(tmp_path: Path) -> None:
    """A file that a [[usage]] block matches is read by that block's profile, even where it does not fit."""
    config = '[books]\nstart = 2026-03-01\n[[usage]]\npath = "usage/*.jsonl"\nprofile = "anthropic_messages"\n'
    (tmp_path / "tollbook.toml").write_text(config)
    (tmp_path / "usage").mkdir()
    (tmp_path / "usage" / "x.jsonl").write_bytes((SAMPLES / "openai_images.jsonl").read_bytes())
    assert answer("profile", "check", "usage/x.jsonl")["profile"] == "anthropic_messages"


def test_check_writes_nothing(tmp_path: Path) -> None:
    """Not even a folder appears."""
    before = sorted(tmp_path.rglob("*"))
    sample = str(SAMPLES / "litellm_spendlogs.jsonl")
    assert call("profile", "check", sample, "--profile", "litellm_spendlogs").exit_code == 0
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("check", "nowhere.jsonl"), "is not a file"),
        pytest.param(("check", "odd.jsonl"), "no profile reads a single record", marks=pytest.mark.slow),
        (("check", "odd.jsonl", "--profile", "acme"), "does not exist"),
        (("show", "acme"), "does not exist"),
    ],
)
def test_mistakes_are_said(tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    """Exit code 2, what is wrong, and what to do."""
    (tmp_path / "odd.jsonl").write_text('{"a": 1}\nnot json\n')
    result = call("profile", *words)
    assert result.exit_code == 2
    assert said in " ".join(result.stderr.split())


def test_worked_example_of_the_documentation(tmp_path: Path) -> None:
    """The profile and the lines of docs/profiles.md give the table that stands below them."""
    page = (ROOT / "docs" / "profiles.md").read_text("utf-8")
    for info, name in (("toml profile", "profiles/acme_gateway.toml"), ("json", "usage/2026-11-02.jsonl")):
        found = re.search(rf"^```{info}\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
        assert found is not None
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text(found[1])
    (tmp_path / "tollbook.toml").write_text("[books]\nstart = 2026-11-01\n")
    shown = re.search(r"^```\n\$ tollbook (profile check .*?)\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert shown is not None
    printed = call(*shown[1].split()).stdout
    assert [line.rstrip() for line in printed.splitlines()] == shown[2].splitlines()
