"""`tollbook run`: what it bills, says, and ends with."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.cli.conftest import Command


def test_run_bills_every_missing_date_and_publishes(fresh: Command) -> None:
    """One line per billing date, then lines, figures, checks, findings, what waits."""
    run = fresh("run")
    assert run.code == 0, run.err
    lines = run.out.splitlines()
    assert [line.split()[0] for line in lines[1:5]] == ["2026-09-01", "2026-09-02", "2026-09-03", "2026-09-04"]
    assert "nothing new" in lines[3]
    for text in ("received", "ledger rows", "checks passed", str(fresh.folder.published), "Waiting: nothing"):
        assert text in run.out
    assert "med    2 lines quarantined" in run.out
    assert max(len(line.rstrip()) for line in lines if str(fresh.root) not in line) <= 100


def test_run_in_json_is_one_object_with_the_same_figures(fresh: Command) -> None:
    """Received is the sum of what became of it; quarantined lines are a med finding."""
    ran = fresh("--json", "run")
    document = ran.document
    lines = dict(document["lines"])
    assert lines.pop("received") == sum(lines.values()) == 7
    assert (document["tokens_billed"], document["checks_passed"]) == (450, document["checks_total"])
    assert [finding["level"] for finding in document["findings"]] == ["med"]
    assert document["dates"] == ["2026-09-01", "2026-09-02"]


def test_run_with_findings_fails_on_demand(fresh: Command) -> None:
    """Quarantined lines are med: --fail-on med ends with 3, --fail-on high does not."""
    other = type(fresh)(fresh.root.with_name("other"))
    shutil.copytree(fresh.root, other.root)
    assert fresh("run", "--fail-on", "high").code == 0
    assert other("run", "--fail-on", "med").code == 3


def test_run_with_nothing_new_says_so(tollbook: Command) -> None:
    """Nothing to do is exit 0 and one sentence; nothing is posted."""
    before = tollbook.folder.posting_log.read_bytes()
    run = tollbook("run")
    assert (run.code, run.out.strip()) == (0, "nothing new through 2026-09-04")
    assert tollbook.folder.posting_log.read_bytes() == before


def test_dry_run_changes_nothing(fresh: Command) -> None:
    """A rehearsal lists the dates and touches neither journal nor database."""
    run = fresh("--json", "run", "--dry-run")
    assert [(row["date"], row["files"]) for row in run.document["dates"]] == [("2026-09-01", 2), ("2026-09-02", 1)]
    assert not fresh.folder.database.exists()
    assert not fresh.folder.posting_log.exists()


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
        assert tollbook("run", *options).code == 2, options


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
