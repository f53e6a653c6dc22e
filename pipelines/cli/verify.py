"""`tollbook verify`: every check over all history, every seal, the journals, the published copy; or a whole rebuild."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

import typer

from billing_core.errors import ConfigurationError
from pipelines.cli.invocation import Invocation, of
from pipelines.cli.levels import Finding, Level, exit_if_reached
from pipelines.cli.output import Column
from pipelines.cli.text import number, plural

if TYPE_CHECKING:
    from pipelines.cli.output import Page
    from pipelines.verification import Outcome, Verification

NAME = "verify"
_SENTENCE_END = re.compile(r"[.;] ")


def command(
    context: typer.Context,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Rebuild from the journal and the inputs; compare hashes.")
    ] = False,
    adopt: Annotated[bool, typer.Option("--adopt", help="With --rebuild: put the rebuilt database in place.")] = False,
    fail_on: Annotated[Level, typer.Option("--fail-on", help="Exit with 3 for findings at or over this.")] = Level.HIGH,
) -> None:
    """Prove the books, or rebuild them and compare.

    Every check over full history, every sealed row, the journals, the published copy. A failing check is a
    critical finding. The outcome is appended to audit.verifications.
    """
    if adopt and not rebuild:
        raise ConfigurationError("--adopt: only together with --rebuild")
    invocation = of(context)
    findings = _rebuild(invocation, adopt=adopt) if rebuild else _verify(invocation)
    exit_if_reached(invocation.output, findings, fail_on)


def _verify(invocation: Invocation) -> list[Finding]:
    from pipelines.verification import outcome_count, verify_books

    folder = invocation.folder()
    with invocation.output.progress("verifying", outcome_count()) as advance:
        result = verify_books(folder, env=invocation.env, on_check=lambda _name: advance(1))
    failed = [outcome for outcome in result.outcomes if not outcome.passed]
    document = {
        "posting_id": result.posting_id,
        "head": result.head,
        "checks_passed": len(result.outcomes) - len(failed),
        "checks_total": len(result.outcomes),
        "checks": [
            {
                "name": outcome.name,
                "meaning": outcome.meaning,
                "passed": outcome.passed,
                "failing_rows": outcome.failing_rows,
                "first_rows": outcome.first_rows,
                "detail": outcome.detail,
            }
            for outcome in result.outcomes
        ],
    }
    invocation.output.result(document, lambda page: _show(page, result, failed))
    return [Finding(Level.CRITICAL, f"{item.name}: {plural(item.failing_rows, 'failing row')}") for item in failed]


def _show(page: Page, result: Verification, failed: list[Outcome]) -> None:
    rows = [
        (
            "pass" if item.passed else "FAIL",
            item.name,
            item.failing_rows,
            _SENTENCE_END.split(item.meaning)[0].rstrip("."),
        )
        for item in result.outcomes
    ]
    columns: list[Column | str] = ["", "Check", Column("Failing rows", right=True), Column("What it proves", wrap=True)]
    page.table(columns, rows, ["" if item.passed else "bold red" for item in result.outcomes])
    for item in failed:
        page.heading(f"{item.name}: {plural(item.failing_rows, 'failing row')}")
        if item.detail:
            page.line(f"  {item.detail}")
        for row in item.first_rows:
            page.line("  " + ", ".join(f"{name} {value}" for name, value in row.items()))
        if item.failing_rows > len(item.first_rows) > 0:
            page.line(f"  ... `tollbook sql -c 'FROM checks.{item.name}'` lists all of a published check", "dim")
    page.line()
    passed, total = len(result.outcomes) - len(failed), len(result.outcomes)
    style = "bold red" if failed else "bold green"
    page.line(
        f"{passed} of {total} checks passed, posting {number(result.posting_id)}, head {result.head[:12] or '-'}", style
    )


def _rebuild(invocation: Invocation, *, adopt: bool) -> list[Finding]:
    from pipelines.rebuild import rebuild

    folder = invocation.folder()
    with invocation.output.progress("rebuilding", None):
        result = rebuild(folder, adopt=adopt)
    document = {
        "postings": result.postings,
        "history_equal": result.history_equal,
        "content_equal": result.content_equal,
        "history_hash": result.rebuilt_history,
        "content_hash": result.rebuilt_content,
        "first_difference": result.first_difference,
        "adopted": result.adopted,
    }

    def render(page: Page) -> None:
        if result.live_history is None:
            page.line("no live database to compare with; every rebuilt head was compared with the journal")
        page.pairs([("history hash", _word(result.history_equal)), ("content hash", _word(result.content_equal))])
        if result.first_difference is not None:
            page.line(f"posting {result.first_difference} is the first whose head is not the journal's", "bold red")
        if result.adopted:
            page.line("the rebuilt database took the place of the old one")

    invocation.output.result(document, render)
    names = [name for name in ("history_equal", "content_equal") if not getattr(result, name)]
    return [Finding(Level.CRITICAL, f"rebuild: {name.removesuffix('_equal')} differs") for name in names]


def _word(equal: bool) -> str:
    return "equal" if equal else "DIFFERS"
