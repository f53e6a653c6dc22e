"""`tollbook settings`: show, history, set; a change is dated, proved, journalled and leaves the rest as it was."""

from __future__ import annotations

import hashlib
import json
import re
from datetime import date
from typing import TYPE_CHECKING

import duckdb
import pytest

from billing_core.errors import ConfigurationError

if TYPE_CHECKING:
    from tests.cli.conftest import Command

WHO = ("--actor", "ana", "--reason", "provider prices rose")
RATES = """\
# Our prices.

[[settings]]   # since ever
default_token_multiplier = "1.5"   # agreed with sales
"""


def test_settings_without_a_file_are_the_defaults(tollbook: Command) -> None:
    """No rates.toml: the defaults hold from the beginning, and both forms say so."""
    shown = tollbook("--json", "settings", "show").document
    settings = shown["settings"]
    assert (shown["file"], shown["effective_from"]) == (None, None)
    assert (settings["default_token_multiplier"], settings["new_user_bonus_tokens"]) == ("1.5", 10_000)
    assert "the defaults hold" in tollbook("settings", "show").out


def test_set_adds_a_version_and_keeps_every_byte_before_it(tollbook: Command) -> None:
    """The old text is a prefix of the new file; the value holds from the day on and not before."""
    path = tollbook.root / "rates.toml"
    path.write_text(RATES, encoding="utf-8")
    path.chmod(0o640)
    changed = tollbook("--json", "settings", "set", "default_token_multiplier", "1.6", "--from", "2026-10-01", *WHO)
    assert changed.code == 0, changed.err
    assert path.read_text(encoding="utf-8").startswith(RATES)
    assert path.stat().st_mode & 0o777 == 0o640
    before = tollbook("--json", "settings", "show", "--at", "2026-09-30T23:59:59.999999Z").document
    after = tollbook("--json", "settings", "show", "--at", "2026-10-01").document
    found = [shown["settings"]["default_token_multiplier"] for shown in (before, after)]
    assert found == ["1.5", "1.6"]
    assert (after["updated_by"], after["reason"]) == ("ana", "provider prices rose")


def test_change_is_journalled_with_both_hashes_and_kept_texts(tollbook: Command) -> None:
    """Actor, reason and sha256 before and after stand in the chained journal, and both texts among its objects."""
    path = tollbook.root / "rates.toml"
    path.write_text(RATES, encoding="utf-8")
    before = hashlib.sha256(RATES.encode()).hexdigest()
    changed = tollbook("--json", "settings", "set", "new_user_bonus_tokens", "0", "--from", "2026-10-01", *WHO).document
    after = hashlib.sha256(path.read_bytes()).hexdigest()
    line = json.loads(tollbook.folder.admin_journal.read_text(encoding="utf-8").splitlines()[-1])
    assert line["change"] == {
        "file": "rates.toml",
        "what": "new_user_bonus_tokens = 0 from 2026-10-01T00:00:00Z",
        "sha256_before": before,
        "sha256_after": after,
    }
    assert (line["actor"], line["action"], line["seq"]) == ("ana", "settings", changed["seq"])
    for sha256 in (before, after):
        assert (tollbook.folder.objects / sha256[:2] / sha256[2:]).is_file()


def test_second_setting_of_the_same_day_joins_its_version(tollbook: Command) -> None:
    """Two settings from one day are one version; a third changes its line in place."""
    for key, value in (
        ("default_token_multiplier", "1.6"), ("low_balance_threshold", "2000"), ("low_balance_threshold", "3000"),
    ):  # fmt: skip
        assert tollbook("settings", "set", key, value, "--from", "2026-10-01", *WHO).code == 0
    history = tollbook("--json", "settings", "history").document
    assert [row["sets"] for row in history["versions"]][1:] == [
        {"default_token_multiplier": "1.6", "low_balance_threshold": 3000}
    ]
    assert [row["state"] for row in history["versions"]] == ["in force", "coming"]
    assert [row["what"].partition(" from ")[0] for row in history["changes"]] == [
        'default_token_multiplier = "1.6"',
        "low_balance_threshold = 2000",
        "low_balance_threshold = 3000",
    ]


