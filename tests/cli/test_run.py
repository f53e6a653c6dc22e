"""`tollbook run`: what it bills, says, and ends with."""

from __future__ import annotations

import os
import re
from datetime import date
from typing import TYPE_CHECKING

import pytest

from pipelines.billing import bill_range, open_books
from pipelines.books.config import load_config
from pipelines.idle import is_idle
from pipelines.outlook import look_ahead
from reports.published import open_published, publication
from tests.cli.conftest import LAST, NOW, usage_line

if TYPE_CHECKING:
    from tests.cli.conftest import Command


def test_run_bills_every_missing_date_and_publishes(new: Command) -> None:
    """One line per date with news, one for the others; lines, figures, checks, findings below --fail-on, what waits."""
    early, unread = usage_line(8, 1).replace("09-01T", "08-31T"), usage_line(9, 1)[:-2] + ', "cost_usd": "cheap"}\n'
    (new.root / "usage/2026-08-31.jsonl").write_text(early + early.replace("e8", "e7") + unread, encoding="utf-8")
    (new.root / "usage/notes.txt").write_text("not usage", encoding="utf-8")
    run = new("run", "--fail-on", "high")
    assert run.code == 0, run.err
    lines = run.out.splitlines()
    assert [line.split()[0] for line in lines[1:4]] == ["2026-09-01", "2026-09-02", "2026-09-03"]
    assert lines[3].endswith("nothing new through 2026-09-04 (2 dates)")
    assert not lines[4]
    said = " ".join(run.out.split())
    assert "low 2 lines dated before the first day of the books" in said
    assert "low 1 line whose own cost is no amount" in said
    assert "the first is usage/2026-08-31.jsonl, line 3" in said
    for page in (run.out, new("status").out):
        assert re.search(r"^usage/notes.txt +unsupported, its name ends in none of .jsonl", page, re.MULTILINE)
    for text in ("received", "ledger rows", "checks passed", str(new.folder.published), "Waiting: nothing"):
        assert text in run.out
    assert "med    2 lines quarantined" in run.out
    assert max(len(line.rstrip()) for line in lines if str(new.root) not in line) <= 100


def test_run_in_json_is_one_object_with_the_same_figures(fresh: Command) -> None:
    """Received is the sum of what became of it; quarantined lines are a med finding, with which --fail-on med ends."""
    ran = fresh("--json", "run", "--fail-on", "med")
    document = ran.document
    lines = dict(document["lines"])
    assert lines.pop("received") == sum(lines.values()) == 7
    assert (document["tokens_billed"], document["checks_passed"]) == (450, document["checks_total"])
    assert [finding["level"] for finding in document["findings"]] == ["med"]
    assert document["dates"] == ["2026-09-01", "2026-09-02"]
    assert ran.code == 3


def test_run_with_nothing_new_says_so(tollbook: Command) -> None:
    """Nothing to do is exit 0 and one sentence; nothing is posted."""
    before = tollbook.folder.posting_log.read_bytes()
    run = tollbook("run")
    assert (run.code, run.out.strip()) == (0, "nothing new through 2026-09-04")
    assert tollbook.folder.posting_log.read_bytes() == before
    assert not tollbook.folder.dagster_home.exists(), "where nothing is new, Dagster is not started"


