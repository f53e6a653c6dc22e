"""`tollbook ui`: the Dagster UI on the books."""

from __future__ import annotations

import signal
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.cli.invocation import of

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from types import FrameType

    from pipelines.cli.invocation import Invocation

NAME = "ui"


def command(
    context: typer.Context,
    port: Annotated[
        int | None, typer.Option("--port", min=1, max=65535, help="The port; any free one by default.")
    ] = None,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Do not open a browser.")] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Start, wait for the answer, say where the code is, and end.")
    ] = False,
) -> None:
    """Open the Dagster UI on the books; Ctrl-C or a plain kill ends it and its servers.

    Asset graph, billing dates, checks, schedules. It listens on this machine only and shows the
    same runs as `tollbook run`.
    """
    import webbrowser

    from pipelines.ui import HOST, free_port, install_folder, serving, wait_until_up

    invocation = of(context)
    folder = invocation.folder()
    invocation.config(folder)
    chosen = free_port(port)
    address = f"http://{HOST}:{chosen}"
    document = {"address": address, "books": folder.root, "code": install_folder(), "dagster_home": folder.dagster_home}
    if invocation.env is not None:
        invocation.output.warn("runs that are started in the UI read tollbook.toml without the overlay of --env")
    invocation.output.note(f"starting the Dagster UI on {folder.root} ...")
    with _ended_by_signals(invocation), serving(folder, chosen) as process:
        wait_until_up(process, chosen)
        invocation.output.result(
            document, lambda page: page.line(f"{address}  books {folder.root}, code {install_folder()}")
        )
        if check:
            return
        invocation.output.note("Ctrl-C ends it; its log is warehouse/logs/ui.log")
        if not no_browser:
            webbrowser.open(address)
        _wait(process)


def _wait(process: subprocess.Popen[bytes]) -> None:
    """Wait in short steps: a signal does not interrupt one long wait once Polars is loaded."""
    while process.poll() is None:
        time.sleep(0.3)


@contextmanager
def _ended_by_signals(invocation: Invocation) -> Iterator[None]:
    """Leave by an exception when asked to end, so that the group of servers is ended on the way out.

    The exit code is 128 and the signal's number, 130 for Ctrl-C. A second signal does not cut that short, and a shell
    that starts its background jobs deaf to Ctrl-C changes nothing.
    """

    def end(number: int, _frame: FrameType | None) -> None:
        for each in _ENDING:
            signal.signal(each, signal.SIG_IGN)
        sys.exit(128 + number)

    before = {number: signal.signal(number, end) for number in _ENDING}
    try:
        yield
    except SystemExit:
        invocation.output.note("the Dagster UI has ended")
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
