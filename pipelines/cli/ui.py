"""`tollbook ui`: the Dagster UI on the books."""

from __future__ import annotations

import signal
import sys
import time
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.cli.invocation import of

if TYPE_CHECKING:
    import subprocess
    from types import FrameType

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
    """Open the Dagster UI on the books; Ctrl-C ends it.

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
    signal.signal(signal.SIGTERM, _end)
    with serving(folder, chosen) as process:
        wait_until_up(process, chosen)
        invocation.output.result(
            document, lambda page: page.line(f"{address}  books {folder.root}, code {install_folder()}")
        )
        if check:
            return
        invocation.output.note("Ctrl-C ends it; its log is warehouse/logs/ui.log")
        if not no_browser:
            webbrowser.open(address)
        try:
            _wait(process)
        except KeyboardInterrupt:
            invocation.output.note("ending the Dagster UI ...")


def _wait(process: subprocess.Popen[bytes]) -> None:
    """Wait in short steps: a signal does not interrupt one long wait once Polars is loaded."""
    while process.poll() is None:
        time.sleep(0.3)


def _end(number: int, _frame: FrameType | None) -> None:
    """A plain kill ends the servers too: leave by an exception, so that their group is ended on the way out."""
    sys.exit(128 + number)
