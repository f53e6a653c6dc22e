"""The real command killed at random times: `tollbook run` again finishes the books that the worker's own runs give."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.faults.books import FIRST, LAST, NOW, SECOND, write_books
from tests.faults.workshop import ROOT, Worker

if TYPE_CHECKING:
    from pathlib import Path

SEED = 20260901


def _run(root: Path, kill_after: float | None) -> subprocess.CompletedProcess[str]:
    """`tollbook run` in a process group of its own, which is killed after so many seconds."""
    command = [sys.executable, "-m", "pipelines.cli", "--books", str(root), "run", "--through", str(LAST)]
    environment = {**os.environ, "TOLLBOOK_NOW": NOW}
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        start_new_session=True,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            out, err = process.communicate(timeout=kill_after)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            out, err = process.communicate()
        return subprocess.CompletedProcess(command, process.returncode, out, err)


@pytest.mark.slow
def test_a_killed_command_converges(worker: Worker, tmp_path: Path) -> None:
    """Eight starts are killed; the ninth ends, and a tenth finds nothing new."""
    (tmp_path / "whole").mkdir()
    whole = write_books(tmp_path / "whole/books")
    (whole.root / "usage/extra.jsonl").unlink()
    for day in (FIRST, SECOND):
        worker.ask(whole.root, day)
    golden = worker.ask(whole.root, LAST, hashes=True)
    folder = write_books(tmp_path / "books")
    (folder.root / "usage/extra.jsonl").unlink()
    dice = random.Random(SEED)
    kills = [_run(folder.root, dice.uniform(1.0, 9.0)).returncode for _ in range(8)]
    assert kills.count(-signal.SIGKILL) >= 3
    last = _run(folder.root, None)
    assert last.returncode == 0, last.stderr
    again = _run(folder.root, None)
    assert again.returncode == 0, again.stderr
    assert f"nothing new through {LAST}" in again.stdout
    assert worker.ask(folder.root, LAST, hashes=True) == golden
    assert folder.posting_log.read_bytes() == whole.posting_log.read_bytes()
