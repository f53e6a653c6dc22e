"""One file lock: only one process at a time writes the books."""

from __future__ import annotations

import json
import os
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from billing_core.errors import BooksLockedError, ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def hold_books(lock_path: Path, command: str, wait_seconds: float = 0) -> Iterator[None]:
    """Hold the lock of the books while the block runs; `command` is what others are told they wait for.

    The operating system frees the lock when the process ends, however it ends.
    Raises BooksLockedError when another process (or another holder in this one) still has it after `wait_seconds`.
    """
    lock = FileLock(lock_path, thread_local=False)
    try:
        lock.acquire(timeout=max(wait_seconds, 0))
    except Timeout:
        msg = f"the books in {lock_path.parent} are in use by {_holder(lock_path)}; wait for it to end, then try again"
        raise BooksLockedError(msg) from None
    except OSError as error:
        msg = f"{lock_path}: cannot be locked ({error.strerror or error}); the books folder must be writable"
        raise ConfigurationError(msg) from None
    note = _note_path(lock_path)
    try:
        with suppress(OSError):  # the note only informs: a full disk must not stop a process that holds the lock
            note.write_text(json.dumps({"pid": os.getpid(), "command": command}), encoding="utf-8")
        yield
    finally:
        with suppress(OSError):
            note.unlink(missing_ok=True)
        lock.release()


def _note_path(lock_path: Path) -> Path:
    """Beside the lock and not in it: taking a lock may truncate its file."""
    return lock_path.with_name(f"{lock_path.name}.holder")


def _holder(lock_path: Path) -> str:
    try:
        note = json.loads(_note_path(lock_path).read_text(encoding="utf-8"))
        return f"`{note['command']}` (process {int(note['pid'])})"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"
