"""What goes wrong ends with its own exit code and one sentence, never with a traceback or a secret."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

from billing_core.errors import TollbookError
from pipelines.cli.failures import report, without_secrets
from pipelines.cli.invocation import Invocation
from pipelines.cli.output import LogFormat, Output
from tests.cli.conftest import NOW

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from tests.cli.conftest import Command


def test_no_books_folder(tmp_path: Path, tollbook: Command) -> None:
    """A folder without tollbook.toml: exit 2 and how to make one."""
    asked = type(tollbook)(tmp_path)("status")
    assert (asked.code, "tollbook init" in asked.err, asked.out) == (2, True, "")


def test_bad_key_is_named_with_its_line(tollbook: Command) -> None:
    """An unknown key: exit 2, file, line and the likely word."""
    with tollbook.folder.config.open("a", encoding="utf-8") as file:
        file.write("[ledger]\nwelcome_bonis = 'books'\n")
    asked = tollbook("run")
    assert asked.code == 2
    assert "tollbook.toml, line 11" in asked.err
    assert "welcome_bonus" in asked.err


def test_missing_secret_and_unknown_profile(tollbook: Command) -> None:
    """A secret that is not set and a profile that is not there: exit 2, named."""
    text = tollbook.folder.config.read_text(encoding="utf-8")
    secret = text.replace('profile = "tollbook"\n', 'profile = "tollbook"\nhmac_secret_env = "NO_SUCH_SECRET"\n')
    tollbook.folder.config.write_text(secret, encoding="utf-8")
    asked = tollbook("run")
    assert (asked.code, "NO_SUCH_SECRET is not set" in asked.err) == (2, True)
    tollbook.folder.config.write_text(text.replace('"tollbook"', '"no_such_profile"'), encoding="utf-8")
    asked = tollbook("run")
    assert (asked.code, "no_such_profile" in asked.err) == (2, True)


def test_unreadable_input_waits_and_is_named(tollbook: Command) -> None:
    """A link that leads nowhere is no input: it waits with its reason, the run goes on."""
    (tollbook.root / "usage/2026-09-03.jsonl").symlink_to(tollbook.root / "nowhere")
    run = tollbook("run")
    assert run.code == 0
    assert "2026-09-03.jsonl" in run.out + run.err


def test_error_in_json_is_one_line(tollbook: Command) -> None:
    """With --log-format json the error is a JSON line that carries the exit code."""
    asked = tollbook("--log-format", "json", "accounts", "show", "nobody")
    line = json.loads(asked.err)
    assert (line["level"], line["exit_code"], asked.code) == ("error", 2, 2)


def test_books_held_by_another_process(tollbook: Command) -> None:
    """While another process holds the books: exit 4, and who it is; a run has something to do."""
    (tollbook.root / "usage/2026-09-02-new.jsonl").write_text("{}\n", encoding="utf-8")
    code = (
        "import sys; from pathlib import Path; from pipelines.books.lock import hold_books\n"
        "with hold_books(Path(sys.argv[1]), 'tollbook run'): print('held', flush=True); sys.stdin.read()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(tollbook.folder.lock)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        signed = ["--actor", "jo", "--reason", "goodwill"]
        for verb in (["verify"], ["run"], ["admin", "block", "ada", *signed]):
            asked = tollbook(*verb)
            assert (asked.code, f"process {holder.pid}" in asked.err) == (4, True), (verb, asked)
        assert tollbook("status").code == 0
    finally:
        holder.communicate("")


def test_database_held_by_another_process(tollbook: Command) -> None:
    """While another process has the database open: exit 4."""
    code = "import duckdb, sys; held = duckdb.connect(sys.argv[1]); print('held', flush=True); sys.stdin.read()"
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(tollbook.folder.database)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        asked = tollbook("verify")
        assert (asked.code, str(holder.pid) in asked.err) == (4, True)
    finally:
        holder.communicate("")


def test_unknown_error_leaves_its_traceback_in_a_file(
    tollbook: Command, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A bug is a short line and a private file, in which no secret stands."""
    monkeypatch.setenv("APP_SECRET", "correct-horse-battery")
    code = report(ValueError("lost correct-horse-battery"), Invocation(tollbook.root))
    said = capsys.readouterr().err
    (kept,) = (tollbook.folder.warehouse / "logs").iterdir()
    assert code == 1
    assert str(kept) in said
    assert "correct-horse" not in said + kept.read_text(encoding="utf-8")
    assert kept.stat().st_mode & 0o077 == 0


