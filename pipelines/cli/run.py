"""`tollbook run`: bill every missing date, publish, and say what still waits."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.cli import dates
from pipelines.cli.invocation import Invocation, of
from pipelines.cli.levels import Level, exit_if_reached
from pipelines.cli.output import Column
from pipelines.cli.text import plural, size

if TYPE_CHECKING:
    from datetime import date

    from pipelines.books.folder import BooksFolder
    from pipelines.cli.billing_run import Billed
    from pipelines.cli.output import Page
    from pipelines.outlook import Outlook
    from pipelines.warehouse.posting import PostingSummary

NAME = "run"


def command(
    context: typer.Context,
    first: Annotated[str | None, typer.Option("--from", metavar="DATE", help="First billing date.")] = None,
    through: Annotated[
        str | None,
        typer.Option("--through", metavar="DATE", help="Last one: a date, `today` or `yesterday` (the default)."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be billed; change nothing.")] = False,
    fail_on: Annotated[
        Level, typer.Option("--fail-on", help="Exit with 3 for findings at or over this.")
    ] = Level.NEVER,
) -> None:
    """Bill every missing date through yesterday, and publish.

    Dates are UTC. A run with nothing new changes nothing. Without dates it starts where the last one ended; earlier
    dates that still have files are billed first, in any case.
    """
    from pipelines.idle import is_idle
    from pipelines.outlook import look_ahead

    invocation = of(context)
    folder = invocation.folder()
    config = invocation.config(folder)
    outlook = look_ahead(folder, config)
    begin, last = dates.span(outlook, first, through)
    bare = first is None and through is None
    if dry_run:
        _rehearse(invocation, outlook, last, bare=bare)
        return
    warnings = _warn_of_prices(invocation, folder)
    if is_idle(folder, config, outlook, last, bare=bare):
        _finish_without_news(invocation, outlook, last, fail_on, warnings)
        return
    summaries = _bill(invocation, folder, begin, last, bare=bare)
    after = replace(look_ahead(folder, config), notices=outlook.notices)
    if summaries:
        warnings += _warn_of_patterns(invocation, folder, warnings)
        _finish(invocation, folder, summaries, after, last, fail_on, warnings)
    else:
        _finish_without_news(invocation, after, last, fail_on, warnings)


def _warn_of_prices(invocation: Invocation, folder: BooksFolder) -> list[str]:
    """Say what the rates file means for what is posted; the run goes on."""
    from pipelines.books import clock
    from pipelines.books.config import load_prices
    from pipelines.price_notices import price_notices

    config = invocation.config(folder)
    warnings = price_notices(folder, load_prices(folder, config), config.books.timezone, clock.now())
    for warning in warnings:
        invocation.output.note(f"warning: {warning}")
    return warnings


def _warn_of_patterns(invocation: Invocation, folder: BooksFolder, said: list[str]) -> list[str]:
    """Name the patterns that no model falls under, once the run's own calls are known."""
    from pipelines.books import clock
    from pipelines.books.config import load_prices
    from pipelines.price_notices import idle_patterns

    prices = load_prices(folder, invocation.config(folder))
    fresh = [warning for warning in idle_patterns(folder, prices, clock.now()) if warning not in said]
    for warning in fresh:
        invocation.output.note(f"warning: {warning}")
    return fresh


def _bill(invocation: Invocation, folder: BooksFolder, first: date, last: date, *, bare: bool) -> list[PostingSummary]:
    from pipelines.cli.billing_run import DateLines, bill_dates

    lines = DateLines(invocation.output.stream)
    with invocation.output.progress("billing", (last - first).days + 1) as advance:

        def on_date(day: date, summary: PostingSummary | None) -> None:
            advance(1)
            lines.add(day, summary)

        summaries = bill_dates(folder, first, last, env=invocation.env, bare=bare, on_date=on_date)
        lines.end()
        return summaries


def _finish(
    invocation: Invocation,
    folder: BooksFolder,
    summaries: list[PostingSummary],
    after: Outlook,
    last: date,
    fail_on: Level,
    warnings: list[str],
) -> None:
    from pipelines.cli.billing_run import billed, show_figures, show_findings, show_lines

    result: Billed = billed(folder, summaries, after.refused)

    def render(page: Page) -> None:
        show_lines(page, result)
        show_figures(page, result)
        show_findings(page, result.findings)
        show_notices(page, after)
        show_waiting(page, after, last)

    document = {**result.to_json(), "through": last, "waiting": waiting_rows(after, last), "warnings": warnings}
    document["notices"] = after.notices
    invocation.output.result(document, render)
    if result.sets_aside:
        invocation.output.note("`tollbook quarantine list` shows what was held back and why.")
    exit_if_reached(invocation.output, result.findings, fail_on)