def test_run_looks_itself_where_the_copy_is_no_proof(tollbook: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Idle is only what was published after the date was over, and after everything else that a run reads."""
    monkeypatch.setenv("TOLLBOOK_NOW", NOW)
    folder, config = tollbook.folder, load_config(tollbook.folder)
    outlook = look_ahead(folder, config)

    def idle(through: date = LAST) -> bool:
        return is_idle(folder, config, outlook, through, bare=True)

    assert idle()
    monkeypatch.setenv("TOLLBOOK__ENGINE__THREADS", "2")
    assert not idle()
    monkeypatch.delenv("TOLLBOOK__ENGINE__THREADS")
    published = folder.published.stat().st_mtime_ns
    (folder.root / "rates.toml").write_text("", encoding="utf-8")
    assert not idle()
    os.utime(folder.root / "rates.toml", ns=(published - 1, published - 1))
    assert idle()
    os.utime(folder.published, (1_788_000_000, 1_788_000_000))  # 29 August 2026
    assert not idle()


@pytest.mark.slow
def test_copy_left_behind_is_published_by_a_run_for_an_earlier_date(
    tollbook: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A posting that was never published reaches readers with the next run, whatever dates it names."""
    monkeypatch.setenv("TOLLBOOK_NOW", NOW)
    (tollbook.root / "usage/2026-09-03.jsonl").write_text(usage_line(9, 3), encoding="utf-8")
    with open_books(tollbook.folder, command="a test") as books:
        (posted,) = bill_range(books, date(2026, 9, 3), LAST, bare=True, on_date=lambda *_: None)
    run = tollbook("run", "--through", "2026-09-01")
    assert (run.code, run.out.strip()) == (0, "nothing new through 2026-09-01")
    with open_published(tollbook.folder.published) as copy:
        assert publication(copy).posting_id == posted.posting_id


@pytest.mark.slow
def test_refused_file_is_a_finding_every_time(tollbook: Command) -> None:
    """As long as it lies there unsigned, --fail-on high ends with 3, also when nothing is new."""
    block = '[[usage]]\nname = "signed"\npath = "signed/*"\nprofile = "tollbook"\nhmac_secret_env = "SIGN"\n'
    tollbook.folder.config.write_text(tollbook.folder.config.read_text(encoding="utf-8") + block, encoding="utf-8")
    (tollbook.root / "signed").mkdir()
    (tollbook.root / "signed/2026-09-03.jsonl").write_text(usage_line(9, 3), encoding="utf-8")
    secret = {"SIGN": "sixteen characters"}
    for postings in (1, 0, 0):
        run = tollbook("--json", "run", "--fail-on", "high", env=secret)
        assert (run.code, run.document["postings"]) == (3, postings)
        assert [finding["text"] for finding in run.document["findings"]] == [
            "signed/2026-09-03.jsonl: refused, unsigned"
        ]


def test_dry_run_changes_nothing(new: Command) -> None:
    """A rehearsal lists the dates and touches neither journal nor database."""
    run = new("--json", "run", "--dry-run")
    assert [(row["date"], row["files"]) for row in run.document["dates"]] == [("2026-09-01", 2), ("2026-09-02", 1)]
    assert not new.folder.database.exists()
    assert not new.folder.posting_log.exists()


def test_run_says_what_waits_and_why(tollbook: Command) -> None:
    """A file of today is not billed by a run through yesterday, and the run says so."""
    (tollbook.root / "usage/2026-09-05.jsonl").write_text("{}\n", encoding="utf-8")
    run = tollbook("run")
    assert "nothing new through 2026-09-04" in run.out
    assert "usage/2026-09-05.jsonl" in run.out
    assert "2026-09-05" in tollbook("--json", "run").document["waiting"][0]["why"]


def test_dates_that_cannot_be_billed_are_usage_errors(tollbook: Command) -> None:
    """A date to come, one before the start, a reversed range, and no date at all end with 2."""
    for options in (
        ["--through", "2026-09-06"],
        ["--from", "2026-08-31"],
        ["--from", "2026-09-04", "--through", "2026-09-03"],
        ["--through", "tomorrow"],
        ["--fail-on", "sometimes"],
    ):
        refused = tollbook("run", *options)
        assert (refused.code, "Value error" in refused.err) == (2, False), options


def test_grant_waits_for_the_next_run_and_is_posted_by_it(tollbook: Command) -> None:
    """An admin entry only stands in the journal until a run posts it."""
    entry = tollbook("--json", "admin", "grant", "ada", "500", "--actor", "jo", "--reason", "goodwill").document
    assert (entry["seq"], entry["token_amount"], entry["actor"]) == (1, 500, "jo")
    assert tollbook("--json", "admin", "list").document["entries"][0]["posting_id"] is None
    assert tollbook("run", "--through", "today").code == 0
    assert tollbook("--json", "admin", "list").document["entries"][0]["posting_id"] == 3
    assert tollbook("--json", "accounts", "show", "ada").document["account"]["balance"] == 10_200


def test_admin_refuses_what_cannot_stand(tollbook: Command) -> None:
    """No actor, no reason, no such account, no tokens: exit 2, and the journal stays empty."""
    signed = ["--actor", "jo", "--reason", "goodwill"]
    nobody = tollbook("admin", "grant", "adda", "5", *signed)
    assert (nobody.code, "did you mean ada?" in nobody.err) == (2, True)
    assert tollbook("admin", "grant", "ada", "5", "--reason", "goodwill").code == 2
    assert tollbook("admin", "block", "ada", "--actor", "jo").code == 2
    assert tollbook("admin", "deduct", "ada", "0", *signed).code == 2
    assert not tollbook.folder.admin_journal.exists()
    assert tollbook("admin", "block", "ada", "--reason", "fraud", env={"TOLLBOOK_ACTOR": "jo"}).code == 0


@pytest.mark.slow
def test_lost_price_file_stops_the_run(tollbook: Command) -> None:
    """Where a posting ran under rates.toml, the built-in prices never take its place by themselves."""
    rates = tollbook.root / "rates.toml"
    text = '[[settings]]\ndefault_token_multiplier = "1.7"\n'
    rates.write_text(text, encoding="utf-8")
    (tollbook.root / "usage/2026-09-03.jsonl").write_text(usage_line(9, 3), encoding="utf-8")
    tollbook.bill(NOW, LAST)
    rates.unlink()
    (tollbook.root / "usage/2026-09-04.jsonl").write_text(usage_line(10, 4), encoding="utf-8")
    run = tollbook("run")
    assert (run.code, "no such file, but posting 3 ran under one" in run.err) == (2, True)
    assert "no such file" in tollbook("doctor").out.replace("\n", " ")
    (kept,) = (
        path for path in tollbook.folder.objects.rglob("*") if path.is_file() and path.read_bytes() == text.encode()
    )
    assert str(kept) in run.err.replace("\n", "")
    rates.write_bytes(kept.read_bytes())
    assert tollbook("--json", "run").document["postings"] == 1


@pytest.mark.slow
def test_pattern_without_a_model_is_named_by_the_run_that_posts_first(fresh: Command) -> None:
    """Before, nobody can know; after its own calls the run can, and says so once."""
    rule = '[[rate]]\nid = "odd"\nmultiplier = "2"\nmatch = { model = "zzz-*" }\n'
    (fresh.root / "rates.toml").write_text(rule, encoding="utf-8")
    assert "nothing is posted yet" in fresh("doctor").out.replace("\n", " ")
    run = fresh("run")
    assert run.code == 0
    assert run.err.count("matches 'zzz-*'") == 1
