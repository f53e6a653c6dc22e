"""The verbs that only look: status, accounts, quarantine, doctor, verify; text and JSON say the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb
import pytest

from tests.cli.conftest import LAST

if TYPE_CHECKING:
    from tests.cli.conftest import Command


def test_status_tells_what_was_posted_and_held(tollbook: Command) -> None:
    """Per date what was posted, and the quarantine by reason."""
    status = tollbook("--json", "status").document
    assert [(row["date"], row["posted"]) for row in status["dates"]] == [("2026-09-01", 2), ("2026-09-02", 1)]
    assert {row["reason"]: row["lines"] for row in status["quarantine"]} == {"unknown_account": 1, "invalid_json": 1}
    assert status["waiting"] == []


def test_status_tells_a_late_file_that_waits(tollbook: Command) -> None:
    """A file of a billed date waits for the last one billed and counts as late."""
    (tollbook.root / "usage/2026-09-01-b.jsonl").write_text("{}\n", encoding="utf-8")
    status = tollbook("--json", "status").document
    assert status["dates"][-1] | {"date": "2026-09-02", "waiting": 1, "late": 1} == status["dates"][-1]
    assert "usage/2026-09-01-b.jsonl" in tollbook("status").out


def test_status_says_what_the_next_run_will_stop_at(tollbook: Command) -> None:
    """A broken price file is told by the verb that people look at first, in both forms."""
    (tollbook.root / "rates.toml").write_text("[[settings]]\ndefault_token_multiplier = 1.6\n", encoding="utf-8")
    status = tollbook("--json", "status")
    assert (status.code, '"1.6"' in status.document["stopped_by"]) == (0, True)
    assert "the next run will stop" in tollbook("status").err


def test_accounts_are_listed_with_balances(tollbook: Command) -> None:
    """10,000 welcome tokens less what was billed, in both forms."""
    listed = tollbook("--json", "accounts", "list").document
    assert {row["account_id"]: row["balance"] for row in listed["accounts"]} == {"ada": 9_700, "bob": 9_850}
    assert "9,700" in tollbook("accounts", "list").out


def test_account_is_shown_with_lots_and_ledger(tollbook: Command) -> None:
    """One account: figures, open lots, last ledger rows."""
    shown = tollbook("--json", "accounts", "show", "ada").document
    assert shown["account"]["balance"] == sum(lot["remaining"] for lot in shown["lots"])
    assert shown["transactions"][0]["balance_after"] == 9_700
    assert "Open lots" in tollbook("accounts", "show", "ada").out


def test_unknown_account_is_a_usage_error(tollbook: Command) -> None:
    """An account that the books do not know ends with 2 and says how to find one."""
    shown = tollbook("accounts", "show", "nobody")
    assert (shown.code, "tollbook accounts list" in shown.err) == (2, True)


def test_quarantine_is_valued_at_the_settings_of_today(tollbook: Command) -> None:
    """1,000 tokens of a stranger at x 1.5; a line that cannot be read has no value."""
    listed = tollbook("--json", "quarantine", "list").document
    valued = {row["reason"]: (row["tokens_at_stake"], row["not_valued"]) for row in listed["reasons"]}
    assert valued == {"unknown_account": (1_500, 0), "invalid_json": (0, 1)}
    assert listed["tokens_at_stake"] == 1_500


def test_quarantined_row_is_shown_by_the_columns_of_its_header(tollbook: Command) -> None:
    """Each cell beside its column, empty and missing ones too; without the file, the cells that were kept."""
    rows = ["x1;ada;2026-09-03T10:00:00Z;1x;2;\n", "x2;ada;2026-09-03T10:00:00Z;7\n"]
    path = tollbook.root / "usage/2026-09-03.csv"
    path.write_text("event_id;account_id;occurred_at;input_tokens;output_tokens;model\n" + "".join(rows), "utf-8")
    tollbook.bill("2026-09-05T07:00:00Z", LAST)
    show = ("quarantine", "show", "--file", "usage/2026-09-03.csv")
    shown = " ".join(tollbook(*show).out.split())
    for text in (
        "usage/2026-09-03.csv, line 2 reason invalid_integer (input_tokens)",
        "event_id x1 account_id ada occurred_at 2026-09-03T10:00:00Z input_tokens 1x output_tokens 2 model (empty)",
        "reason column_count (4 cells where the header has 6)",
        "input_tokens 7 output_tokens (no cell) model (no cell)",
    ):
        assert text in shown
    path.unlink()
    assert "input_tokens 1x output_tokens 2" in " ".join(tollbook(*show).out.split())


def test_quarantined_raw_text_cannot_steer_the_terminal(tollbook: Command) -> None:
    """The raw bytes of a held line are shown with their control characters escaped."""
    shown = tollbook("quarantine", "show", "--reason", "invalid_json")
    assert shown.code == 0
    assert "\\x1b[31m" in shown.out
    assert "\x1b" not in shown.out


def test_retry_posts_what_passes_now(tollbook: Command) -> None:
    """Once the account is there, the retried call is billed and no longer held."""
    accounts = (
        '{"account_id": "stranger", "created_at": "2026-09-01T00:00:00Z", "updated_at": "2026-09-01T00:00:00Z"}\n'
    )
    (tollbook.root / "accounts/more.jsonl").write_text(accounts, encoding="utf-8")
    assert tollbook("run").code == 0
    retried = tollbook("--json", "quarantine", "retry", "--reason", "unknown_account").document
    assert (retried["resolved"], retried["tokens_billed"]) == (1, 1_500)


@pytest.mark.slow
def test_retry_leaves_out_what_has_no_raw_bytes(tollbook: Command) -> None:
    """Past their retention the lines cannot be read again: that is said, and stops nothing else."""
    for path in (tollbook.root / "warehouse/quarantine").glob("*.parquet"):
        path.unlink()
    alone = tollbook("quarantine", "retry", "--all")
    assert (alone.code, "past [privacy] retention_days" in alone.err) == (2, True)
    (tollbook.root / "usage/2026-09-02-c.jsonl").write_text("not JSON\n", encoding="utf-8")
    tollbook("run", "--through", "2026-09-02")
    retried = tollbook("--json", "quarantine", "retry", "--all").document
    assert (retried["retried"], retried["left_out"]) == (1, 2)


def test_retry_wants_to_be_told_what(tollbook: Command) -> None:
    """Neither a filter nor --all, and a filter that matches nothing, are usage errors."""
    assert tollbook("quarantine", "retry").code == 2
    assert tollbook("quarantine", "retry", "--reason", "nothing_like_it").code == 2
    assert tollbook("quarantine", "show", "--line", "3").code == 2


def test_doctor_finds_healthy_books_healthy(tollbook: Command) -> None:
    """Only the fixed clock of the test is worth a warning."""
    seen = tollbook("--json", "doctor")
    assert seen.code == 0
    assert [item["what"] for item in seen.document["examined"] if item["verdict"] != "ok"] == ["clock"]


def test_doctor_finds_and_cuts_a_torn_line(tollbook: Command) -> None:
    """A torn last line is a failure with its remedy; --fix cuts it and nothing else."""
    before = tollbook.folder.posting_log.read_bytes()
    tollbook.folder.posting_log.write_bytes(before + b'{"seq":')
    torn = tollbook("doctor")
    assert torn.code == 3
    assert "doctor --fix" in torn.out
    assert tollbook("doctor", "--fix").code == 0
    assert tollbook.folder.posting_log.read_bytes() == before


def test_doctor_finds_a_missing_database(tollbook: Command) -> None:
    """A journal without its database is a failure that names the rebuild."""
    tollbook.folder.database.unlink()
    seen = tollbook("doctor")
    assert (seen.code, "--rebuild --adopt" in seen.out) == (3, True)


def test_doctor_finds_missing_guards(tollbook: Command) -> None:
    """A database whose append-only triggers were dropped is a failure."""
    with duckdb.connect(str(tollbook.folder.database)) as connection:
        connection.execute("DROP TRIGGER books_token_usage_update ON books.token_usage").complete()
    seen = {item["what"]: item["verdict"] for item in tollbook("--json", "doctor").document["examined"]}
    assert seen["append-only guards"] == "fail"


def test_verify_passes_sound_books_and_keeps_the_outcome(tollbook: Command) -> None:
    """Every check passes, exit 0, and the outcome stands in audit.verifications."""
    verified = tollbook("--json", "verify")
    assert verified.code == 0, verified.err
    assert verified.document["checks_passed"] == verified.document["checks_total"]
    with duckdb.connect(str(tollbook.folder.database), read_only=True) as connection:
        kept = connection.execute("SELECT count(*), bool_and(passed) FROM audit.verifications").fetchall()
    assert kept == [(verified.document["checks_total"], True)]


@pytest.mark.slow
def test_verify_finds_a_changed_ledger_row(tollbook: Command) -> None:
    """A row that was changed past its guard fails its check and its seal: critical, exit 3."""
    with duckdb.connect(str(tollbook.folder.database)) as connection:
        connection.execute("DROP TRIGGER books_token_transactions_update ON books.token_transactions").complete()
        connection.execute(
            "UPDATE books.token_transactions SET description = 'forged' WHERE account_id = 'ada' AND account_seq = 2"
        ).fetchall()
    verified = tollbook("--json", "verify")
    failed = {check["name"] for check in verified.document["checks"] if not check["passed"]}
    assert (verified.code, failed) == (3, {"block_hashes", "published_copy"})
    assert tollbook("verify", "--fail-on", "never").code == 0


@pytest.mark.slow
def test_verify_finds_an_edited_journal(tollbook: Command) -> None:
    """A journal whose line was edited is a finding, not a crash."""
    text = tollbook.folder.posting_log.read_text(encoding="utf-8")
    tollbook.folder.posting_log.write_text(text.replace('"received":', '"recieved":', 1), encoding="utf-8")
    verified = tollbook("--json", "verify")
    failed = {check["name"] for check in verified.document["checks"] if not check["passed"]}
    assert (verified.code, "posting_journal" in failed) == (3, True)


@pytest.mark.slow
def test_verify_finds_a_published_copy_of_something_else(tollbook: Command) -> None:
    """A published copy with a changed balance is found."""
    with duckdb.connect(str(tollbook.folder.published)) as connection:
        connection.execute("UPDATE books.token_accounts SET balance = balance + 1 WHERE account_id = 'ada'").fetchall()
    verified = tollbook("--json", "verify")
    failed = {check["name"] for check in verified.document["checks"] if not check["passed"]}
    assert failed == {"published_copy"}


@pytest.mark.slow
def test_verify_finds_views_of_the_copy_that_are_not_ours(tollbook: Command) -> None:
    """A check view that finds nothing any more, one that is gone and a stranger are named; the next run mends them."""
    with duckdb.connect(str(tollbook.folder.published)) as connection:
        for statement in (
            "CREATE OR REPLACE VIEW checks.signs AS SELECT * FROM books.token_transactions WHERE false",
            "DROP VIEW checks.lots",
            "CREATE VIEW checks.all_is_well AS SELECT 1 AS one WHERE false",
        ):
            connection.execute(statement).fetchall()
    verified = tollbook("--json", "verify")
    failed = {check["name"]: check["first_rows"] for check in verified.document["checks"] if not check["passed"]}
    assert verified.code == 3
    assert {row["view"]: row["defect"] for row in failed["published_views"]} == {
        "checks.all_is_well": "not a view that this version ships",
        "checks.lots": "missing",
        "checks.signs": "edited",
    }
    assert tollbook("run").code == 0
    assert tollbook("verify").code == 0


@pytest.mark.slow
def test_verify_finds_raw_bytes_altered_missing_and_gone(tollbook: Command) -> None:
    """Other bytes of a held record, a record without bytes, and a whole file gone before its time are named."""
    first, second = sorted(tollbook.folder.quarantine.glob("*.parquet"))
    with duckdb.connect() as connection:
        connection.execute(
            f"COPY (SELECT * REPLACE (encode('forged') AS raw) FROM read_parquet('{first}')) TO '{first}.new'"
            " (FORMAT parquet)"
        )
    first.with_name(f"{first.name}.new").replace(first)
    kept = second.read_bytes()
    for defect, change in (
        ("is missing before its retention is over", second.unlink),
        ("cannot be read", lambda: second.write_bytes(kept[:50])),
    ):
        change()
        verified = tollbook("--json", "verify")
        (found,) = (check for check in verified.document["checks"] if not check["passed"])
        assert found["name"] == "raw_quarantine"
        altered, other = found["first_rows"]
        assert (altered["posting_id"], altered["defect"]) == ("1", "its bytes were altered")
        assert (other["posting_id"], defect in other["defect"]) == ("2", True)
    later = {"TOLLBOOK_NOW": "2026-12-01T00:00:00Z"}
    second.unlink()
    first.unlink()
    assert tollbook("verify", env=later).code == 0, "after the retention nothing has to be there"


def test_doctor_reads_every_profile(tollbook: Command) -> None:
    """What is wrong with a profile is said with its file and key: a failure where it is used, else a warning."""
    profiles = tollbook.folder.profiles
    profiles.mkdir()
    (profiles / "gateway.toml").write_text('kind = "usage"\ndedup = ["id"]\nsurprise = 1\n', encoding="utf-8")
    seen = {item["what"]: item for item in tollbook("--json", "doctor").document["examined"]}
    assert seen["profile tollbook"]["verdict"] == "ok"
    assert seen["profile gateway"]["verdict"] == "warn"
    assert "surprise" in seen["profile gateway"]["detail"]
    text = tollbook.folder.config.read_text(encoding="utf-8")
    block = '[[usage]]\npath = "other/*"\nprofile = "gateway"\n'
    tollbook.folder.config.write_text(text + block, encoding="utf-8")
    looked = tollbook("doctor")
    assert (looked.code, "profiles/gateway.toml" in looked.out) == (3, True)
