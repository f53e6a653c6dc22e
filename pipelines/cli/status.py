"""`tollbook status`: where the books stand, date by date, and what waits for them."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipelines.cli.invocation import of
from pipelines.cli.output import Column
from pipelines.cli.text import instant

if TYPE_CHECKING:
    from pipelines.books.config_models import BooksConfig
    from pipelines.books.folder import BooksFolder
    from pipelines.cli.output import Page
    from pipelines.outlook import Outlook

NAME = "status"
_POSTED = """
SELECT posting.billing_date::VARCHAR AS date, count(file.file_id) FILTER (outcome = 'taken') AS posted,
    count(file.file_id) FILTER (outcome = 'taken' AND file_date < posting.billing_date AND file.kind = 'usage') AS late,
    count(file.file_id) FILTER (outcome = 'refused') AS blocked,
    (SELECT sum(tokens_billed)::BIGINT FROM audit.postings AS own WHERE own.billing_date = posting.billing_date)
        AS tokens_billed
FROM audit.postings AS posting
LEFT JOIN audit.usage_files AS file USING (posting_id)
GROUP BY posting.billing_date
"""
_LAST = """
SELECT posting_id, billing_date::VARCHAR AS billing_date, recorded_at::VARCHAR AS recorded_at, head
FROM audit.postings ORDER BY posting_id DESC LIMIT 1
"""
_HELD = """
SELECT reason, count(*) AS lines, count(DISTINCT file_id) AS files FROM audit.quarantine_open
GROUP BY reason ORDER BY lines DESC, reason
"""


def command(
    context: typer.Context,
    days: Annotated[int, typer.Option("--days", min=0, help="How many of the last dates; 0 for all.")] = 14,
) -> None:
    """Show where the books stand and what waits for them.

    Per date the files waiting, posted, late and blocked; the last posting; the quarantine by reason; what waits
    and why.
    """
    from pipelines.cli.run import show_notices, show_waiting, waiting_rows
    from pipelines.outlook import look_ahead

    invocation = of(context)
    folder = invocation.folder()
    config = invocation.config(folder)
    outlook = look_ahead(folder, config)
    stopped_by = _price_error(folder, config)
    if stopped_by is not None:
        invocation.output.warn(f"the next run will stop: {stopped_by}")
    posted, last, held = _published(folder)
    rows = _by_date(posted, outlook)
    shown = rows[-days:] if days else rows
    document = {
        "books": config.books.name,
        "folder": folder.root,
        "start": outlook.start,
        "postings": outlook.postings,
        "published_posting": last["posting_id"] if last else 0,
        "last_posting": last,
        "dates": shown,
        "quarantine": held,
        "unread_admin_entries": outlook.unread_entries,
        "waiting": waiting_rows(outlook, outlook.through),
        "notices": outlook.notices,
        "stopped_by": stopped_by,
    }

    def render(page: Page) -> None:
        page.line(f"{config.books.name}  {folder.root}", "bold")
        _show_last(page, outlook, last)
        _show_dates(page, shown, len(rows))
        if held:
            page.heading("Quarantine")
            right = [Column("Lines", right=True), Column("Files", right=True)]
            page.table(["Reason", *right], [(row["reason"], row["lines"], row["files"]) for row in held])
        show_notices(page, outlook)
        show_waiting(page, outlook, outlook.through)

    invocation.output.result(document, render)


def _price_error(folder: BooksFolder, config: BooksConfig) -> str | None:
    """What is wrong with the price files, if the next run would stop at it."""
    from billing_core.errors import ConfigurationError
    from pipelines.books.config import load_packages, load_prices

    try:
        load_prices(folder, config)
        load_packages(folder, config)
    except ConfigurationError as error:
        return str(error)
    return None


def _published(folder: BooksFolder) -> tuple[list[dict[str, Any]], dict[str, Any] | None, list[dict[str, Any]]]:
    """What the published copy says: dates, last posting, quarantine by reason."""
    from reports.published import open_published, table

    if not folder.published.is_file():
        return [], None, []
    with open_published(folder.published) as reader:
        last = table(reader, _LAST, {})
        return table(reader, _POSTED, {}), last[0] if last else None, table(reader, _HELD, {})


def _by_date(posted: list[dict[str, Any]], outlook: Outlook) -> list[dict[str, Any]]:
    """One row per date that has a posting or a file: waiting, posted, late, blocked."""
    rows = {row["date"]: {"date": row["date"], "waiting": 0, **row} for row in posted}
    for file in outlook.files:
        day = outlook.billing_date(file)
        empty = {"date": day.isoformat(), "waiting": 0, "posted": 0, "late": 0, "blocked": 0, "tokens_billed": 0}
        row = rows.setdefault(day.isoformat(), empty)
        row["blocked" if file.outcome == "refused" else "waiting"] += 1
        row["late"] += file.file_date < day and file.kind == "usage" and outlook.last_date is not None
    return [rows[day] for day in sorted(rows, key=date.fromisoformat)]


def _show_last(page: Page, outlook: Outlook, last: dict[str, Any] | None) -> None:
    if last is None:
        page.line(f"nothing posted yet; the books start on {outlook.start}")
        return
    page.line(
        f"last posting {last['posting_id']:,} for {last['billing_date']}, recorded {instant(last['recorded_at'])}, "
        f"head {last['head'][:12]}"
    )
    behind = outlook.postings - last["posting_id"]
    if behind > 0:
        page.line(f"the published copy is {behind} behind: the next run brings it forward", "yellow")


def _show_dates(page: Page, rows: list[dict[str, Any]], total: int) -> None:
    if not rows:
        return
    page.heading("Files by billing date")
    names = ("waiting", "posted", "late", "blocked", "tokens_billed")
    columns = [Column(name.replace("_", " ").capitalize(), right=True) for name in names]
    page.table(["Date", *columns], [(row["date"], *(row[name] for name in names)) for row in rows])
    if len(rows) < total:
        page.line(f"the last {len(rows)} of {total} dates; --days 0 shows all", "dim")
