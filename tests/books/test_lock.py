"""One writer at a time, across real processes."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from billing_core.errors import BooksLockedError, ConfigurationError
from pipelines.books.lock import hold_books

if TYPE_CHECKING:
    from pathlib import Path

HOLDER = """
import sys, pathlib
from pipelines.books.lock import hold_books
with hold_books(pathlib.Path(sys.argv[1]), "tollbook run"):
    print("held", flush=True)
    sys.stdin.read()
"""


def start_holder(lock: Path) -> subprocess.Popen[str]:
    """Start a process that holds the lock until its input ends."""
    arguments = [sys.executable, "-c", HOLDER, str(lock)]
    process = subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_another_process_is_named(tmp_path: Path) -> None:
    """The refusal tells the command and process id of the holder, and has exit code 4."""
    lock = tmp_path / ".tollbook.lock"
    with start_holder(lock) as holder:
        with (
            pytest.raises(BooksLockedError, match=rf"`tollbook run` \(process {holder.pid}\)") as caught,
            hold_books(lock, "tollbook admin"),
        ):
            pass
        assert caught.value.exit_code == 4
        holder.communicate()
    with hold_books(lock, "tollbook admin"):
        pass


def test_a_killed_holder_frees_the_books(tmp_path: Path) -> None:
    """The operating system gives the lock back; the note left behind misleads nobody."""
    lock = tmp_path / ".tollbook.lock"
    with start_holder(lock) as holder:
        holder.kill()
    with hold_books(lock, "tollbook run"):
        pass


def test_one_may_wait_for_the_holder(tmp_path: Path) -> None:
    """Within the time allowed the lock is taken as soon as it is free."""
    lock = tmp_path / ".tollbook.lock"
    with start_holder(lock) as holder:
        started = time.monotonic()
        with pytest.raises(BooksLockedError), hold_books(lock, "tollbook admin", wait_seconds=0.2):
            pass
        assert time.monotonic() - started >= 0.2
        assert holder.stdin is not None
        holder.stdin.close()
        with hold_books(lock, "tollbook admin", wait_seconds=30):
            pass


def test_the_same_process_cannot_hold_it_twice(tmp_path: Path) -> None:
    """A second holder in this process is as wrong as one in another."""
    lock = tmp_path / ".tollbook.lock"
    with hold_books(lock, "tollbook run"), pytest.raises(BooksLockedError), hold_books(lock, "tollbook close"):
        pass


def test_an_error_inside_frees_the_books(tmp_path: Path) -> None:
    """And leaves no note."""
    lock = tmp_path / ".tollbook.lock"
    with pytest.raises(ZeroDivisionError), hold_books(lock, "tollbook run"):
        _ = 1 // 0
    with hold_books(lock, "tollbook run"):
        pass
    assert not lock.with_name(".tollbook.lock.holder").exists()


def test_a_folder_that_cannot_hold_a_lock_is_a_configuration_error(tmp_path: Path) -> None:
    """The message names the path; here the lock's own place is taken by a folder."""
    (tmp_path / ".tollbook.lock").mkdir()
    with pytest.raises(ConfigurationError, match=r"cannot be locked"), hold_books(tmp_path / ".tollbook.lock", "x"):
        pass
