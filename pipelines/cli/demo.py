"""`tollbook demo`: a seeded world, billed, and every planted fault found again."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipelines.cli.failures import RUN_FAILED
from pipelines.cli.invocation import Invocation, of
from pipelines.cli.output import Column

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pipelines.books.folder import BooksFolder
    from pipelines.cli.billing_run import Billed
    from pipelines.cli.output import Page
    from pipelines.demo import Plan, PlantedKind
    from pipelines.warehouse.posting import PostingSummary

NAME = "demo"
_TOP_ACCOUNTS = """
SELECT account_id, status, balance, lifetime_tokens_used, lifetime_tokens_purchased
FROM books.token_accounts ORDER BY lifetime_tokens_used DESC, account_id LIMIT 5
"""
_TOP_COLUMNS = ("account_id", "status", "balance", "used", "purchased")


@dataclass(frozen=True)
class Found:
    """One planted kind and how many of it the books found."""

    kind: PlantedKind
    count: int

    @property
    def equal(self) -> bool:
        """Whether planted = found."""
        return self.count == self.kind.planted

    def to_json(self) -> dict[str, object]:
        """As one object."""
        return {"kind": self.kind.kind, "planted": self.kind.planted, "found": self.count, "equal": self.equal}


def command(
    context: typer.Context,
    directory: Annotated[
        Path, typer.Option("--dir", metavar="DIR", help="The demo's folder; a demo in it is replaced.")
    ] = Path("tollbook-demo"),
    seed: Annotated[int, typer.Option("--seed", help="Same seed, same world.")] = 1,
    rows: Annotated[int, typer.Option("--rows", help="Usage lines to write, up to 5,000,000.")] = 5_000,
) -> None:
    """Write a seeded world, bill it, and find every planted fault.

    Never uses the clock: the same seed and rows give the same books. Exits with 1 if any planted kind is not found
    in its exact number.
    """
    from pipelines.books.folder import BooksFolder
    from pipelines.cli.billing_run import billed
    from pipelines.cli.reconcile import look
    from pipelines.demo import planted, write_world

    invocation = of(context)
    invocation.output.note(f"writing {rows:,} usage lines into {directory} ...")
    plan = write_world(directory, seed, rows)
    folder = BooksFolder(directory.resolve())
    with _clock_after(date.fromisoformat(plan.last_date)):
        summaries = _bill(invocation, folder, plan)
    result, reconciled = billed(folder, summaries), look(folder)
    found, top = _look(folder, planted(plan))
    document = {
        "folder": folder.root,
        "seed": seed,
        "rows": rows,
        **result.to_json(),
        "reconciliation": reconciled,
        "top_accounts": [dict(zip(_TOP_COLUMNS, row, strict=True)) for row in top],
        "planted": [item.to_json() for item in found],
        "all_found": all(item.equal for item in found),
    }
    invocation.output.result(document, lambda page: _show(page, folder, result, reconciled, top, found))
    if not all(item.equal for item in found):
        raise typer.Exit(RUN_FAILED)


@contextmanager
def _clock_after(last: date) -> Iterator[None]:
    """Fix the clock of the books on the morning after the world ends, and leave out the user's own overrides."""
    from pipelines.books.clock import NOW_VARIABLE
    from pipelines.books.config import OVERRIDE_PREFIX

    kept = {
        name: value for name, value in os.environ.items() if name == NOW_VARIABLE or name.startswith(OVERRIDE_PREFIX)
    }
    for name in kept:
        del os.environ[name]
    os.environ[NOW_VARIABLE] = datetime.combine(last + timedelta(days=1), time(6), UTC).isoformat()
    try:
        yield
    finally:
        del os.environ[NOW_VARIABLE]
        os.environ.update(kept)


def _bill(invocation: Invocation, folder: BooksFolder, plan: Plan) -> list[PostingSummary]:
    from pipelines.cli.billing_run import bill_dates

    first, last = date.fromisoformat(plan.first_date), date.fromisoformat(plan.last_date)
    with invocation.output.progress("billing", (last - first).days + 1) as advance:
        return bill_dates(folder, first, last, env=None, bare=True, on_date=lambda _day, _summary: advance(1))


def _look(folder: BooksFolder, kinds: Sequence[PlantedKind]) -> tuple[list[Found], list[tuple[Any, ...]]]:
    """What the published copy says of each planted kind, and its five busiest accounts."""
    from reports.published import open_published

    with open_published(folder.published) as reader:
        found = [Found(kind, int(reader.execute(kind.query).fetchall()[0][0])) for kind in kinds]
        return found, reader.execute(_TOP_ACCOUNTS).fetchall()


def _show(
    page: Page,
    folder: BooksFolder,
    result: Billed,
    reconciled: dict[str, Any],
    top: Sequence[tuple[Any, ...]],
    found: Sequence[Found],
) -> None:
    from pipelines.cli import reconcile
    from pipelines.cli.billing_run import show_figures, show_lines

    show_lines(page, result)
    show_figures(page, result)
    page.heading("Busiest accounts")
    right = [Column(name.capitalize(), right=True) for name in ("balance", "tokens used", "tokens purchased")]
    page.table(["Account", "Status", *right], top)
    reconcile.show(page, reconciled)
    page.heading("Planted and found")
    page.table(
        ["Kind", Column("Planted", right=True), Column("Found", right=True), "", Column("Where", wrap=True)],
        [
            (item.kind.kind, item.kind.planted, item.count, "=" if item.equal else "DIFFERS", item.kind.where)
            for item in found
        ],
        ["" if item.equal else "bold red" for item in found],
    )
    wrong = sum(not item.equal for item in found)
    page.line()
    if wrong:
        page.line(f"{wrong} of {len(found)} planted kinds differ", "bold red")
    else:
        page.line(f"all {len(found)} planted kinds found in their exact number", "bold green")
    name = _shown(folder.root)
    page.heading("Next")
    page.line(f"  tollbook --books {name} status")
    page.line(f"  tollbook --books {name} verify")
    page.line(f"  tollbook --books {name} quarantine list")
    page.line(f"  tollbook --books {name} recon list")
    page.line(f'  tollbook --books {name} sql -c "FROM books.token_accounts"')
    page.line(f"  tollbook --books {name} ui")


def _shown(path: Path) -> str:
    """The path as one would type it here, quoted where a shell needs it."""
    import shlex

    here = Path.cwd()
    return shlex.quote(str(path.relative_to(here)) if path.is_relative_to(here) else str(path))
