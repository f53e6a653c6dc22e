"""`tollbook stripe`: the payment side; `sync` brings its tables forward."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipelines.cli.invocation import of
from pipelines.cli.levels import Finding, Level, exit_if_reached
from pipelines.cli.output import Column
from pipelines.cli.text import instant, plural

if TYPE_CHECKING:
    from pipelines.cli.output import Output, Page
    from pipelines.payments.mirror import SyncResult

NAME = "stripe"
group = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Bring what Stripe says into the books.")


@group.callback()
def _group() -> None:
    """Keep `sync` a verb of its own: a group of one command would swallow its name."""


@group.command()
def sync(
    context: typer.Context,
    full: Annotated[bool, typer.Option("--full", help="List everything anew, whatever the cursor says.")] = False,
    live: Annotated[bool, typer.Option("--live", help="Allow a live key; without it only test data is read.")] = False,
    fail_on: Annotated[
        Level, typer.Option("--fail-on", help="Exit with 3 for findings at or over this.")
    ] = Level.NEVER,
) -> None:
    """Fetch what is new from Stripe (or read the files), load it, publish.

    A sync that was cut off goes on from its last page. It reads only; a restricted key is enough.
    """
    from pipelines.payments.mirror import sync_stripe
    from pipelines.payments.options import SyncOptions

    invocation = of(context)
    with invocation.output.progress("stripe", None) as advance:
        steps = _Steps(invocation.output, advance)
        result = sync_stripe(
            invocation.folder(), SyncOptions(env=invocation.env, full=full, live=live, on_step=steps.add)
        )
        steps.end()
    for notice in result.notices:
        invocation.output.warn(notice)
    if result.mode == "files" and not result.notices and not result.rows["loaded_files"]:
        path = invocation.config(invocation.folder()).stripe.path
        invocation.output.warn(f"no file matches {path} ([stripe] path), so there is nothing to compare with")
    findings = _findings(result)
    document = {**_to_json(result), "findings": [finding.to_json() for finding in findings]}
    invocation.output.result(document, lambda page: _show(page, result, findings))
    exit_if_reached(invocation.output, findings, fail_on)


class _Steps:
    """One note on stderr per step that brought something."""

    def __init__(self, output: Output, advance: Any) -> None:
        self._output = output
        self._advance = advance
        self._step = ""
        self._count = 0

    def add(self, step: str, count: int) -> None:
        """Objects came."""
        if step != self._step:
            self.end()
            self._step = step
        self._count += count
        self._advance(count)

    def end(self) -> None:
        """The step is over."""
        if self._count:
            self._output.note(f"{self._step}: {plural(self._count, 'object')}")
        self._count = 0


def _findings(result: SyncResult) -> list[Finding]:
    if not result.rows.get("rejected"):
        return []
    text = f"{plural(result.rows['rejected'], 'line')} rejected; stripe.rejected says which and why"
    return [Finding(Level.MED, text)]


def _to_json(result: SyncResult) -> dict[str, object]:
    return {name: getattr(result, name) for name in result.__dataclass_fields__}


def _show(page: Page, result: SyncResult, findings: list[Finding]) -> None:
    if result.mode == "api":
        page.pairs(
            [
                ("account", f"{result.account}, {'live' if result.livemode else 'test'} mode"),
                ("sync", f"{result.sync_id}{', full' if result.is_full else ''}"),
                ("complete until", instant(result.window_end) if result.window_end else "-"),
                ("requests", result.requests),
                ("objects fetched", result.fetched),
            ]
        )
    page.pairs([("files", result.files), ("new objects", result.objects)])
    page.table(["Table", Column("Rows", right=True)], [(f"stripe.{name}", rows) for name, rows in result.rows.items()])
    for finding in findings:
        page.line(f"{finding.level.value}: {finding.text}", "yellow")
