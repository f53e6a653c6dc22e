"""`tollbook doctor`: what stands in the way of a run, and what to do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.cli.failures import FINDINGS
from pipelines.cli.invocation import of
from pipelines.cli.output import Column
from pipelines.cli.text import plural

if TYPE_CHECKING:
    from pipelines.cli.output import Page

NAME = "doctor"
_STYLES = {"ok": "", "warn": "yellow", "fail": "bold red"}


def command(
    context: typer.Context,
    fix: Annotated[
        bool, typer.Option("--fix", help="Cut the torn last line of a journal; nothing else is changed.")
    ] = False,
) -> None:
    """Look at everything that a run needs, and say what to do.

    Configuration, secrets, disk, journals, database, published copy. Exits with 3 when something would stop a run.
    """
    from pipelines.doctor import Verdict, examine

    invocation = of(context)
    folder = invocation.folder()
    results = examine(folder, invocation.env, fix=fix)
    failed = sum(result.verdict is Verdict.FAIL for result in results)
    warned = sum(result.verdict is Verdict.WARN for result in results)
    document = {
        "folder": folder.root,
        "failed": failed,
        "warned": warned,
        "examined": [
            {"what": item.what, "verdict": item.verdict.value, "detail": item.detail, "advice": item.advice}
            for item in results
        ],
    }

    def render(page: Page) -> None:
        rows = [
            (item.verdict.value, item.what, item.detail + (f"\n-> {item.advice}" if item.advice else ""))
            for item in results
        ]
        page.table(
            ["", "What", Column("How it is, and what to do", wrap=True)],
            rows,
            [_STYLES[item.verdict.value] for item in results],
        )
        page.line()
        if failed or warned:
            page.line(f"{plural(failed, 'failure')}, {plural(warned, 'warning')}", "bold red" if failed else "yellow")
        else:
            page.line("all well", "bold green")

    invocation.output.result(document, render)
    if failed:
        raise typer.Exit(FINDINGS)
