"""Other real processes: one that bills, one that has the live file open, readers of the published copy."""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pipelines.books.posting_log import PostingLog
from tests.faults.books import LAST
from tests.faults.workshop import ROOT, Stage, Worker, published_defects, whole_defects

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_HOLD_LOCK = """
import sys; from pathlib import Path
from pipelines.books.lock import hold_books
with hold_books(Path(sys.argv[1]), "tollbook run"):
    print("ready", flush=True); input()
"""
_HOLD_DATABASE = """
import sys, duckdb
connection = duckdb.connect(sys.argv[1])
print("ready", flush=True); input()
"""
_READ = """
import sys, duckdb
connection = duckdb.connect(sys.argv[1], read_only=True)
print("ready", flush=True)
for _ in sys.stdin:
    query = "SELECT max(posting_id), count(*), -sum(token_amount) FROM books.token_transactions"
    print(*connection.execute(query).fetchall()[0], flush=True)
"""


class Other:
    """Another process that runs a few lines of Python until it is let go."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def ask(self) -> str:
        """Send it an empty line; its answer."""
        if self.process.stdin is not None:
            self.process.stdin.write("\n")
            self.process.stdin.flush()
        return self.heard()

    def heard(self) -> str:
        """The next line it says."""
        return self.process.stdout.readline().strip() if self.process.stdout is not None else ""


@contextmanager
def other(code: str, path: Path) -> Iterator[Other]:
    """Start such a process on a path and wait until it is ready."""
    command = [sys.executable, "-c", code, str(path)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        someone = Other(process)
        assert someone.heard() == "ready"
        try:
            yield someone
        finally:
            process.kill()


def test_the_books_are_held_by_another_run(worker: Worker, begun: Stage, tmp_path: Path) -> None:
    """Refused at once, naming the command and its process; once it has ended, even by force, the run goes on."""
    folder = begun.copy(tmp_path / "books")
    with other(_HOLD_LOCK, folder.lock) as holder:
        answer = worker.ask(folder.root, begun.day)
        assert (answer["error"], answer["exit_code"]) == ("BooksLockedError", 4)
        assert f"in use by `tollbook run` (process {holder.process.pid})" in answer["message"]
    assert whole_defects(folder, begun, worker.ask(folder.root, begun.day, hashes=True)) == []


def test_the_live_database_is_open_elsewhere(worker: Worker, begun: Stage, tmp_path: Path) -> None:
    """Somebody's own session on the live file: the message names the process, nothing is written."""
    folder = begun.copy(tmp_path / "books")
    journal = folder.posting_log.read_bytes()
    with other(_HOLD_DATABASE, folder.database) as holder:
        answer = worker.ask(folder.root, begun.day)
        assert (answer["error"], answer["exit_code"]) == ("BooksLockedError", 4)
        assert f"is open in process {holder.process.pid}" in answer["message"]
    assert folder.posting_log.read_bytes() == journal


def test_readers_keep_their_copy_over_publications(worker: Worker, begun: Stage, tmp_path: Path) -> None:
    """A reader's file becomes the standby, which then cannot be used: a fresh copy is made, no reader sees a change."""
    folder = begun.copy(tmp_path / "books")
    with other(_READ, folder.published) as early:
        saw_first = early.ask()
        assert "error" not in worker.ask(folder.root, begun.day)
        with other(_READ, folder.published) as later:
            saw_second = later.ask()
            assert saw_second.split()[0] == "2"
            assert "error" not in worker.ask(folder.root, LAST)
            with other(_READ, folder.published) as latest:
                assert latest.ask().split()[0] == "3"
            assert later.ask() == saw_second
        assert early.ask() == saw_first
        assert saw_first.split()[0] == "1"
    heads = {done.posting_id: done.head for done in PostingLog(folder.posting_log).read_all().done}
    assert published_defects(folder, heads) == []
