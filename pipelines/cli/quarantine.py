"""`tollbook quarantine`: what was held back and why, down to the raw line, and a second chance for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from billing_core.errors import ConfigurationError
from pipelines.cli.invocation import of
from pipelines.cli.output import Column
from pipelines.cli.text import number, plural

if TYPE_CHECKING:
    from pipelines.books.folder import BooksFolder
    from pipelines.cli.output import Page

NAME = "quarantine"
group = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="List, show and retry the lines that were held back."
)

Reason = Annotated[str | None, typer.Option("--reason", metavar="REASON", help="Only this reason.")]
File = Annotated[str | None, typer.Option("--file", metavar="PATH", help="Only this file, as listed.")]
Line = Annotated[int | None, typer.Option("--line", metavar="N", min=1, help="Only this line of the file.")]

_OPEN = """
SELECT file_id, line_no, record_no, source, kind, reason, detail, account_id, parsed::VARCHAR AS parsed, path,
    hex(line_sha256).lower() AS line_sha256, posting_id, file.sha256 AS file_sha256
FROM audit.quarantine_open AS held
JOIN (SELECT file_id, sha256 FROM audit.usage_files) AS file USING (file_id)
WHERE ($reason IS NULL OR reason = $reason) AND ($path IS NULL OR path = $path) AND ($line IS NULL OR line_no = $line)
QUALIFY row_number() OVER (PARTITION BY file_id, line_no, record_no ORDER BY posting_id DESC) = 1
ORDER BY path, line_no, record_no
"""


@group.command("list")
def list_reasons(context: typer.Context) -> None:
    """List what is held back by reason, with the tokens at stake at the settings of today."""
    invocation = of(context)
    folder = invocation.folder()
    held = _open_records(folder)
    _value(invocation, folder, held)
    rows = _by_reason(held)
    total = sum(row["tokens_at_stake"] for row in rows)

    def render(page: Page) -> None:
        if not rows:
            page.line("nothing is held back")
            return
        right = [Column(name, right=True) for name in ("Lines", "Files", "Accounts", "Tokens at stake", "Not valued")]
        names = ("kind", "reason", "lines", "files", "accounts", "tokens_at_stake", "not_valued")
        page.table(["Kind", "Reason", *right], [tuple(row[name] for name in names) for row in rows])
        page.line(
            f"{plural(len(held), 'record')} held back, {number(total)} billing tokens at stake at today's settings"
        )
        page.line("`tollbook quarantine show --reason REASON` shows them", "dim")

    invocation.output.result({"reasons": rows, "records": len(held), "tokens_at_stake": total}, render)


@group.command()
def show(
    context: typer.Context,
    reason: Reason = None,
    file: File = None,
    line: Line = None,
    limit: Annotated[int, typer.Option("--limit", min=0, help="How many; 0 for all.")] = 5,
) -> None:
    """Show held records: reason, the fields that could be read, and the raw text with control characters escaped."""
    from pipelines.cli.quarantine_text import show_record

    invocation = of(context)
    folder = invocation.folder()
    held = _open_records(folder, reason, file, line)
    shown = held[:limit] if limit else held
    _value(invocation, folder, shown)
    raw = _raw_texts(folder, shown)
    records = [{**row, "raw": raw.get((row["file_id"], row["line_no"], row["record_no"]))} for row in shown]

    def render(page: Page) -> None:
        for record in records:
            show_record(page, folder, record)
        if not held:
            page.line("no held record matches")
        elif len(shown) < len(held):
            page.line(f"{len(shown)} of {plural(len(held), 'record')}; --limit 0 shows all", "dim")

    invocation.output.result({"records": records, "total": len(held)}, render)


_LEFT_OUT = (
    "the raw bytes are past [privacy] retention_days, or the source is no longer configured. Deliver the lines again "
    "in a new file."
)


@group.command()
def retry(
    context: typer.Context,
    reason: Reason = None,
    file: File = None,
    line: Line = None,
    everything: Annotated[bool, typer.Option("--all", help="Every held record.")] = False,
) -> None:
    """Read held records again, once their cause is mended, and post those that now pass.

    Records whose raw bytes are past their retention, or whose source is no longer configured, are left out and counted.
    """
    from pipelines.billing import open_books, publish_books, retry_quarantine
    from pipelines.books.posting_log import RetriedRecord
    from pipelines.warehouse.quarantine import readable_records

    if everything == any(option is not None for option in (reason, file, line)):
        raise ConfigurationError("name what to retry with --reason, --file and --line, or everything with --all")
    invocation = of(context)
    folder = invocation.folder()
    held = _open_records(folder, reason, file, line)
    wanted = [RetriedRecord(row["file_sha256"], row["source"], row["line_no"], row["record_no"]) for row in held]
    with open_books(folder, command="tollbook quarantine retry", env=invocation.env) as books:
        readable = readable_records(books.connection, folder.quarantine, wanted, books.sources)
        if wanted and not readable:
            raise ConfigurationError(f"{plural(len(wanted), 'record')} cannot be read again: {_LEFT_OUT}")
        summary = retry_quarantine(books, readable)
        publish_books(books)
    left = {(row["file_id"], row["line_no"], row["record_no"]) for row in _open_records(folder, reason, file, line)}
    still = sum((row["file_id"], row["line_no"], row["record_no"]) in left for row in held)
    left_out = len(held) - len(readable)
    document = {
        "retried": len(readable),
        "left_out": left_out,
        "resolved": len(held) - still,
        "still_held": still,
        "posting_id": summary.posting_id,
        "tokens_billed": summary.counts["tokens_billed"],
        "ledger_rows": summary.counts["ledger_rows"],
    }
    text = (
        f"{plural(len(readable), 'record')} read again: {len(held) - still:,} resolved, {still - left_out:,} still "
        f"held. Posting {summary.posting_id:,} billed {number(summary.counts['tokens_billed'])} tokens."
    )
    if left_out:
        invocation.output.note(f"{plural(left_out, 'record')} left out: {_LEFT_OUT}")
    invocation.output.result(document, lambda page: page.line(text))


def _open_records(
    folder: BooksFolder, reason: str | None = None, path: str | None = None, line: int | None = None
) -> list[dict[str, Any]]:
    """What is held back now, by file and line."""
    from pipelines.current_copy import open_current
    from reports.published import table

    if line is not None and path is None:
        raise ConfigurationError("--line: also name the file, with --file")
    with open_current(folder.published) as reader:
        return table(reader, _OPEN, {"reason": reason, "path": path, "line": line})


def _value(invocation: Any, folder: BooksFolder, held: list[dict[str, Any]]) -> None:
    """Add `tokens_at_stake` to each record: None where the fields that could be read do not tell."""
    from datetime import UTC, datetime, timedelta

    from pipelines.at_stake import tokens_at_stake
    from pipelines.books import clock
    from pipelines.books.config import load_prices

    book = load_prices(folder, invocation.config(folder))
    now_us = (clock.now() - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    texts = [row["parsed"] if row["kind"] == "usage" else None for row in held]
    for row, tokens in zip(held, tokens_at_stake(texts, book, now_us), strict=True):
        row["tokens_at_stake"] = tokens


def _by_reason(held: list[dict[str, Any]]) -> list[dict[str, Any]]:
    rows = []
    for kind, reason in sorted({(row["kind"], row["reason"]) for row in held}):
        of_reason = [row for row in held if (row["kind"], row["reason"]) == (kind, reason)]
        rows.append(
            {
                "kind": kind,
                "reason": reason,
                "lines": len(of_reason),
                "files": len({row["file_id"] for row in of_reason}),
                "accounts": len({row["account_id"] for row in of_reason if row["account_id"]}),
                "tokens_at_stake": sum(row["tokens_at_stake"] or 0 for row in of_reason),
                "not_valued": sum(row["tokens_at_stake"] is None for row in of_reason),
            }
        )
    return sorted(rows, key=lambda row: (-row["tokens_at_stake"], -row["lines"], row["reason"]))


def _raw_texts(folder: BooksFolder, rows: list[dict[str, Any]]) -> dict[tuple[int, int, int], str]:
    """The raw bytes of records as text with escapes; those past their retention are absent."""
    import polars as pl

    from pipelines.warehouse.quarantine import raw_file

    found: dict[tuple[int, int, int], str] = {}
    for posting_id in sorted({row["posting_id"] for row in rows}):
        path = raw_file(folder.quarantine, posting_id)
        if not path.is_file():
            continue
        files = sorted({row["file_id"] for row in rows if row["posting_id"] == posting_id})
        frame = pl.scan_parquet(path).filter(pl.col("file_id").is_in(files)).collect()
        for record in frame.select("file_id", "line_no", "record_no", "raw").iter_rows():
            found[record[:3]] = (record[3] or b"").decode("utf-8", "backslashreplace")
    return found
