"""What the tests of faults share: worker processes, books to break, and what whole books must look like."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import duckdb

from pipelines.books.folder import BooksFolder
from pipelines.books.posting_log import PostingLog
from pipelines.warehouse.hashes import posting_blocks
from tests.faults.books import FIRST, NOW, SECOND, write_books

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from tests.faults.worker import Job

ROOT = Path(__file__).resolve().parent.parent.parent


class Worker:
    """A worker process in a process group of its own; answers one job at a time."""

    def __init__(self) -> None:
        environment = {**os.environ, "TOLLBOOK_NOW": NOW, "POLARS_MAX_THREADS": "1"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            env=environment,
            start_new_session=True,
            text=True,
        )

    def ask(self, root: Path, *dates: object, **job: object) -> Job:
        """Run one job on the books in ``root`` over billing dates; its answer."""
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            message = "the worker was started with pipes"
            raise RuntimeError(message)
        stdin.write(json.dumps({"root": str(root), "dates": [str(day) for day in dates], **job}) + "\n")
        stdin.flush()
        answer: Job = json.loads(stdout.readline())
        return answer

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        self._process.wait(timeout=60)


@dataclass(frozen=True)
class Stage:
    """Books as they stand before a job, the billing date of the job, and what it must lead to, however often cut off.

    ``steps`` are the labels of the job's steps in order; ``heads`` the head of each posting that may be published.
    """

    template: Path
    day: object
    whole: Job
    steps: list[str]
    journal: bytes
    heads: dict[int, str]

    def copy(self, root: Path) -> BooksFolder:
        """Make books of this stage in ``root``."""
        shutil.copytree(self.template, root)
        return BooksFolder(root.resolve())


def make_stages(worker: Worker, root: Path) -> tuple[Stage, Stage]:
    """Two stages: books never opened before, and books with one posting that were published twice."""
    new, begun, whole = root / "new", root / "begun", root / "whole"
    shutil.copytree(write_books(new).root, begun)
    first = worker.ask(begun, FIRST, trace=True)
    first_journal = (begun / "journal/postings.jsonl").read_bytes()
    before = worker.ask(begun, FIRST, hashes=True)
    shutil.copytree(begun, whole)
    second = worker.ask(whole, SECOND, trace=True)
    after = worker.ask(whole, SECOND, hashes=True)
    folder = BooksFolder(whole)
    heads = {done.posting_id: done.head for done in PostingLog(folder.posting_log).read_all().done}
    return (
        Stage(new, FIRST, _hashes(before), _steps(first, begun), first_journal, heads),
        Stage(begun, SECOND, _hashes(after), _steps(second, whole), folder.posting_log.read_bytes(), heads),
    )


def _hashes(answer: Job) -> Job:
    return {name: answer[name] for name in ("history", "content", "published")}


def _steps(answer: Job, root: Path) -> list[str]:
    """Only the ATTACH names a path, which differs from copy to copy; points are sought among the others."""
    return ["" if str(root) in label else label for label in answer["trace"]]


def point(stage: Stage, label: str, nth: int, how: str, **more: object) -> Job:
    """Make the part of a job that acts at the nth step whose label begins like this; the whole label is looked up."""
    whole = next(step for step in stage.steps if step.startswith(label))
    return {"at": {"label": whole, "nth": nth, "how": how, **more}}


@dataclass
class Trial:
    """One copy of the books, killed at one point after the other, and what came of it."""

    name: str
    points: Sequence[Job]
    killed: list[bool] = field(default_factory=list)
    defects: list[str] = field(default_factory=list)


def run_trial(worker: Worker, stage: Stage, trial: Trial, root: Path) -> None:
    """Kill the job at each point in turn, look at what readers see each time, and at last let it end."""
    folder = stage.copy(root)
    for point in trial.points:
        answer = worker.ask(folder.root, stage.day, **point)
        if answer.get("error") == "TornLineError":
            _cut(folder)
            answer = worker.ask(folder.root, stage.day, **point)
        trial.killed.append(answer["killed"])
        if "error" in answer:
            trial.defects.append(f"{point}: {answer['error']}: {answer['message']}")
        trial.defects += [f"{point}: {defect}" for defect in published_defects(folder, stage.heads)]
    answer = worker.ask(folder.root, stage.day, hashes=True)
    if answer.get("error") == "TornLineError":
        _cut(folder)
        answer = worker.ask(folder.root, stage.day, hashes=True)
    trial.defects += whole_defects(folder, stage, answer)
    shutil.rmtree(root)


def _cut(folder: BooksFolder) -> None:
    """What `tollbook doctor --fix` does with a torn last line."""
    PostingLog(folder.posting_log).log.cut_torn_line()


def whole_defects(folder: BooksFolder, stage: Stage, answer: Job) -> list[str]:
    """How books that were brought to their end differ from those that were never disturbed."""
    if "error" in answer:
        return [f"{answer['error']}: {answer['message']}"]
    defects = [f"{name} differs" for name, value in stage.whole.items() if answer.get(name) != value]
    if folder.posting_log.read_bytes() != stage.journal:
        defects.append("the journal differs")
    left = {path.name for path in folder.published.parent.iterdir()} - {folder.published.name, ".standby.duckdb"}
    left |= {path.name for path in folder.warehouse.glob("*.wal")}
    return defects + [f"{name} was left behind" for name in sorted(left)]


def published_defects(folder: BooksFolder, heads: dict[int, str]) -> list[str]:
    """What a reader would find wrong in the published copy now; it may only be absent or as of one whole posting."""
    if not folder.published.exists():
        return []
    with duckdb.connect(str(folder.published), read_only=True) as copy:
        copy.execute("SET TimeZone = 'UTC'")
        posting_id, head = _one(copy, "SELECT posting_id, head FROM audit.publication")
        if heads.get(posting_id) != head:
            return [f"published posting {posting_id} has a head of its own"]
        query = "SELECT table_name, block_no, row_count, hash_version, sha256 FROM audit.blocks WHERE posting_id = $id"
        sealed = {tuple(row) for row in copy.execute(query, {"id": posting_id}).fetchall()}
        if {tuple(block) for block in posting_blocks(copy, posting_id)} != sealed:
            return [f"rows of published posting {posting_id} are not those that were sealed"]
        held = _one(copy, "SELECT sum(balance) FROM books.token_accounts")
        moved = _one(copy, "SELECT sum(token_amount) FROM books.token_transactions")
        last = _one(copy, "SELECT max(posting_id) FROM books.token_transactions")
    return [] if held == moved and last[0] <= posting_id else ["published balances are not those of the published rows"]


def _one(connection: duckdb.DuckDBPyConnection, query: str) -> tuple[Any, ...]:
    row: tuple[Any, ...] = connection.execute(query).fetchall()[0]
    return row
