"""`tollbook simulate`: candidate price books over all history; nothing is posted."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from billing_core.errors import ConfigurationError
from pipelines.cli import dates
from pipelines.cli.invocation import of
from pipelines.cli.output import Column
from pipelines.cli.text import cents, instant, per_mille, plural

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pipelines.cli.invocation import Invocation
    from pipelines.cli.output import Page
    from pipelines.simulate.history import Span
    from pipelines.simulate.outcome import Account

NAME = "simulate"
_LISTED = 10


def command(
    context: typer.Context,
    rates: Annotated[
        list[Path], typer.Option("--rates", metavar="FILE", help="A rates file to try; repeat it for several.")
    ],
    packages: Annotated[
        Path | None,
        typer.Option("--packages", metavar="FILE", help="Packages that value them; else those of the books."),
    ] = None,
    first: Annotated[
        str | None,
        typer.Option("--from", metavar="WHEN", help="First day or instant of the calls that are priced anew."),
    ] = None,
    last: Annotated[
        str | None,
        typer.Option("--to", metavar="WHEN", help="Last day, inclusive, or the instant before which they end."),
    ] = None,
    totals: Annotated[
        bool, typer.Option("--totals", help="Tokens and money only: no balances, no recharges, no list of accounts.")
    ] = False,
    output: Annotated[
        Path | None, typer.Option("--output", metavar="FILE", help="Write every account as CSV into a new file.")
    ] = None,
) -> None:
    """Try price books on all history: tokens, revenue, margin, who runs dry, recharges.

    Reads the published copy and writes nothing to the books.
    """
    from pipelines.books.config import load_packages
    from pipelines.current_copy import open_current
    from pipelines.simulate.candidates import load_candidates, load_packages_of
    from pipelines.simulate.report import account_rows, given_away
    from pipelines.simulate.report import totals as totals_of
    from pipelines.simulate.simulation import Question, simulate
    from reports.published import publication

    invocation = of(context)
    folder = invocation.folder()
    config = invocation.config(folder)
    candidates = load_candidates(folder, config, rates)
    question = Question(
        books={candidate.name: candidate.prices for candidate in candidates},
        span=_span(first, last),
        packages=load_packages_of(folder, config, packages),
        posted_packages=load_packages(folder, config),
        timezone=config.books.timezone,
        totals_only=totals,
    )
    with open_current(folder.published) as reader:
        posting_id = publication(reader).posting_id
        accounts = simulate(reader, question)
    names = ["posted", *question.books]
    document = {
        "through_posting": posting_id,
        "from": first,
        "to": last,
        "packages": packages,
        "calls": sum(account.calls for account in accounts),
        "accounts_with_calls": sum(account.calls > 0 for account in accounts),
        "given_away": given_away(accounts),
        "files": {candidate.name: {"path": candidate.path, "sha256": candidate.sha256} for candidate in candidates},
        "books": {name: totals_of(accounts, name, totals_only=totals) for name in names},
    }
    rows = [] if totals else list(account_rows(accounts, totals_only=totals))
    if output is not None:
        _write(output, list(account_rows(accounts, totals_only=totals)), invocation)
    invocation.output.result(
        document if totals else {**document, "accounts": rows},
        lambda page: _show(page, document, [] if totals else accounts, names),
    )


def _span(first: str | None, last: str | None) -> Span:
    from datetime import datetime, timedelta

    from pipelines.books.dated_files import start_us
    from pipelines.simulate.history import Span

    begins = None if first is None else dates.moment("--from", first)
    ends = None if last is None else dates.moment("--to", last)
    if ends is not None and not isinstance(ends, datetime):
        ends += timedelta(days=1)
    span = Span(None if begins is None else start_us(begins), None if ends is None else start_us(ends))
    if span.begins is not None and span.ends is not None and span.begins >= span.ends:
        raise ConfigurationError(f"--to: {last} is before --from {first}; no call lies between them")
    return span


def _show(page: Page, document: dict[str, Any], accounts: Sequence[Account], names: Sequence[str]) -> None:
    what = f"{plural(document['calls'], 'call')} of {plural(document['accounts_with_calls'], 'account')}"
    span = "".join(f" {word} {document[word]}" for word in ("from", "to") if document[word])
    page.line(f"{what}{span}, as published with posting {document['through_posting']:,}; nothing was posted")
    columns = [Column(name, right=True) for name in names]
    books = [document["books"][name] for name in names]
    page.table(["", *columns], [(label, *values) for label, values in _lines(document, books)])
    for name in names[1:] if accounts else ():
        _show_accounts(page, accounts, name)


def _lines(document: dict[str, Any], books: Sequence[dict[str, Any]]) -> Iterator[tuple[str, list[object]]]:
    """The rows of the table: a label and one cell per price book, the posted figures first."""
    tried = books[1:]
    posted = books[0]["billable_tokens"]
    yield "billed tokens", [book["billable_tokens"] for book in books]
    yield "  change", [None, *(f"{book['change_tokens']:+,}" for book in tried)]
    yield "  change in %", [None, *(_share(book["change_tokens"], posted) for book in tried)]
    yield "calls billed otherwise", [None, *(book["calls_billed_otherwise"] for book in tried)]
    yield "calls held", [book["calls_held"] for book in books]
    for currency in sorted({currency for book in books for currency in book["revenue"]}):
        yield from _revenue_lines(document, books, currency)
    if any(book["tokens_without_a_price"] for book in books):
        yield "tokens no package prices", [book["tokens_without_a_price"] for book in books]
    yield from _margin_lines([book["margin"] for book in books])
    yield "accounts billed more", [None, *(book["accounts_billed_more"] for book in tried)]
    yield "accounts billed less", [None, *(book["accounts_billed_less"] for book in tried)]
    if "ran_dry" not in books[0]:
        return
    yield "accounts that ran dry", [book["ran_dry"]["accounts"] for book in books]
    for word in ("newly", "earlier", "later", "no_longer"):
        yield f"  {word.replace('_', ' ')}", [None, *(book["ran_dry"][word] for book in tried)]
    yield "recharges fired", [book["recharges"]["fired"] for book in books]
    yield "  of so many accounts", [book["recharges"]["accounts"] for book in books]
    for why, count in books[0]["recharges"]["skipped_accounts"].items():
        yield f"  accounts: {why.replace('_', ' ')}", [count] * len(books)


def _revenue_lines(
    document: dict[str, Any], books: Sequence[dict[str, Any]], currency: str
) -> Iterator[tuple[str, list[object]]]:
    revenue = [book["revenue"].get(currency, 0) for book in books]
    changes = [book["change_revenue"].get(currency, 0) for book in books[1:]]
    yield f"revenue at package prices, {currency.upper()}", [_amount(amount, currency) for amount in revenue]
    yield "  change", [None, *(_signed(change, _amount(change, currency)) for change in changes)]
    yield "  change in %", [None, *(_share(change, revenue[0]) for change in changes)]
    if given := document["given_away"].get(currency):
        yield "  given away, at the same prices", [_amount(given, currency)] * len(books)


def _margin_lines(margins: Sequence[dict[str, Any]]) -> Iterator[tuple[str, list[object]]]:
    if any(margin["provider_cost_nanousd"] for margin in margins):
        yield "provider cost, where known, USD", [_dollars(margin["provider_cost_nanousd"]) for margin in margins]
        yield "margin of those calls, USD", [_dollars(margin["margin_nanousd"]) for margin in margins]
        yield "  in % of their revenue", [per_mille(margin["margin_per_mille"]) for margin in margins]
    if elsewhere := margins[0]["cost_of_other_currencies_nanousd"]:
        yield "provider cost of others, USD", [_dollars(elsewhere)] * len(margins)
    yield "calls of unknown cost", [margin["uncosted_calls"] for margin in margins]


def _amount(amount: int, currency: str) -> str:
    return cents(amount, currency).removesuffix(f" {currency.upper()}")


def _signed(change: int, shown: str) -> str:
    """A change as it is shown, with its plus."""
    return f"+{shown}" if change > 0 else shown


def _dollars(nano: int) -> str:
    """Billionths of a dollar to the cent, rounded half to even: for a table; JSON has every digit."""
    from billing_core.money import round_half_even_ratio

    return _amount(round_half_even_ratio(nano, 1, 10**7), "usd")


def _share(change: int, base: int) -> str | None:
    from billing_core.money import round_half_even_ratio

    return per_mille(round_half_even_ratio(change, 1000, base), signed=True) if base > 0 else None


def _show_accounts(page: Page, accounts: Sequence[Account], name: str) -> None:
    from pipelines.simulate.report import largest_changes, newly_dry

    changed = largest_changes(accounts, name, _LISTED)
    if changed:
        page.heading(f"{name}: the largest changes")
        right = [Column(heading, right=True) for heading in ("Posted", name, "Change", "In %", "Revenue")]
        page.table(["Account", *right], [_changed(account, name) for account in changed])
    dry = newly_dry(accounts, name)
    if not dry:
        return
    page.heading(f"{name}: {plural(len(dry), 'account')} would have run dry that did not, or earlier")
    page.table(["Account", "Would have", "Did"], [_dry(account, name) for account in dry[:_LISTED]])
    if len(dry) > _LISTED:
        page.line(f"... and {len(dry) - _LISTED:,} more; --output FILE writes all, --json too", "dim")


def _dry(account: Account, name: str) -> tuple[str, ...]:
    instants = (account.figures[book].ran_dry_us for book in (name, "posted"))
    return (account.account_id, *(instant(_utc(at_us)) for at_us in instants))


def _changed(account: Account, name: str) -> tuple[object, ...]:
    posted, now = account.figures["posted"], account.figures[name]
    change = now.tokens - posted.tokens
    is_priced = now.revenue is not None and posted.revenue is not None
    more = (now.revenue or 0) - (posted.revenue or 0)
    money = _signed(more, cents(more, account.currency)) if is_priced else None
    return (account.account_id, posted.tokens, now.tokens, f"{change:+,}", _share(change, posted.tokens), money)


def _utc(at_us: int | None) -> str | None:
    from billing_core.instants import utc_text

    return None if at_us is None else utc_text(at_us)


def _write(path: Path, rows: list[dict[str, Any]], invocation: Invocation) -> None:
    """One line per account and price book, beside what was posted."""
    import csv

    from pipelines.cli.answers import harmless, target

    about = ("account_id", "currency", "price_basis", "calls", "provider_cost_nanousd", "uncosted_calls")
    with target(path) as stream:
        writer = csv.writer(stream, lineterminator="\n")
        keys = list(rows[0]["books"]["posted"]) if rows else []
        writer.writerow([*about, "book", *keys])
        for row in rows:
            for name, figures in row["books"].items():
                cells = [*(row[key] for key in about), name, *figures.values()]
                writer.writerow([harmless(cell) if isinstance(cell, str) else cell for cell in cells])
    invocation.output.note(f"{plural(len(rows), 'account')} written to {path}")