@pytest.mark.parametrize(
    ("key", "value", "start", "message"),
    [
        ("default_token_multiplier", "0", "2026-10-01", "is zero; write a value above 0"),
        ("default_token_multiplier", "1.1234567", "2026-10-01", "at most six|at most 6|7 decimals"),
        ("default_token_multiplier", "1.5", "2026-10-01", "is 1.5 already"),
        ("partial_error", "maybe", "2026-10-01", 'write "free" or "bill"'),
        ("low_balance_threshold", "1.5", "2026-10-01", "whole number"),
        ("low_balance_threshold", "1000000000001", "2026-10-01", "from 0 to"),
        ("default_multiplier", "1.6", "2026-10-01", "did you mean default_token_multiplier"),
        ("default_token_multiplier", "1.6", "2026-10-01T00:00:00", "with its offset"),
        ("default_token_multiplier", "1.6", "tomorrow", "expected a day"),
        (
            "default_token_multiplier",
            "1.6",
            "2026-09-02",
            "1 call since then is posted.* would touch 1 row of them, by .10 tokens",
        ),
        ("default_token_multiplier", "1.6", "2026-07-01", "before the first version"),
    ],
)
def test_wrong_change_is_refused_and_changes_nothing(
    tollbook: Command, key: str, value: str, start: str, message: str
) -> None:
    """Exit 2, a message that says why, no other byte in the file, no entry in the journal."""
    path = tollbook.root / "rates.toml"
    path.write_text(RATES.replace("# since ever", "\neffective_from = 2026-08-01"), encoding="utf-8")
    before = path.read_bytes()
    refused = tollbook("settings", "set", key, value, "--from", start, *WHO)
    assert (refused.code, bool(re.search(message, refused.err))) == (2, True), refused.err
    assert path.read_bytes() == before
    assert not tollbook.folder.admin_journal.exists()


def test_actor_and_reason_are_asked_for(tollbook: Command) -> None:
    """Nobody changes a price without a name."""
    refused = tollbook("settings", "set", "default_token_multiplier", "1.6", "--from", "2026-10-01")
    assert (refused.code, (tollbook.root / "rates.toml").exists()) == (2, False)
    blank = tollbook(
        "settings", "set", "default_token_multiplier", "1.6", "--from", "2026-10-01", "--actor", " ", "--reason", "x"
    )
    assert (blank.code, (tollbook.root / "rates.toml").exists()) == (2, False)


def test_retroactive_change_posts_nothing_and_says_what_it_leaves(tollbook: Command) -> None:
    """With --retroactive the file changes; the posted call keeps its price and the next run adds no row."""
    with duckdb.connect(str(tollbook.folder.published), read_only=True) as reader:
        rows = reader.execute("SELECT * FROM books.token_transactions ORDER BY ALL").fetchall()
    changed = tollbook(
        "--json", "settings", "set", "default_token_multiplier", "3", "--from", "2026-09-02", "--retroactive", *WHO
    )
    assert (changed.code, changed.document["posted_calls_since"]) == (0, 1)
    assert (changed.document["calls_to_restate"], changed.document["tokens_to_restate"]) == (1, 150)
    assert "posts nothing" in changed.err
    tollbook.bill("2026-09-06T06:00:00Z", date(2026, 9, 5))
    with duckdb.connect(str(tollbook.folder.published), read_only=True) as reader:
        assert reader.execute("SELECT * FROM books.token_transactions ORDER BY ALL").fetchall() == rows