def _finish_without_news(
    invocation: Invocation, outlook: Outlook, last: date, fail_on: Level, warnings: list[str]
) -> None:
    """Nothing was posted; a file that is still refused is a finding all the same."""
    from pipelines.cli.billing_run import refusals, show_findings

    findings = refusals(outlook.refused)

    def render(page: Page) -> None:
        page.line(f"nothing new through {last}")
        show_findings(page, findings)
        show_notices(page, outlook)
        if waiting_rows(outlook, last) or outlook.unread_entries:
            show_waiting(page, outlook, last)

    document: dict[str, object] = {"nothing_new_through": last, "postings": 0, "waiting": waiting_rows(outlook, last)}
    document["warnings"] = warnings
    document["notices"] = outlook.notices
    document["findings"] = [finding.to_json() for finding in findings]
    invocation.output.result(document, render)
    exit_if_reached(invocation.output, findings, fail_on)


def waiting_rows(outlook: Outlook, through: date) -> list[dict[str, str]]:
    """Every file that the run through a date leaves, and why."""
    rows = [{"path": item.path, "why": item.why} for item in outlook.waiting]
    for file in outlook.files:
        day = outlook.billing_date(file)
        why = (
            f"dated {file.file_date}: billed by a run through {day}" if day > through else "new: the next run takes it"
        )
        rows.append({"path": file.path, "why": why})
    return rows


_WAITING_SHOWN = 20


def show_notices(page: Page, outlook: Outlook) -> None:
    """The files that are not read, or not as they were before, and why."""
    if outlook.notices:
        page.heading(f"Not read, or not as before: {plural(len(outlook.notices), 'file')}")
        rows = [(path, why) for path, _, why in (notice.partition(": ") for notice in outlook.notices[:_WAITING_SHOWN])]
        page.table(["File", Column("Why", wrap=True)], rows)
    if len(outlook.notices) > _WAITING_SHOWN:
        rest = plural(len(outlook.notices) - _WAITING_SHOWN, "other")
        page.line(f"... and {rest}; `tollbook --json status` lists all", "dim")


def show_waiting(page: Page, outlook: Outlook, through: date) -> None:
    """What waits and why; a long list is cut."""
    rows = waiting_rows(outlook, through)
    page.heading(f"Waiting: {plural(len(rows), 'file')}" if rows else "Waiting: nothing")
    if rows:
        page.table(["File", Column("Why", wrap=True)], [(row["path"], row["why"]) for row in rows[:_WAITING_SHOWN]])
    if len(rows) > _WAITING_SHOWN:
        page.line(f"... and {plural(len(rows) - _WAITING_SHOWN, 'other')}; `tollbook --json status` lists all", "dim")
    if outlook.unread_entries:
        noun = plural(outlook.unread_entries, "admin entry", "admin entries")
        verb = "waits" if outlook.unread_entries == 1 else "wait"
        page.line(f"{noun} {verb} for a run that bills their day; `--through today` bills today", "dim")


def _rehearse(invocation: Invocation, outlook: Outlook, last: date, *, bare: bool) -> None:
    """Say what a run would take, per billing date."""
    files = [
        (min(outlook.billing_date(file), last) if bare and file.undated else outlook.billing_date(file), file)
        for file in outlook.files
    ]
    days = sorted({day for day, _ in files if day <= last})
    rows = []
    for day in days:
        of_day = [file for when, file in files if when == day]
        taken = [file for file in of_day if file.outcome == "taken"]
        refused = sum(file.outcome == "refused" for file in of_day)
        size_bytes = sum(file.size_bytes - file.byte_from for file in taken)
        rows.append((day, len(taken), size_bytes, len(of_day) - len(taken) - refused, refused))
    document = {
        "dry_run": True,
        "through": last,
        "dates": [dict(zip(("date", "files", "bytes", "duplicates", "refused"), row, strict=True)) for row in rows],
        "unread_admin_entries": outlook.unread_entries,
        "waiting": [{"path": item.path, "why": item.why} for item in outlook.waiting],
        "notices": outlook.notices,
    }

    def render(page: Page) -> None:
        if rows:
            right = [Column(name, right=True) for name in ("New files", "Bytes", "Repeated", "Refused")]
            page.table(
                ["Date", *right], [(day, taken, size(total), again, bad) for day, taken, total, again, bad in rows]
            )
        else:
            page.line(f"{'no new file' if outlook.unread_entries else 'nothing new'} through {last}")
        page.line(
            f"dry run: nothing was changed; {plural(outlook.unread_entries, 'admin entry', 'admin entries')} unread"
        )
        for item in outlook.waiting:
            page.line(f"waits: {item.path}: {item.why}")
        show_notices(page, outlook)

    invocation.output.result(document, render)
