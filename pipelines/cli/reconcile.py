"""`tollbook reconcile`: ledger against Stripe, to the last cent, and what keeps them apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from billing_core.errors import ConfigurationError
from pipelines.cli.invocation import of
from pipelines.cli.levels import Finding, Level, exit_if_reached
from pipelines.cli.output import Column
from pipelines.cli.text import cents, plural

if TYPE_CHECKING:
    from datetime import datetime

    import duckdb

    from pipelines.books.folder import BooksFolder
    from pipelines.cli.output import Page

NAME = "reconcile"
_SUMMARY = "FROM recon.summary WHERE $period IS NULL OR period = $period ORDER BY ALL"
_BRIDGE = """
SELECT stage, period, currency, subject, line_no, line, state, code, items, amount FROM recon.bridge
WHERE $period IS NULL OR period IS NULL OR period = $period ORDER BY stage, currency, period, subject, line_no, state
"""
_CODES = """
SELECT found.code, found.severity, found.state, found.currency, count(*) AS items,
    sum(residual_amount)::BIGINT AS residual_amount, sum(amount_at_stake)::BIGINT AS amount_at_stake,
    max(age_days) AS oldest_days, any_value(found.resolution) AS resolution
FROM recon.breaks AS found JOIN recon.break_codes AS known USING (code)
WHERE $period IS NULL OR found.period = $period
GROUP BY found.code, found.severity, found.state, found.currency, known.number
ORDER BY known.number, found.state, found.currency
"""
_RUN = """
SELECT run_id, as_of::VARCHAR AS as_of, ledger_rows, movements, match_groups, residual_lines
FROM recon.runs ORDER BY run_id DESC LIMIT 1
"""
_DRIFT = """
SELECT cause, count(*) AS accounts, sum(drift)::BIGINT AS tokens FROM recon.balance_drift GROUP BY cause ORDER BY cause
"""
_PROVIDERS = """
SELECT provider, finding, count(*) AS days_and_models,
    sum(reported_input_tokens + reported_output_tokens - books_input_tokens - books_output_tokens)::BIGINT AS tokens
FROM recon.provider_usage GROUP BY provider, finding ORDER BY provider, finding
"""
_PAID_OUT = """
SELECT settlement_currency AS currency, payout_id IS NOT NULL AS is_paid_out, count(*) AS ledger_rows,
    sum(settled_amount)::BIGINT AS settled, sum(fee)::BIGINT AS fees, sum(net)::BIGINT AS net
