"""`tollbook recon`: the breaks of the last reconciliation, one by one, and what people do about them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from billing_core.breaks import BY_CODE, Severity, State
from billing_core.errors import ConfigurationError
from pipelines.cli.admin import Actor, Reason
from pipelines.cli.invocation import of
from pipelines.cli.output import Column
from pipelines.cli.reconcile import last_run, month, with_state
from pipelines.cli.text import cents, instant, plural

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    import duckdb

    from pipelines.books.folder import BooksFolder
    from pipelines.cli.output import Page

NAME = "recon"
group = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="List, show, settle and explain breaks.")

Break = Annotated[str, typer.Argument(metavar="BREAK", help="Id of the break, or how it begins.")]
_LIST = """
SELECT break_id, period, code, severity, state, currency, residual_amount, amount_at_stake, account_id,
    coalesce(refund_id, dispute_id, payout_id, balance_transaction_id, payment_intent_id, charge_id,
        transaction_id::VARCHAR, subject) AS about, first_seen::VARCHAR AS first_seen, age_days, resolution, note
FROM recon.breaks
WHERE ($code IS NULL OR code = $code) AND ($state IS NULL OR state = $state)
  AND ($period IS NULL OR period = $period) AND ($severity IS NULL OR severity = $severity)
ORDER BY list_position(['critical', 'high', 'med', 'low', 'info'], severity), amount_at_stake DESC, break_id
"""

_BECAME = "SELECT seq, posting_id, held_reason FROM audit.admin_actions"


@group.command("list")
def list_breaks(
    context: typer.Context,
    code: Annotated[str | None, typer.Option("--code", metavar="CODE", help="Only this code.")] = None,
    severity: Annotated[Severity | None, typer.Option("--severity", help="Only this severity.")] = None,
    state: Annotated[
        str | None, typer.Option("--state", metavar="STATE", help="break, expected, timing, overridden ...")
    ] = None,
    period: Annotated[str | None, typer.Option("--period", metavar="YYYY-MM", help="Only this month.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=0, help="How many; 0 for all.")] = 50,
) -> None:
    """List the breaks of the last reconciliation, gravest first."""
    from pipelines.current_copy import open_current
    from reports.published import table

    invocation = of(context)
    _require_known("--code", code, BY_CODE)
    _require_known("--state", state, State)
    given = {"code": code, "severity": severity.value if severity else None, "state": state, "period": month(period)}
    with open_current(invocation.folder().published) as reader:
        run = last_run(reader)
        rows = table(reader, _LIST, given)
    shown = rows[:limit] if limit else rows

    def render(page: Page) -> None:
        if run is None:
            page.line("nothing is reconciled yet; `tollbook reconcile` says what that needs")
            return
        page.line(f"as of {instant(run['as_of'])}, run {run['run_id']}", "dim")
        if not rows:
            page.line("no break matches" if any(given.values()) else "no breaks")
            return
        page.table(
            [
                "Break",
                "Severity",
                "Code",
                "Period",
                Column("At stake", right=True),
                Column("Age", right=True),
                Column("About", wrap=True),
            ],
            [
                (
                    row["break_id"][:12],
                    row["severity"],
                    with_state(row),
                    row["period"],
                    cents(row["amount_at_stake"], row["currency"]),
                    f"{row['age_days']} d",
                    row["about"],
                )
                for row in shown
            ],
        )
        if len(shown) < len(rows):
            page.line(f"{len(shown)} of {plural(len(rows), 'row')}; --limit 0 shows all", "dim")
        page.line("`tollbook recon show BREAK` tells what is on both sides", "dim")

    invocation.output.result({"breaks": shown, "total": len(rows)}, render)


def _require_known(option: str, given: str | None, known: Iterable[str]) -> None:
    """A word that no break can have would list nothing, and look like good news."""
    import difflib

    words = sorted(known)
    if given is not None and given not in words:
        close = difflib.get_close_matches(given, words, n=1)
        hint = f"did you mean {close[0]}?" if close else f"expected one of {', '.join(words)}"
        raise ConfigurationError(f"{option}: got {given!r}; {hint}")


@group.command()
def show(context: typer.Context, name: Break) -> None:
    """Show both sides of a break, and what settles it.

    That is the entry that `recon post` would book, or the one that was booked, and who explained the break.
    """
    from pipelines.cli.recon_text import show_break
    from pipelines.current_copy import open_current
    from pipelines.recon_case import details, find_break, proposed

    invocation = of(context)
    folder = invocation.folder()
    with open_current(folder.published) as reader:
        found = find_break(reader, name)
        sides = details(reader, found)
        try:
            entries: list[dict[str, Any]] = [
                {"account_id": account, **credit} for account, credit in proposed(reader, found)
            ]
            why_none = None
        except ConfigurationError as error:
            entries, why_none = [], str(error)
        booked = _booked(folder, reader, found["break_id"])
    document = {**found, **sides, "proposed": entries, "no_proposal": why_none, "booked": booked}
    invocation.output.result(document, lambda page: show_break(page, document))


def _booked(folder: BooksFolder, reader: duckdb.DuckDBPyConnection, break_id: str) -> list[dict[str, Any]]:
    """The entries of the admin journal that were booked for a break, and what became of each."""
    from pipelines.books.admin_journal import AdminJournal
    from reports.published import table

    became = {row["seq"]: row for row in table(reader, _BECAME, {})}
    return [
        {
            "seq": entry.seq,
            "at": entry.at,
            "actor": entry.actor,
            "reason": entry.reason,
            "posting_id": became.get(entry.seq, {}).get("posting_id"),
            "held_reason": became.get(entry.seq, {}).get("held_reason"),
        }
        for entry in AdminJournal(folder.admin_journal).read()
        if entry.credit is not None and entry.credit["break_id"] == break_id
    ]


@group.command()
def post(
    context: typer.Context,
    name: Break,
    actor: Actor,
    reason: Reason,
    account: Annotated[
        str | None, typer.Option("--account", metavar="ACCOUNT", help="Who bought, if Stripe does not say.")
    ] = None,
    tokens: Annotated[
        int | None, typer.Option("--tokens", min=1, help="What was bought, if no package has the price.")
    ] = None,
) -> None:
    """Book the proposed entry of a break, once.

    The run that bills the day posts it. The entry is proved first: the next posting is made with it and taken back.
    One that cannot be posted is refused.
    """
    from pipelines.billing import open_books
    from pipelines.cli.recon_text import show_booked
    from pipelines.current_copy import open_current
    from pipelines.recon_case import find_break, proposed
    from pipelines.rehearsal import prove_credits
    from pipelines.warehouse.actions import held_entries

    invocation = of(context)
    folder = invocation.folder()
    with open_books(folder, command="tollbook recon post", env=invocation.env) as books:
        with open_current(folder.published) as reader:
            found = find_break(reader, name)
            if found["state"] not in {"break", "overridden"}:
                raise ConfigurationError(
                    f"BREAK: {found['break_id']} is {found['state']}, not a break; nothing to book"
                )
            wanted = proposed(reader, found, account=account, tokens=tokens)
        held = held_entries(books.connection)
        standing = [entry.credit for entry in books.admin.read() if entry.credit is not None and entry.seq not in held]
        booked = {credit["credit_id"] for credit in standing}
        fresh = [(owner, credit) for owner, credit in wanted if credit["credit_id"] not in booked]
        prove_credits(books, fresh)
        written = [
            books.admin.append_credit(actor=actor, account_id=owner, reason=reason, credit=credit)
            for owner, credit in fresh
        ]
    document = {
        "break_id": found["break_id"],
        "code": found["code"],
        "booked": [{"account_id": owner, **credit} for owner, credit in fresh],
        "already_booked": len(wanted) - len(fresh),
        "booked_at": written[-1].at if written else None,
    }
    invocation.output.result(document, lambda page: show_booked(page, document))


@group.command()
def override(
    context: typer.Context,
    name: Break,
    actor: Actor,
    reason: Reason,
    until: Annotated[
        str | None, typer.Option("--until", metavar="DATE", help="A break again from this day on (UTC); never without.")
    ] = None,
) -> None:
    """Explain a break until a day, or for good.

    It stays in the bridge, but is no finding until the explanation expires.
    """
    from pipelines.books.lock import hold_books
    from pipelines.books.recon_journal import ReconJournal
    from pipelines.current_copy import open_current
    from pipelines.recon_case import find_break

    invocation = of(context)
    folder = invocation.folder()
    invocation.config(folder)
    expires_at = _day(until)
    with hold_books(folder.lock, "tollbook recon override"):
        with open_current(folder.published) as reader:
            found = find_break(reader, name)
            _require_effect(found, expires_at, last_run(reader))
        entry = ReconJournal(folder.recon_journal).override(
            found["break_id"], actor=actor, reason=reason, expires_at=expires_at
        )
    document = {
        "seq": entry.seq,
        "break_id": entry.break_id,
        "actor": actor,
        "reason": reason,
        "expires_at": expires_at,
    }
    held = f"until {until}" if until else "for good"
    text = f"{entry.break_id} ({found['code']}) is explained {held}; the next `tollbook reconcile` shows it so."
    invocation.output.result(document, lambda page: page.line(text))


def _require_effect(found: dict[str, Any], expires_at: datetime | None, run: dict[str, Any] | None) -> None:
    """Refuse a word that would explain nothing: what is no break, or only days that are reconciled already."""
    from datetime import datetime

    if found["state"] not in {"break", "overridden"}:
        raise ConfigurationError(f"BREAK: {found['break_id']} is {found['state']}, not a break; nothing to explain")
    if expires_at is not None and run is not None and expires_at <= datetime.fromisoformat(run["as_of"]):
        raise ConfigurationError(
            f"--until: {expires_at:%Y-%m-%d} is over for the last reconciliation, as of {instant(run['as_of'])}; "
            "name a later day"
        )


def _day(text: str | None) -> datetime | None:
    from datetime import UTC, date, datetime, time

    if text is None:
        return None
    try:
        return datetime.combine(date.fromisoformat(text), time(), UTC)
    except ValueError:
        raise ConfigurationError(f"--until: got {text!r}, expected a date such as 2026-12-31") from None
