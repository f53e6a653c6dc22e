"""A disk that fills up at any moment: a clear error, nothing half done, and the next run goes on.

The kernel refuses the writes (RLIMIT_FSIZE in the worker's child), so the database and the journal meet a real error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.faults.workshop import Stage, Worker, point, published_defects, whole_defects

if TYPE_CHECKING:
    from pathlib import Path

    from pipelines.books.folder import BooksFolder
    from tests.faults.worker import Job

_KIB = 1024


def _refused(answer: Job) -> str:
    """The message of a job that a full disk ended."""
    assert (answer["killed"], answer.get("error"), answer["exit_code"]) == (False, "TollbookError", 1), answer
    return str(answer["message"])


def _finish(worker: Worker, stage: Stage, folder: BooksFolder) -> list[str]:
    """Run the job once more with room on the disk; what is not as it must be."""
    return whole_defects(folder, stage, worker.ask(folder.root, stage.day, hashes=True))


def test_the_intent_line_does_not_fit(worker: Worker, begun: Stage, tmp_path: Path) -> None:
    """Half a line is taken back at once; nothing is posted."""
    folder = begun.copy(tmp_path / "books")
    before = folder.posting_log.read_bytes()
    answer = worker.ask(folder.root, begun.day, **point(begun, "write postings.jsonl", 1, "limit"))
    assert "postings.jsonl: could not be written (File too large)" in _refused(answer)
    assert folder.posting_log.read_bytes() == before
    assert _finish(worker, begun, folder) == []


def test_the_done_line_does_not_fit(worker: Worker, begun: Stage, tmp_path: Path) -> None:
    """The posting stands; the next run writes the line before anything else."""
    folder = begun.copy(tmp_path / "books")
    answer = worker.ask(folder.root, begun.day, **point(begun, "write postings.jsonl", 2, "limit"))
    assert "postings.jsonl: could not be written (File too large)" in _refused(answer)
    assert folder.posting_log.read_bytes() == begun.journal[: len(folder.posting_log.read_bytes())]
    assert _finish(worker, begun, folder) == []


def test_a_kept_input_does_not_fit(worker: Worker, new: Stage, tmp_path: Path) -> None:
    """Configuration and small inputs are kept before the intent line: nothing was announced yet."""
    folder = new.copy(tmp_path / "books")
    at = point(new, "sql SELECT source, path, sha256 FROM audit.usage_files", 1, "limit", bytes=100)
    assert "journal/objects: could not be written (File too large); nothing was posted" in _refused(
        worker.ask(folder.root, new.day, **at)
    )
    assert b'"kind":"intent"' not in folder.posting_log.read_bytes()
    assert _finish(worker, new, folder) == []


@pytest.mark.parametrize(("label", "nth"), [("sql BEGIN", 1), ("sql COMMIT", 1)])
def test_the_posting_does_not_fit(worker: Worker, begun: Stage, tmp_path: Path, label: str, nth: int) -> None:
    """It is rolled back; readers keep the copy of before."""
    folder = begun.copy(tmp_path / "books")
    published = folder.published.read_bytes()
    message = _refused(worker.ask(folder.root, begun.day, **point(begun, label, nth, "limit", bytes=4 * _KIB)))
    assert "the disk is full" in message
    assert "Free some space" in message
    assert folder.published.read_bytes() == published
    assert _finish(worker, begun, folder) == []


@pytest.mark.parametrize(("label", "nth"), [("sql BEGIN", 2), ("sql COMMIT", 2), ("sql CHECKPOINT published", 1)])
def test_the_published_copy_does_not_fit(
    worker: Worker, begun: Stage, tmp_path: Path, label: str, nth: int
) -> None:
    """What was posted stands, readers keep the copy of before, and no half copy takes its name."""
    folder = begun.copy(tmp_path / "books")
    published = folder.published.read_bytes()
    message = _refused(worker.ask(folder.root, begun.day, **point(begun, label, nth, "limit", bytes=4 * _KIB)))
    assert "could not be brought forward" in message
    assert folder.published.read_bytes() == published
    assert folder.posting_log.read_bytes() == begun.journal
    assert _finish(worker, begun, folder) == []


def test_a_disk_that_gets_a_little_more_room_each_time(worker: Worker, new: Stage, tmp_path: Path) -> None:
    """New books run under one limit after the other: refused until there is room, and then the same books."""
    folder = new.copy(tmp_path / "books")
    refusals = []
    for size in (0, 1, 8, 64, 512, 2048, 3072, 4096, 8192):
        answer = worker.ask(folder.root, new.day, limit=size * _KIB)
        if "error" in answer:
            refusals.append(_refused(answer))
        assert published_defects(folder, new.heads) == []
    assert len(refusals) >= 3
    assert _finish(worker, new, folder) == []
