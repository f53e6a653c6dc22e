"""A disk that fills up at any moment: a clear error, nothing half done, and the next run goes on.

The kernel refuses the writes (RLIMIT_FSIZE in the worker's child), so the database and the journal meet a real error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.faults.workshop import Stage, Worker, point, published_defects, whole_defects

if TYPE_CHECKING:
    from pathlib import Path

    from tests.faults.worker import Job

_KIB = 1024


def _refused(answer: Job) -> str:
    """The message of a job that a full disk ended."""
    assert (answer["killed"], answer.get("error"), answer["exit_code"]) == (False, "TollbookError", 1), answer
    return str(answer["message"])


# (step, nth of its kind, bytes that a file may have or None for ten more than it has, what the message says)
_INTENT_LINE = ("write postings.jsonl", 1, None, "postings.jsonl: could not be written (File too large)")
_POSTING = [
    ("sql BEGIN (posting)", 1, 4 * _KIB, "the disk is full"),
    ("sql COMMIT (posting)", 1, 4 * _KIB, "the disk is full"),
]
_DONE_LINE = ("write postings.jsonl", 1, None, "postings.jsonl: could not be written (File too large)")
_PUBLISHED = [
    (label, 1, 4 * _KIB, "could not be brought forward")
    for label in ("sql CREATE SCHEMA IF NOT EXISTS published.audit", "sql COMMIT (publish)", "sql CHECKPOINT published")
]


def test_a_disk_that_fills_up_at_every_step(worker: Worker, begun: Stage, tmp_path: Path) -> None:
    """Each run is refused where the disk is full, readers keep the copy of before, and the last run has room."""
    folder = begun.copy(tmp_path / "books")
    published, before = folder.published.read_bytes(), folder.posting_log.read_bytes()
    for number, step in enumerate((_INTENT_LINE, *_POSTING, _DONE_LINE, *_PUBLISHED)):
        label, nth, size, expected = step
        answer = worker.ask(folder.root, begun.day, **point(begun, label, nth, "limit", bytes=size))
        message = _refused(answer)
        assert expected in message, step
        assert "Free some space" in message or "Free some disk space" in message or "nothing was recorded" in message
        assert folder.published.read_bytes() == published, step
        journal = folder.posting_log.read_bytes()
        assert begun.journal.startswith(journal), step
        assert number > 0 or journal == before
    answer = worker.ask(folder.root, begun.day, hashes=True)
    assert whole_defects(folder, begun, answer) == []


@pytest.mark.slow
def test_new_books_get_a_little_more_room_each_time(worker: Worker, new: Stage, tmp_path: Path) -> None:
    """Refused in clear words until there is room, and then the same books; also when not even a file can be made."""
    folder = new.copy(tmp_path / "books")
    at = point(new, "sql SELECT source, sha256, path", 1, "limit", bytes=100)
    message = _refused(worker.ask(folder.root, new.day, limit=0))
    assert "the disk is full" in message
    assert "objects: could not be written (File too large); nothing was posted" in _refused(
        worker.ask(folder.root, new.day, **at)
    )
    assert b'"kind":"intent"' not in folder.posting_log.read_bytes()
    for size in (1, 64, 3072):
        _refused(worker.ask(folder.root, new.day, limit=size * _KIB))
        assert published_defects(folder, new.heads) == []
    answer = worker.ask(folder.root, new.day, hashes=True)
    assert whole_defects(folder, new, answer) == []


@pytest.mark.parametrize("size", [4, *(pytest.param(size, marks=pytest.mark.slow) for size in (0, 1, 8))])
def test_a_database_that_could_not_even_be_made_is_made_by_the_next_run(
    worker: Worker, new: Stage, tmp_path: Path, size: int
) -> None:
    """No half file is left under its name."""
    folder = new.copy(tmp_path / "books")
    _refused(worker.ask(folder.root, new.day, limit=size * _KIB))
    assert not folder.database.exists()
    assert "error" not in worker.ask(folder.root)
