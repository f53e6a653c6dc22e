"""From an exception to a sentence and an exit code. A traceback goes to a file, never to the terminal."""

from __future__ import annotations

import errno
import os
import re
import sys
import tempfile
import traceback
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from billing_core.errors import TollbookError

if TYPE_CHECKING:
    from pipelines.cli.invocation import Invocation

RUN_FAILED = 1
USAGE = 2
FINDINGS = 3
INTERRUPTED = 130

_SECRET_NAME = re.compile(r"SECRET|KEY|TOKEN|PASSWORD|CREDENTIAL", re.IGNORECASE)
_SECRET_LENGTH_MIN = 6
_LIVE_KEY = re.compile(r"\b(?:sk|rk|whsec)_[A-Za-z0-9_]{8,}")


def report(error: BaseException, invocation: Invocation) -> int:
    """Say what went wrong and return the exit code."""
    output = invocation.output
    if _is_interruption(error):
        output.error("interrupted; nothing half done", exit_code=INTERRUPTED)
        return INTERRUPTED
    if isinstance(error, TollbookError):
        output.error(without_secrets(str(error)), exit_code=error.exit_code)
        return error.exit_code
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        where = f" at {error.filename}" if error.filename else ""
        text = f"the disk is full{where}. What was posted before stands. Free some space, then run the command again."
        output.error(text, exit_code=RUN_FAILED)
        return RUN_FAILED
    if isinstance(error, OSError) and error.filename is not None:
        text = f"{error.filename}: {error.strerror}"
        output.error(text, exit_code=RUN_FAILED)
        return RUN_FAILED
    place = _keep_traceback(error, invocation)
    first = without_secrets(str(error)).splitlines()[:1] or [""]
    text = f"an error that Tollbook does not know: {type(error).__name__}: {first[0]}. The details are in {place}."
    output.error(text, exit_code=RUN_FAILED)
    return RUN_FAILED


def _is_interruption(error: BaseException) -> bool:
    """Whether Ctrl-C is behind an error: a database cancels its statement and raises one of its own."""
    duckdb = sys.modules.get("duckdb")
    kinds = (KeyboardInterrupt, duckdb.InterruptException) if duckdb else (KeyboardInterrupt,)
    behind: list[BaseException] = []
    following: BaseException | None = error
    while following is not None and following not in behind:  # an error raised anew may stand behind itself
        behind.append(following)
        following = following.__cause__ or following.__context__
    return any(isinstance(each, kinds) or str(each).startswith("Query interrupted") for each in behind)


def without_secrets(text: str) -> str:
    """The text without the values of variables that are named like secrets, and without Stripe keys."""
    for name, value in os.environ.items():
        if _SECRET_NAME.search(name) and len(value) >= _SECRET_LENGTH_MIN:
            text = text.replace(value, "***")
    return _LIVE_KEY.sub("***", text)


def _keep_traceback(error: BaseException, invocation: Invocation) -> Path:
    """Write the traceback for its owner's eyes only; returns where."""
    text = without_secrets("".join(traceback.format_exception(error)))
    name = f"error-{datetime.now(UTC):%Y%m%dT%H%M%S%f}.txt"
    with suppress(TollbookError, OSError):
        folder = invocation.folder().warehouse / "logs"
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return _written(folder / name, text)
    return _written(Path(tempfile.mkdtemp(prefix="tollbook-")) / name, text)


def _written(path: Path, text: str) -> Path:
    path.touch(mode=0o600)
    path.write_text(text, encoding="utf-8")
    return path