def test_interruption_behind_another_error_is_an_interruption(capsys: pytest.CaptureFixture[str]) -> None:
    """Ctrl-C stays Ctrl-C when a library wraps it: exit 130."""
    error = TollbookError("the database refused a statement")
    error.__cause__ = KeyboardInterrupt()
    assert report(error, Invocation()) == 130
    assert "interrupted; nothing half done" in capsys.readouterr().err


def test_error_that_stands_behind_itself_is_reported(capsys: pytest.CaptureFixture[str]) -> None:
    """A circle of causes, as libraries make when they raise an error anew, ends."""
    first, second = TollbookError("first"), TollbookError("second")
    first.__cause__, second.__cause__ = second, first
    assert report(first, Invocation()) == 1
    assert capsys.readouterr().err == "error: first\n"


def test_full_disk_is_said_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    """No space left: exit 1 and what to do."""
    assert report(OSError(errno.ENOSPC, "No space left on device", "x.jsonl"), Invocation()) == 1
    assert "the disk is full" in capsys.readouterr().err


def test_stripe_keys_are_never_repeated() -> None:
    """A key in a message is masked, whatever variable it came from."""
    assert without_secrets("bad key sk_live_abcdefgh1234") == "bad key ***"


def test_quiet_says_errors_only(capsys: pytest.CaptureFixture[str]) -> None:
    """--quiet drops notes, not errors."""
    output = Output(quiet=True, log_format=LogFormat.TEXT)
    output.note("by the way")
    output.error("broken")
    assert capsys.readouterr().err == "error: broken\n"


def _run(arguments: list[str], cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    command = [os.path.join(os.path.dirname(sys.executable), "tollbook"), *arguments]  # noqa: PTH118, PTH120
    variables = {**os.environ, "TOLLBOOK_NOW": NOW, **env}
    return subprocess.run(command, cwd=cwd, env=variables, capture_output=True, text=True, check=False)


def test_decoys_in_the_current_folder_are_not_run(tollbook: Command) -> None:
    """Folders named like our packages where one happens to stand never replace the installed code."""
    for package in ("pipelines", "reports", "billing_core"):
        (tollbook.root / package).mkdir()
        (tollbook.root / package / "__init__.py").write_text("raise SystemExit('decoy')\n", encoding="utf-8")
    assert _run(["--version"], tollbook.root).stdout.startswith("tollbook ")
    status = _run(["--json", "status"], tollbook.root)
    assert json.loads(status.stdout)["postings"] == 2, status.stderr


def test_help_is_light() -> None:
    """Asking for help loads none of the slow libraries."""
    code = (
        "import sys; sys.argv = ['tollbook', '--help']\n"
        "try:\n    from pipelines.cli import main; main()\n"
        "except SystemExit as end: print('code', end.code)\n"
        "print([name for name in ('dagster', 'polars', 'stripe', 'duckdb', 'pydantic') if name in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "Begin:" in shown
    assert shown.splitlines()[-2:] == ["code 0", "[]"]


def test_wrong_option_is_a_usage_error(tollbook: Command) -> None:
    """A verb or an option that is not there ends with 2."""
    assert tollbook("runn").code == 2
    assert tollbook("run", "--thru", "today").code == 2


def test_module_is_the_command(tmp_path: Path) -> None:
    """`python -m pipelines.cli` is `tollbook`."""
    command = [sys.executable, "-P", "-m", "pipelines.cli", "--version"]
    shown = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert shown.stdout.startswith("tollbook ")
