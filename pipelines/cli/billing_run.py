"""Billing a range of dates for `run` and `demo`, and the figures of what was posted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from billing_core.vocabulary import Disposition, Reason
from pipelines.cli.levels import Finding, Level
from pipelines.cli.output import Column
from pipelines.cli.text import number, plural

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import date
    from pathlib import Path

    from pipelines.books.folder import BooksFolder
    from pipelines.cli.output import Page
    from pipelines.warehouse.posting import PostingSummary

DISPOSITIONS = tuple(disposition.value for disposition in Disposition)
_FIGURES = ("usage_rows", "ledger_rows", "held_rows", "tokens_billed", "tokens_credited")
_HEADING = "Date        Posting   Files        Lines     Accepted  Set aside    Tokens billed"


def bill_dates(
    folder: BooksFolder,
    first: date,
    through: date,
    *,
    env: str | None,
    bare: bool,
    on_date: Callable[[date, PostingSummary | None], None],
) -> list[PostingSummary]:
    """Bill and publish, as one run that the Dagster UI shows."""
    from pipelines.dagster_run import materialize_range

    return materialize_range(folder, first, through, env=env, bare=bare, on_date=on_date)


@dataclass(frozen=True, kw_only=True)
class Billed:
    """The figures of one run. `counts` sums the postings; the checks are those of each posting.

    `remarks`: what became of lines in a way that people should hear of, how many, and the first one's file and line.
    """

    postings: int
    dates: tuple[str, ...]
    counts: dict[str, int]
    checks_passed: int
    checks_total: int
    refused: tuple[tuple[str, str], ...]
    held: tuple[tuple[int, str], ...]
    remarks: tuple[tuple[str, int, str, int], ...]
    published: Path

    @property
    def findings(self) -> list[Finding]:
        """What a person should look at."""
        found = refusals(self.refused)
        for seq, reason in self.held:
            text = f"journal/admin.jsonl, entry {seq}: held, {reason.replace('_', ' ')}; it moves nothing"
            found.append(Finding(Level.HIGH, text))
        if self.counts["quarantined"]:
            found.append(Finding(Level.MED, f"{plural(self.counts['quarantined'], 'line')} quarantined"))
        if self.counts["conflict"]:
            text = f"{plural(self.counts['conflict'], 'line')} in conflict: one id, two contents"
            found.append(Finding(Level.MED, text))
        for reason, lines, path, first in self.remarks:
            text = f"{plural(lines, 'line')} {_REMARKS[reason]}; the first is {path}, line {first:,}"
            found.append(Finding(Level.LOW, text))
        return found

    @property
    def sets_aside(self) -> bool:
        """Whether lines are held back that somebody may mend and retry."""
        return bool(self.counts["quarantined"] or self.counts["conflict"])

    def to_json(self) -> dict[str, object]:
        """As one object."""
        return {
            "postings": self.postings,
            "dates": self.dates,
            "lines": {name: self.counts[name] for name in ("received", *DISPOSITIONS)},
            "files": self.counts["files"],
            **{name: self.counts[name] for name in _FIGURES},
            "checks_passed": self.checks_passed,
            "checks_total": self.checks_total,
            "held_entries": [{"seq": seq, "reason": reason} for seq, reason in self.held],
            "refused_files": [{"path": path, "reason": reason} for path, reason in self.refused],
            "findings": [finding.to_json() for finding in self.findings],
            "published": str(self.published),
        }


_REMARKS: dict[str, str] = {
    Reason.BEFORE_START: "dated before the first day of the books, [books] start: ignored, not billed",
    Reason.UNREADABLE_COST: "whose own cost is no amount: billed, its reported cost left empty",
}
_REMARKED = """
SELECT line.reason, count(*), min(file.path),
    min_by(line.line_no, (file.path, line.line_no))