FROM recon.ledger_payouts GROUP BY ALL ORDER BY ALL
"""
_LEDGER, _STRIPE, _RESIDUAL = 0, 90, 99
"""Places of the lines that are no carriers."""


def command(
    context: typer.Context,
    period: Annotated[
        str | None, typer.Option("--period", metavar="YYYY-MM", help="Show and judge only this month.")
    ] = None,
    as_of: Annotated[
        str | None,
        typer.Option(
            "--as-of",
            metavar="INSTANT",
            help="Look no further; UTC without offset. By default the end of the last billing date.",
        ),
    ] = None,
    fail_on: Annotated[Level, typer.Option("--fail-on", help="Exit with 3 for findings at or over this.")] = Level.HIGH,
) -> None:
    """Compare ledger, Stripe and payouts, print the bridges, list what breaks.

    Ledger total + every carrier line = Stripe total, or the residual says by how much not.
    """
    from pipelines.reconciliation import reconcile_books

    invocation = of(context)
    folder = invocation.folder()
    wanted, until = month(period), _instant(as_of)
    with invocation.output.progress("reconciling", None):
        reconcile_books(folder, env=invocation.env, as_of=until)
    document = look(folder, wanted)
    invocation.output.result(document, lambda page: show(page, document))
    exit_if_reached(invocation.output, findings(document), fail_on)


def _instant(text: str | None) -> datetime | None:
    from datetime import UTC, datetime

    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigurationError(f"--as-of: got {text!r}, expected an instant such as 2026-11-01T00:00:00Z") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def month(text: str | None) -> str | None:
    """A month as `--period` takes it. Raises ConfigurationError."""
    import re

    if text is not None and not re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])", text):
        raise ConfigurationError(f"--period: got {text!r}, expected a month such as 2026-10")
    return text


def last_run(reader: duckdb.DuckDBPyConnection) -> dict[str, Any] | None:
    """The last reconciliation, whose results the tables hold; None before the first."""
    from reports.published import table

    return next(iter(table(reader, _RUN, {})), None)


def look(folder: BooksFolder, period: str | None = None) -> dict[str, Any]:
    """What the published copy says of the last run."""
    from pipelines.current_copy import open_current
    from reports.published import table

    with open_current(folder.published) as reader:
        given = {"period": period}
        return {
            "run": last_run(reader),
            "period": period,
            "summary": table(reader, _SUMMARY, given),
            "bridge": table(reader, _BRIDGE, given),
            "breaks": table(reader, _CODES, given),
            "app_balances": table(reader, _DRIFT, {}),
            "provider_usage": table(reader, _PROVIDERS, {}),
            "payouts_of_ledger_rows": table(reader, _PAID_OUT, {}),
        }


def findings(document: dict[str, Any]) -> list[Finding]:
    """Open breaks, and a residual, which is the gravest of all."""
    found = [
        Finding(Level(row["severity"]), f"{row['code']}: {plural(row['items'], 'break')}")
        for row in document["breaks"]
        if row["state"] == "break"
    ]
    left = [row for row in document["bridge"] if row["line"] == "residual" and row["amount"]]
    return found + [Finding(Level.CRITICAL, f"stage {row['stage']}: residual {row['amount']}") for row in left]


def show(page: Page, document: dict[str, Any]) -> None:
    """The bridges, the breaks by code, and what matched by count and amount."""
    run = document["run"]
    page.line(f"as of {run['as_of'][:19]} UTC, run {run['run_id']}", "dim")
    if not document["summary"] and not document["breaks"]:
        which = f" is of {document['period']}" if document["period"] else ""
        page.line(f"nothing{which} to compare: no ledger row, no movement, no break", "yellow")
    _show_ledger_bridge(page, document["bridge"])
    _show_other_bridges(page, document)
    _show_breaks(page, document["breaks"])
    _show_matched(page, document["summary"])
    _show_other_sides(page, document)
    left = [row for row in document["bridge"] if row["line"] == "residual" and row["amount"]]
    page.line()
    if left:
        page.line(f"residual in {plural(len(left), 'bridge')}: the books do not explain it", "bold red")
    else:
        page.line("residual 0 in every bridge", "bold green")


def _show_ledger_bridge(page: Page, bridge: list[dict[str, Any]]) -> None:
    """Stage A, one table per currency: a column per period."""
    lines = [row for row in bridge if row["stage"] == "A"]
    for currency in sorted({row["currency"] for row in lines}):
        own = [row for row in lines if row["currency"] == currency]
        periods = sorted({row["period"] for row in own})
        names = sorted({(row["line_no"], row["line"], row["state"] or "") for row in own})
        amounts = {(row["line_no"], row["state"] or "", row["period"]): row["amount"] for row in own}
        page.heading(f"Ledger to Stripe, {currency.upper()}")
        columns: list[Column | str] = ["", "Line", "State", *(Column(period, right=True) for period in periods)]
        rows, styles = [], []
        for number, line, state in names:
            sign = {_LEDGER: "", _STRIPE: "=", _RESIDUAL: ""}.get(number, "+")
            figures = [cents(amounts.get((number, state, period), 0), currency) for period in periods]
            rows.append((sign, line, state, *figures))
            styles.append("bold" if number in {_LEDGER, _STRIPE} else "dim" if number == _RESIDUAL else "")
        page.table(columns, rows, styles)


def _show_other_bridges(page: Page, document: dict[str, Any]) -> None:
    """Stages B to D, as pairs of a line and its amount; steps of the balance only where something is left over."""
    every = _every_month(document)
    titles = {"B": f"Presentment to settlement{every}", "C": "Stripe's balance", "D": f"Payouts{every}"}
    for stage, title in titles.items():
        lines = [row for row in document["bridge"] if row["stage"] == stage]
        if stage == "C":
            broken = {row["subject"] for row in lines if row["code"] or (row["line"] == "residual" and row["amount"])}
            steps = {(row["subject"], row["currency"]) for row in lines}
            page.heading(f"{title}: {plural(len(steps), 'step')} from snapshot to snapshot, {len(broken)} broken")
            lines = [row for row in lines if row["subject"] in broken]
        elif lines:
            page.heading(title)
        if lines:
            page.table(
                ["Currency", "Bridge", "Line", Column("Items", right=True), Column("Amount", right=True)],
                [
                    (
                        row["currency"].upper(),
                        row["subject"],
                        row["line"],
                        row["items"] or None,
                        cents(row["amount"], row["currency"]),
                    )
                    for row in lines
                ],
                ["dim" if row["line"] == "residual" else "" for row in lines],
            )


def _every_month(document: dict[str, Any]) -> str:
    """What has no month is told apart where one month is asked for."""
    return ", all months" if document["period"] else ""


def _show_breaks(page: Page, breaks: list[dict[str, Any]]) -> None:
    if not breaks:
        page.heading("No breaks")
        return
    page.heading("Breaks")
    right = [Column(name, right=True) for name in ("Items", "Residual", "At stake", "Oldest")]
    page.table(
        ["Severity", "Code", *right, Column("Resolution", wrap=True)],
        [
            (
                row["severity"],
                with_state(row),
                row["items"],
                cents(row["residual_amount"], row["currency"]) if row["residual_amount"] else "-",
                cents(row["amount_at_stake"], row["currency"]),
                f"{row['oldest_days']} d",
                row["resolution"],
            )
            for row in breaks
        ],
    )
    page.line("`tollbook recon list` names them one by one", "dim")


def with_state(row: dict[str, Any]) -> str:
    """The code, and the state where that is another one than `break`."""
    return str(row["code"]) if row["state"] == "break" else f"{row['code']}, {row['state']}"


def _show_matched(page: Page, summary: list[dict[str, Any]]) -> None:
    if not summary:
        return
    page.heading("Matched")
    right = [
        Column(name, right=True) for name in ("Ledger rows", "Matched", "By count", "Amount matched", "Open breaks")
    ]
    page.table(
        ["Period", "Currency", *right],
        [
            (
                row["period"],
                row["currency"].upper(),
                row["ledger_rows"],
                row["matched_rows"],
                _share(row["matched_rows"], row["ledger_rows"]),
                cents(row["matched_amount"], row["currency"]),
                row["open_breaks"],
            )
            for row in summary
        ],
    )


def _show_other_sides(page: Page, document: dict[str, Any]) -> None:
    """Ledger rows to payouts, the app's own balances, the providers' own reports; what there is of them."""
    if document["payouts_of_ledger_rows"]:
        page.heading(f"Ledger rows to payouts{_every_month(document)}")
        right = [Column(name, right=True) for name in ("Ledger rows", "Settled", "Fees", "Net")]
        page.table(
            ["Currency", "", *right],
            [
                (
                    row["currency"].upper(),
                    "paid out" if row["is_paid_out"] else "in no payout yet",
                    row["ledger_rows"],
                    *(cents(row[name], row["currency"]) for name in ("settled", "fees", "net")),
                )
                for row in document["payouts_of_ledger_rows"]
            ],
        )
    if document["app_balances"]:
        page.heading("The app's own balances")
        rows = [(row["cause"], row["accounts"], row["tokens"]) for row in document["app_balances"]]
        page.table(["Cause of the drift", Column("Accounts", right=True), Column("Tokens", right=True)], rows)
    if document["provider_usage"]:
        page.heading("The providers' own usage reports")
        names = ("provider", "finding", "days_and_models", "tokens")
        right = [Column("Days and models", right=True), Column("Report less books, tokens", right=True)]
        page.table(
            ["Provider", "Finding", *right], [tuple(row[name] for name in names) for row in document["provider_usage"]]
        )


def _share(part: int, whole: int) -> str:
    """A share in per cent with one decimal, without floats; "-" of nothing."""
    if not whole:
        return "-"
    tenths = 1000 * part // whole
    return f"{tenths // 10}.{tenths % 10} %"