@pytest.mark.slow
def test_posting_reads_the_entry_without_a_ledger_row_and_rebuilds(tollbook: Command) -> None:
    """The next posting keeps the change in audit.admin_actions, moves no token, and a rebuild gives the same hashes."""
    assert tollbook("settings", "set", "default_token_multiplier", "1.6", "--from", "2026-09-20", *WHO).code == 0
    tollbook.bill("2026-09-06T06:00:00Z", date(2026, 9, 5))
    with duckdb.connect(str(tollbook.folder.published), read_only=True) as reader:
        found = reader.execute(
            "SELECT actor, action, account_id, token_amount, change->>'what' FROM audit.admin_actions"
        ).fetchall()
        last = reader.execute("SELECT ledger_rows FROM audit.postings ORDER BY posting_id DESC LIMIT 1").fetchall()
        postings = reader.execute("SELECT count(*) FROM audit.postings").fetchall()
    assert found == [("ana", "settings", None, None, 'default_token_multiplier = "1.6" from 2026-09-20T00:00:00Z')]
    assert last == [(0,)]
    tollbook.bill("2026-09-07T06:00:00Z", date(2026, 9, 6))
    with duckdb.connect(str(tollbook.folder.published), read_only=True) as reader:
        assert reader.execute("SELECT count(*) FROM audit.postings").fetchall() == postings, "read once, no news after"
    verified = tollbook("verify", "--rebuild")
    assert verified.code == 0, verified.out + verified.err
    assert "default_token_multiplier" in tollbook("admin", "list").out


def test_version_edited_after_calls_were_billed_under_it_is_listed(tollbook: Command) -> None:
    """History shows the version that the books still hold, with its calls."""
    (tollbook.root / "rates.toml").write_text('[[settings]]\ndefault_token_multiplier = "9"\n', encoding="utf-8")
    (tollbook.root / "usage/2026-09-05.jsonl").write_text("\n", encoding="utf-8")
    tollbook.bill("2026-09-06T06:00:00Z", date(2026, 9, 5))
    history = tollbook("--json", "settings", "history").document
    assert [row["calls"] for row in history["superseded"]] == [3]
    assert "Edited or removed" in tollbook("settings", "history").out


def test_books_in_use_are_left_alone(tollbook: Command) -> None:
    """While another process holds the books nothing is changed: exit 4."""
    from pipelines.books.lock import hold_books

    with hold_books(tollbook.folder.lock, "a run"):
        locked = tollbook("settings", "set", "default_token_multiplier", "1.6", "--from", "2026-10-01", *WHO)
    assert (locked.code, (tollbook.root / "rates.toml").exists()) == (4, False)


def test_refused_journal_leaves_the_file_alone(tollbook: Command) -> None:
    """When the entry cannot be written, the price does not change and no half-made file is left behind."""
    path = tollbook.root / "rates.toml"
    path.write_text(RATES, encoding="utf-8")
    tollbook.folder.admin_journal.write_text('{"seq":', encoding="utf-8")
    torn = tollbook("settings", "set", "default_token_multiplier", "1.6", "--from", "2026-10-01", *WHO)
    assert (torn.code, "torn" in torn.err) == (1, True)
    assert path.read_text(encoding="utf-8") == RATES
    assert [found.name for found in tollbook.root.iterdir() if found.name.startswith(".new-")] == []


def test_link_stays_a_link(tollbook: Command) -> None:
    """A rates.toml that leads elsewhere, into a repository of prices, is changed there."""
    shared = tollbook.root.parent / "prices.toml"
    shared.write_text(RATES, encoding="utf-8")
    (tollbook.root / "rates.toml").symlink_to(shared)
    assert tollbook("settings", "set", "default_token_multiplier", "1.6", "--from", "2026-10-01", *WHO).code == 0
    assert (tollbook.root / "rates.toml").is_symlink()
    assert '"1.6"' in shared.read_text(encoding="utf-8")


def test_file_that_others_changed_meanwhile_is_not_overwritten(tollbook: Command) -> None:
    """An editor that saved between reading and replacing wins: nothing is lost."""
    from pipelines.books.config import load_config
    from pipelines.books.dated_files import put_in_place, rates_file
    from pipelines.books.dated_settings import draft_setting

    path = tollbook.root / "rates.toml"
    path.write_text(RATES, encoding="utf-8")
    file = rates_file(tollbook.folder, load_config(tollbook.folder))
    draft = draft_setting(file, "default_token_multiplier", "1.6", date(2026, 10, 1), actor="ana", reason="x")
    path.write_text(RATES + "# mine\n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="changed by somebody else"):
        put_in_place(tollbook.folder, draft, actor="ana", reason="x")
    assert path.read_text(encoding="utf-8") == RATES + "# mine\n"
