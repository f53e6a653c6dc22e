"""The Dagster UI on one books folder: what to start, with which environment, and how to end it for good."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from billing_core.errors import ConfigurationError, TollbookError
from pipelines.books.folder import BOOKS_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelines.books.folder import BooksFolder

HOST = "127.0.0.1"
DEFINITIONS = "pipelines.definitions"
LOCATION = "tollbook"
TERM_SECONDS = 10
START_SECONDS = 120
_POLL_SECONDS = 0.2


def install_folder() -> Path:
    """The folder that holds the installed packages: never the folder one happens to stand in."""
    return Path(__file__).resolve().parent.parent


def write_workspace(folder: BooksFolder) -> Path:
    """Write the workspace file of these books, with absolute paths only; returns where."""
    from pipelines.dagster_run import prepare_home  # noqa: PLC0415 imports Dagster

    module = {
        "module_name": DEFINITIONS,
        "working_directory": str(install_folder()),
        "location_name": LOCATION,
        "executable_path": sys.executable,
    }
    path = prepare_home(folder) / "workspace.yaml"
    # JSON is YAML too, and quotes every path rightly.
    path.write_text(json.dumps({"load_from": [{"python_module": module}]}, indent=2), encoding="utf-8")
    return path


def environment(folder: BooksFolder) -> dict[str, str]:
    """The environment of the UI's processes: these books, their Dagster instance, the installed code, no telemetry."""
    own = {
        BOOKS_VARIABLE: str(folder.root),
        "DAGSTER_HOME": str(folder.dagster_home),
        "DAGSTER_DISABLE_TELEMETRY": "1",
        "PYTHONSAFEPATH": "1",  # a folder one stands in may hold its own `pipelines`
        "PYTHONWARNINGS": "ignore",
    }
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return {**inherited, **own}


def command(workspace: Path, port: int) -> list[str]:
    """What is started: webserver and daemon in one."""
    options = ["--workspace", str(workspace), "--host", HOST, "--port", str(port), "--log-level", "warning"]
    return [sys.executable, "-m", "dagster", "dev", *options]


def free_port(wanted: int | None) -> int:
    """The wanted port, or any free one. Raises ConfigurationError when the wanted one is taken."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, wanted or 0))
        except OSError:
            raise ConfigurationError(
                f"--port: {wanted} is taken on {HOST}; name another one, or leave it out"
            ) from None
        return int(probe.getsockname()[1])


@contextmanager
def serving(folder: BooksFolder, port: int, log: Path | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """Run the UI while the block runs, in a process group of its own; whatever happens, the whole group ends with it.

    Its words go to `log`, by default warehouse/logs/ui.log.
    """
    path = log or folder.warehouse / "logs" / "ui.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as stream:
        process = subprocess.Popen(  # noqa: S603 our own command
            command(write_workspace(folder), port),
            cwd=folder.dagster_home,
            env=environment(folder),
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            end_group(process)


def wait_until_up(process: subprocess.Popen[bytes], port: int, seconds: int = START_SECONDS) -> None:
    """Return when the UI answers. Raises TollbookError when it ends or does not answer in time."""
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        if process.poll() is not None:
            raise TollbookError(
                f"the Dagster UI ended while it started (code {process.returncode}); see warehouse/logs/ui.log"
            )
        try:
            with urllib.request.urlopen(f"http://{HOST}:{port}/server_info", timeout=2):
                return
        except OSError:
            time.sleep(_POLL_SECONDS)
    raise TollbookError(f"the Dagster UI did not answer within {seconds} s; see warehouse/logs/ui.log")


def end_group(process: subprocess.Popen[bytes], seconds: float = TERM_SECONDS) -> None:
    """Ask the whole process group to end, then kill what is left of it; each for a bounded time until all are gone."""
    group = process.pid
    for number in (signal.SIGTERM, signal.SIGKILL):
        _signal(group, number)
        limit = time.monotonic() + seconds
        while time.monotonic() < limit and _is_alive(process, group):
            time.sleep(_POLL_SECONDS)
    process.wait()


def _is_alive(process: subprocess.Popen[bytes], group: int) -> bool:
    process.poll()  # takes the leader's exit code, so that it no longer counts as a member of its group
    return _signal(group, 0)


def _signal(group: int, number: int) -> bool:
    """Signal a group; False when no process of it is left."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True
