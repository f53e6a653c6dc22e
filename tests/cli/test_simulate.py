"""`tollbook simulate`: table, JSON and CSV say the same; what is wrong is refused before anything is priced."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Command

DOUBLE = '[[settings]]\ndefault_token_multiplier = "3"\n'


def _rates(folder: Path, text: str = DOUBLE, name: str = "double.toml") -> str:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text, encoding="utf-8")
    return str(folder / name)


def test_table_json_and_csv_say_the_same(tollbook: Command, tmp_path: Path) -> None:
    """450 tokens at 1.5 are 900 at 3: ada 300 more, bob 150; no call goes unpriced."""
    rates, out = _rates(tmp_path / "new"), tmp_path / "out.csv"
    tried = tollbook("--json", "simulate", "--rates", rates, "--output", str(out))
    assert tried.code == 0, tried.err
    books = tried.document["books"]
    assert (books["posted"]["billable_tokens"], books["double"]["billable_tokens"]) == (450, 900)
    assert (books["double"]["accounts_billed_more"], books["double"]["calls_billed_otherwise"]) == (2, 3)
    by_account = {row["account_id"]: row["books"]["double"] for row in tried.document["accounts"]}
    assert {name: row["change_tokens"] for name, row in by_account.items()} == {"ada": 300, "bob": 150}
    with out.open(encoding="utf-8", newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if row["book"] == "double"]
    assert {row["account_id"]: int(row["change_tokens"]) for row in rows} == {"ada": 300, "bob": 150}
    assert out.stat().st_mode & 0o777 == 0o600
    text = tollbook("simulate", "--rates", rates).out
    assert all(
        word in text for word in ("900", "+450", "+100.0 %", "double: the largest changes", "nothing was posted")
    )


def test_rates_in_force_change_nothing(tollbook: Command) -> None:
    """The books' own rates.toml as a candidate: every change is 0."""
    (tollbook.root / "rates.toml").write_text('[[settings]]\ndefault_token_multiplier = "1.5"\n', encoding="utf-8")
    own = tollbook("--json", "simulate", "--rates", str(tollbook.root / "rates.toml")).document["books"]["rates"]
    assert (own["change_tokens"], own["calls_billed_otherwise"], own["accounts_billed_more"]) == (0, 0, 0)


def test_totals_leave_accounts_out(tollbook: Command, tmp_path: Path) -> None:
    """Tokens and money only; the span is inclusive of its last day."""
    rates = _rates(tmp_path / "new")
    short = tollbook("--json", "simulate", "--rates", rates, "--totals", "--from", "2026-09-02", "--to", "2026-09-02")
    assert ("accounts" in short.document, "ran_dry" in short.document["books"]["double"]) == (False, False)
    assert (short.document["calls"], short.document["books"]["double"]["billable_tokens"]) == (1, 300)


def test_books_of_one_name_are_told_apart(tollbook: Command, tmp_path: Path) -> None:
    """Two files of one name have their folder before it; one called like the posted figures has a number behind it."""
    files = [_rates(tmp_path / "a"), _rates(tmp_path / "b"), _rates(tmp_path, name="posted.toml")]
    flags = [part for path in files for part in ("--rates", path)]
    assert list(tollbook("--json", "simulate", *flags).document["books"]) == [
        "posted", "a/double", "b/double", "posted (3)",
    ]  # fmt: skip


def test_other_packages_value_the_trial_and_not_what_was_posted(tollbook: Command, tmp_path: Path) -> None:
    """At a package of 1 cent a token, 900 tokens are 9.00; the posted ones stay at the books' smallest package."""
    packages = '[[package]]\npackage_id = "one"\npackage_name = "One"\ntoken_amount = 1\nprice_cents = 1\n'
    dear = _rates(tmp_path, packages, "packages.toml")
    books = tollbook("--json", "simulate", "--rates", _rates(tmp_path / "new"), "--packages", dear).document["books"]
    assert (books["posted"]["revenue"], books["double"]["revenue"]) == ({"usd": 5}, {"usd": 900})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[settings]]\ndefault_token_multiplier = 1.5\n", "key default_token_multiplier: got 1.5 (a float)"),
        ("[[settings]]\nmultiplier = 1\n", "unknown key"),
        ("[[settings\n", "not valid TOML"),
    ],
)
def test_wrong_rates_are_refused_by_name(tollbook: Command, tmp_path: Path, text: str, message: str) -> None:
    """Exit 2 with the file, the table and the key."""
    refused = tollbook("simulate", "--rates", _rates(tmp_path / "new"), "--rates", _rates(tmp_path, text, "bad.toml"))
    assert (refused.code, "bad.toml" in refused.err, message in refused.err) == (2, True, True), refused.err


def test_what_cannot_be_meant_is_refused(tollbook: Command, fresh: Command, tmp_path: Path) -> None:
    """A missing file, one named twice, a span that is empty, an output that exists, books without a published copy."""
    rates = _rates(tmp_path / "new")
    (tmp_path / "there.csv").touch()
    wrong = {
        ("--rates", str(tmp_path / "none.toml")): "no such file",
        ("--rates", rates, "--rates", rates): "named twice",
        ("--rates", rates, "--packages", str(tmp_path / "none.toml")): "no such file",
        ("--rates", rates, "--from", "2026-09-02", "--to", "2026-09-01"): "no call lies between",
        ("--rates", rates, "--from", "2026-09-02T10:00:00"): "with its offset",
        ("--rates", rates, "--output", str(tmp_path / "there.csv")): "exists already",
        (): "Missing option",
    }
    for arguments, message in wrong.items():
        refused = tollbook("simulate", *arguments)
        assert (refused.code, message in refused.err) == (2, True), (arguments, refused.err)
    nothing = fresh("simulate", "--rates", rates)
    assert (nothing.code, "nothing was published" in nothing.err) == (2, True)
