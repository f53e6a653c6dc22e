"""A process that bills and publishes books, forked anew for each job, and that can be stopped at any of its steps.

Run as ``python -m tests.faults.worker``: one JSON job a line on stdin, one JSON answer a line on stdout. The parent
imports everything once and opens no database, so that a fork costs milliseconds and starts clean.

The steps are the calls that change something: SQL statements, and the file operations of the journal and of the
published copy. The worker wraps them by name and stops its own process, or takes its disk space away, at the one asked.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import time
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from billing_core.errors import TollbookError
from pipelines import billing
from pipelines.books.folder import BooksFolder
from pipelines.parsed_sql import statements
from pipelines.warehouse.hashes import content_hash, history_hash
from pipelines.warehouse.sql import sql_names, sql_text

if TYPE_CHECKING:
    from collections.abc import Callable

Job = dict[str, Any]
_LABEL_LENGTH = 70
_TRANSACTION = ("sql BEGIN", "sql COMMIT")
"""Steps that several modules take: the label says which one."""


class Steps:
    """Counts the steps of a job and acts at the one that the job names.

    ``at``: {"label", "nth", "how"}; how is "before" or "after" (SIGKILL), "half" (SIGKILL after half of a write), or
    "limit" (no file may grow beyond ``bytes`` from then on; for a write: beyond ten bytes more than it has).
    """

    def __init__(self, at: Job | None) -> None:
        self.at = at
        self.seen: list[str] = []
        self.count = 0

    def wrap(self, label: Callable[..., str | None], original: Callable[..., Any]) -> Callable[..., Any]:
        """Return the call with its step counted."""

        def stepped(*args: Any, **kwargs: Any) -> Any:
            name = label(*args, **kwargs)
            if name in _TRANSACTION:
                name = f"{name} ({sys._getframe(1).f_globals['__name__'].rpartition('.')[2]})"  # noqa: SLF001
            if name is None:
                return original(*args, **kwargs)
            how = self._arrive(name)
            if how == "before":
                _die()
            if how == "half":
                original(args[0], args[1][: len(args[1]) // 2])
                _die()
            if how == "limit":
                _limit(self.at or {}, args)
            try:
                return original(*args, **kwargs)
            finally:
                if how == "after":
                    _die()

        return stepped

    def _arrive(self, name: str) -> str | None:
        self.seen.append(name)
        if self.at is None or self.at["label"] != name:
            return None
        self.count += 1
        return str(self.at["how"]) if self.count == self.at["nth"] else None


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _limit(at: Job, args: tuple[Any, ...]) -> None:
    size = at.get("bytes")
    if size is None:
        size = os.fstat(args[0]).st_size + 10
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def install(steps: Steps) -> None:
    """Wrap what changes something. Only in the forked child: the parent stays as it is."""
    connection: Any = duckdb.DuckDBPyConnection
    for name in ("execute", "executemany"):
        setattr(connection, name, steps.wrap(_sql_label, getattr(connection, name)))
    files: Any = os
    for name in ("link", "replace", "unlink"):
        setattr(files, name, steps.wrap(_file_label(name), getattr(os, name)))
    for name in ("write", "fsync", "ftruncate"):
        setattr(files, name, steps.wrap(_handle_label(name), getattr(os, name)))


def _sql_label(_: object, query: object, *__: object, **___: object) -> str:
    return f"sql {' '.join(str(getattr(query, 'query', query)).split())}"[:_LABEL_LENGTH]


def _file_label(operation: str) -> Callable[..., str]:
    return lambda path, *_, **__: f"{operation} {_plain(Path(os.fspath(path)).name)}"


def _handle_label(operation: str) -> Callable[..., str | None]:
    def label(handle: int, *_: object) -> str | None:
        name = Path(f"/proc/self/fd/{handle}").readlink().name
        return None if name.startswith(("pipe:", "null")) else f"{operation} {_plain(name)}"

    return label


def _plain(name: str) -> str:
    """Random names of temporary files and objects differ from run to run."""
    return ".new" if name.startswith(".new-") else name[:40]


def bill(job: Job) -> Job:
    """Bill each date of a job and publish after each; with ``hashes`` say what the books then hold."""
    folder = BooksFolder(Path(job["root"]))
    with billing.open_books(folder, command="worker") as books:
        for text in job["dates"]:
            day = date.fromisoformat(text)
            billing.bill(books, billing.survey(books), day, include_undated=text == job["dates"][-1])
            billing.publish_books(books)
        if not job.get("hashes"):
            return {}
        found = {"history": history_hash(books.connection), "content": content_hash(books.connection)}
    with duckdb.connect(str(folder.published), read_only=True) as copy:
        copy.execute("SET TimeZone = 'UTC'")
        return {**found, "published": history_hash(copy)}


def command(job: Job) -> Job:
    """Run a verb of the command in this process: its exit code and what it said."""
    from typer.testing import CliRunner

    from pipelines.cli.app import app

    result = CliRunner().invoke(app, ["--books", job["root"], *job["command"]])
    return {"code": result.exit_code, "out": result.stdout, "err": result.stderr}


def _child(job: Job, answer: int) -> None:
    steps = Steps(job.get("at"))
    install(steps)
    if "limit" in job:
        resource.setrlimit(resource.RLIMIT_FSIZE, (job["limit"], resource.RLIM_INFINITY))
    try:
        said = command(job) if "command" in job else bill(job)
    except TollbookError as error:
        said = {"error": type(error).__name__, "message": str(error), "exit_code": error.exit_code}
    except Exception as error:  # noqa: BLE001 what no test expects is told, not lost
        said = {"error": type(error).__name__, "message": str(error), "exit_code": None}
    if job.get("trace"):
        said["trace"] = steps.seen
    with os.fdopen(answer, "w") as pipe:
        json.dump(said, pipe)


def run(job: Job) -> Job:
    """Run a job in a child of its own; its answer, or the signal that ended it."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        try:
            _child(job, writing)
        finally:
            os._exit(0)
    os.close(writing)
    if "kill_after" in job:
        time.sleep(job["kill_after"])
        os.kill(child, signal.SIGKILL)
    with os.fdopen(reading) as pipe:
        text = pipe.read()
    _, status = os.waitpid(child, 0)
    said: Job = json.loads(text) if text else {}
    return {**said, "killed": os.WIFSIGNALED(status)}


def main() -> None:
    """Answer jobs until stdin ends."""
    for name in sql_names("posting"):
        statements(sql_text(name))  # parsed once here instead of in every child
    for line in sys.stdin:
        sys.stdout.write(json.dumps(run(json.loads(line))) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