FROM audit.line_dispositions AS line JOIN audit.usage_files AS file USING (file_id)
WHERE list_contains($ids, line.posting_id) AND list_contains($reasons, line.reason)
GROUP BY line.reason ORDER BY line.reason
"""


def refusals(refused: Iterable[tuple[str, str]]) -> list[Finding]:
    """A finding for each refused file."""
    return [Finding(Level.HIGH, f"{path}: refused, {reason.replace('_', ' ')}") for path, reason in refused]


def billed(
    folder: BooksFolder, summaries: Sequence[PostingSummary], still_refused: Iterable[tuple[str, str]] = ()
) -> Billed:
    """Sum up what a run posted; checks are read from the published copy, as are the files that it refused.

    ``still_refused``: path and reason of files that are refused as they stand, by this run or an earlier one.
    """
    from reports.published import open_published

    names = ("files", "received", *DISPOSITIONS, *_FIGURES)
    ids = {"ids": [summary.posting_id for summary in summaries]}
    with open_published(folder.published) as reader:
        passed, total = reader.execute(
            "SELECT count(*) FILTER (failing_rows = 0), count(*) FROM audit.check_results"
            " WHERE list_contains($ids, posting_id)",
            ids,
        ).fetchall()[0]
        refused = reader.execute(
            "SELECT path, coalesce(reason, 'unreadable') FROM audit.usage_files"
            " WHERE outcome = 'refused' AND list_contains($ids, posting_id) ORDER BY path",
            ids,
        ).fetchall()
        held = reader.execute(
            "SELECT seq, held_reason FROM audit.admin_actions"
            " WHERE held_reason IS NOT NULL AND list_contains($ids, posting_id) ORDER BY seq",
            ids,
        ).fetchall()
        remarks = reader.execute(_REMARKED, {**ids, "reasons": list(_REMARKS)}).fetchall()
    return Billed(
        postings=len(summaries),
        dates=tuple(summary.billing_date.isoformat() for summary in summaries),
        counts={name: sum(summary.counts.get(name, 0) for summary in summaries) for name in names},
        checks_passed=passed,
        checks_total=total,
        held=tuple(held),
        remarks=tuple(remarks),
        refused=tuple(sorted({**dict(still_refused), **dict(refused)}.items())),
        published=folder.published,
    )


class DateLines:
    """One line per billing date with news, as each is done, and one for all dates without any between two of them.

    Dates without news before the first posting are left out.
    """

    def __init__(self, say: Callable[[str, str], None]) -> None:
        """Say each line with a style."""
        self._say = say
        self._begun = False
        self._idle: list[date] = []

    def add(self, day: date, summary: PostingSummary | None) -> None:
        """A date that was looked at, with its posting if there was news."""
        if summary is None:
            self._idle.append(day)
            return
        self.end()
        if not self._begun:
            self._say(_HEADING, "bold")
            self._begun = True
        counts = summary.counts
        aside = counts["quarantined"] + counts["conflict"]
        self._say(
            f"{day}  {summary.posting_id:>7,}  {counts['files']:>6,}  {counts['received']:>11,}"
            f"  {counts['accepted']:>11,}  {aside:>9,}  {counts['tokens_billed']:>15,}",
            "",
        )

    def end(self) -> None:
        """No more dates before the next news: say those without any."""
        if self._begun and self._idle:
            through = f" through {self._idle[-1]} ({len(self._idle)} dates)" if len(self._idle) > 1 else ""
            self._say(f"{self._idle[0]}  {'-':>7}  nothing new{through}", "dim")
        self._idle = []


def show_lines(page: Page, result: Billed) -> None:
    """The lines table: what was received is what became of it."""
    rows: list[tuple[str, str, int]] = [("", "received", result.counts["received"])]
    rows += [("=" if index == 0 else "+", name, result.counts[name]) for index, name in enumerate(DISPOSITIONS)]
    page.heading("Lines")
    page.table(["", "", Column("", right=True)], rows)


def show_figures(page: Page, result: Billed) -> None:
    """Rows posted, tokens, checks and the path that readers open."""
    counts = result.counts
    page.heading("Posted")
    page.pairs(
        [
            ("usage rows", counts["usage_rows"]),
            ("ledger rows", counts["ledger_rows"]),
            ("tokens billed", counts["tokens_billed"]),
            ("tokens credited", counts["tokens_credited"]),
            ("calls held", f"{number(counts['held_rows'])} (no price yet)" if counts["held_rows"] else "0"),
            ("checks passed", f"{result.checks_passed:,} of {result.checks_total:,}"),
            ("published", str(result.published)),
        ]
    )


def show_findings(page: Page, findings: Sequence[Finding]) -> None:
    """What a person should look at, gravest first as they come."""
    if not findings:
        return
    page.heading("Findings")
    page.table(["Level", Column("What", wrap=True)], [(finding.level.value, finding.text) for finding in findings])
