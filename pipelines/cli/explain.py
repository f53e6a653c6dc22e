"""`tollbook explain`: everything behind one call, one ledger row or one held record."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipelines.cli.invocation import of
from pipelines.cli.text import cents, instant, nanousd, number, plural

if TYPE_CHECKING:
    from pipelines.cli.output import Page

NAME = "explain"
_RAW_SHOWN = 2_000
_HASH_SHOWN = 12


def command(
    context: typer.Context,
    ids: Annotated[
        list[str],
        typer.Argument(
            metavar="ID...",
            help="A usage, transaction or lot id, an event key, an event's own id (several values where its key has "
            "several columns), a credit id, a PaymentIntent or refund id.",
        ),
    ],
) -> None:
    """Explain one price or ledger row: line, rule, arithmetic, balances, lots.

    Reads the published copy. The raw line is shown if its file still holds the bytes that were read.
    """
    from pipelines.current_copy import open_current
    from pipelines.explain.evidence import explain
    from pipelines.explain.identify import identify

    invocation = of(context)
    folder = invocation.folder()
    with open_current(folder.published) as reader:
        document = explain(reader, folder, identify(reader, ids))
    show = {"usage": _show_call, "transaction": _show_transaction, "held": _show_held}[document["kind"]]
    invocation.output.result(document, lambda page: show(page, document))


def _show_call(page: Page, document: dict[str, Any]) -> None:
    call = document["call"]
    what = " ".join(str(call[name]) for name in ("operation_type", "provider", "model") if call[name])
    what += f", service tier {call['service_tier']}" if call["service_tier"] else ""
    page.line(f"call {call['usage_id']}", "bold")
    page.line(f"{call['account_id']}, {instant(call['occurred_at'])}, {what}")
    _show_line(page, document["line"], call["event_key"])
    page.line(f"  recorded {instant(call['recorded_at'])} by posting {call['posting_id']:,}")
    _show_price(page, call, document["price"])
    for revision in document["later_versions"]:
        page.line(
            f"  version {revision['revision_no'] + 1}, recorded {instant(revision['recorded_at'])} by posting "
            f"{revision['posting_id']:,} ({revision['revision_reason']}): {number(revision['billable_tokens'])} tokens "
            f"under {revision['rate_id']} {revision['rate_version']}"
        )
    _show_rows(page, document["ledger"])
    _show_paid_by(page, document["paid_by"])


def _show_price(page: Page, call: dict[str, Any], price: dict[str, Any]) -> None:
    page.heading("Price")
    rule, settings = price["rule"], price["settings"]
    if rule:
        page.line(f"  rule {rule['rate_id']}, version {rule['rate_version']}, {_span(rule)}: {_charge(rule['charge'])}")
    if settings:
        later = f", since replaced by {settings['superseded_by']}" if settings["superseded_by"] else ""
        page.line(f"  settings {settings['settings_version']}, {_span(settings)}{later}")
    for step in price["arithmetic"]:
        page.line(f"  {step}")
    billed = "held, not billed" if price["billable_tokens"] is None else f"{price['billable_tokens']:,} tokens billed"
    page.line(f"  {billed}", "bold")
    if not price["agrees"] and price["recomputed"] is not None:
        page.line(f"  THIS IS NOT WHAT THE ARITHMETIC COMES TO ({price['recomputed']:,}); run `tollbook verify`", "red")
    reported = call["reported_billable_tokens"]
    if reported is not None and reported != price["billable_tokens"]:
        page.line(f"  the app's own figure was {reported:,}")
    if call["provider_cost_nanousd"] is None:
        page.line("  its cost at the provider is not known; finance.uncosted_calls says why")
    else:
        page.line(f"  cost at the provider's list prices: {nanousd(call['provider_cost_nanousd'])}")
    if call["reported_cost_nanousd"] is not None:
        page.line(f"  the log reported a cost of {nanousd(call['reported_cost_nanousd'])}")


def _show_transaction(page: Page, document: dict[str, Any]) -> None:
    row, waiting = document["transaction"], document["waiting"]
    if row is None:
        page.line(f"{waiting['transaction_type']} {waiting['transaction_id']}, not in the ledger yet", "bold")
        page.line(f"{waiting['account_id']}, {waiting['token_amount']:+,} tokens, due {instant(waiting['posted_at'])}")
    else:
        page.line(f"{row['transaction_type']} {row['transaction_id']}", "bold")
        page.line(
            f"{row['account_id']}, occurred {instant(row['occurred_at'])}, {row['description'] or 'no description'}"
        )
        page.line(f"  recorded {instant(row['recorded_at'])} by posting {row['posting_id']:,}, period {row['period']}")
        _show_money(page, row)
    if document["credit"]:
        credit = document["credit"]
        names = ("credit_id", "package_id", "stripe_payment_intent_id", "stripe_charge_id", "source_credit_id")
        page.pairs([(name, credit[name]) for name in names if credit[name]])
        _show_line(page, document["line"], credit["event_key"])
    if document["admin_action"]:
        action = document["admin_action"]
        page.line(f"  journal entry {action['seq']}: {action['action']} by {action['actor']}: {action['reason']}")
    if document["corrects"]:
        named = document["corrects"]
        page.line(
            f"  concerns {named['transaction_type']} {named['transaction_id']} ({named['token_amount']:+,} tokens)"
        )
    if row is not None:
        _show_rows(page, [row])
    if document["corrected_by"]:
        page.heading("Named by later rows")
        _show_rows(page, document["corrected_by"], heading=False)
    _show_lot(page, document["lot"])
    _show_paid_by(page, document["paid_by"])


def _show_money(page: Page, row: dict[str, Any]) -> None:
    if row["amount_cents"] is None:
        return
    tax = f", tax {cents(row['tax_cents'], row['currency'])}" if row["tax_cents"] else ""
    discount = f", discount {cents(row['discount_cents'], row['currency'])}" if row["discount_cents"] else ""
    page.line(f"  {cents(row['amount_cents'], row['currency'])}{tax}{discount}, settled by {row['settled_by']}")


def _show_lot(page: Page, lot: dict[str, Any] | None) -> None:
    if lot is None:
        return
    page.heading(f"Lot {lot['lot_id']}")
    ends = instant(lot["expires_at"]) if lot["expires_at"] else "never"
    page.pairs([
        ("opened by", lot["transaction_type"]), ("priority", lot["priority"]),
        ("usable from", instant(lot["effective_at"])),
        ("ends", ends), ("tokens", lot["token_amount"]), ("spent", lot["burnt"]), ("taken back", lot["taken_back"]),
        ("expired", lot["expired"]), ("left", lot["remaining"]),
        ("paid for it", cents(lot["cost_basis"], lot["currency"]) if lot["cost_basis"] else "nothing"),
    ])  # fmt: skip


def _show_held(page: Page, document: dict[str, Any]) -> None:
    record = document["record"]
    detail = f" ({record['detail']})" if record["detail"] else ""
    page.line(f"held back: {record['reason']}{detail}", "bold")
    page.line(f"{record['account_id'] or 'no account'}, source {record['source']}; nothing of it is billed")
    _show_line(page, document["line"], document["line"] and None)
    told = [(name, value) for name, value in (record["parsed"] or {}).items() if value not in (None, 0, False, "")]
    page.pairs([(name, "yes" if value is True else value) for name, value in told])


def _show_line(page: Page, line: dict[str, Any] | None, event_key: str | None) -> None:
    if line is None:
        return
    page.heading("Line")
    record = f", record {line['record_no']}" if line["record_no"] > 1 else ""
    digest = line["sha256"][:_HASH_SHOWN]
    page.line(f"  {line['path']}, line {line['line_no']:,}{record} (file {line['file_id']}, sha256 {digest})")
    if line["profile"]:
        page.line(f"  source {line['source']}, profile {line['profile']} ({line['profile_sha256'][:_HASH_SHOWN]})")
    if event_key:
        page.line(f"  event key {event_key}")
    why = f" ({line['reason']})" if line["reason"] else ""
    page.line(f"  {line['disposition']}{why}")
    for other in line["same_event"]:
        reason = f" ({other['reason']})" if other["reason"] else ""
        page.line(
            f"  the same event again: {other['path']}, line {other['line_no']:,}: {other['disposition']}{reason}, "
            f"posting {other['posting_id']:,}"
        )
    if line["raw"] is None:
        page.line(f"  no raw text: {line['raw_absent'] or 'the line is not there'}", "dim")
        return
    cut = f" ... ({plural(len(line['raw']) - _RAW_SHOWN, 'character')} more)" if len(line["raw"]) > _RAW_SHOWN else ""
    page.line(f"  {line['raw'][:_RAW_SHOWN]}{cut}", "dim")


def _show_rows(page: Page, rows: list[dict[str, Any]], *, heading: bool = True) -> None:
    if heading:
        page.heading("Ledger")
    if not rows:
        page.line("  no row: nothing was charged")
        return
    for row in rows:
        money = f", {cents(row['amount_cents'], row['currency'])}" if row["amount_cents"] else ""
        page.line(
            f"  #{row['account_seq']:,} {row['transaction_type']} {row['token_amount']:+,}{money}: balance "
            f"{row['balance_before']:,} -> {row['balance_after']:,}"
        )
        page.line(f"    {row['transaction_id']}, recorded {instant(row['recorded_at'])}", "dim")


def _show_paid_by(page: Page, pieces: list[dict[str, Any]]) -> None:
    if not pieces:
        return
    page.heading("Paid by")
    for piece in pieces:
        if piece["kind"] == "debt":
            page.line(f"  {piece['tokens']:,} tokens by no lot yet: debt")
            continue
        verb = {"burn": "from", "repay": "repaid later by", "release": "given back to"}[piece["kind"]]
        payment = f", {piece['stripe_payment_intent_id']}" if piece["stripe_payment_intent_id"] else ""
        money = f", {cents(piece['amount_cents'], piece['currency'])}" if piece["amount_cents"] else ""
        page.line(
            f"  {piece['tokens']:,} tokens {verb} {piece['lot_type'] or 'debt'} of {instant(piece['lot_opened_at'])}"
            f"{money}{payment} (lot {piece['lot_id']})"
        )


def _span(row: dict[str, Any]) -> str:
    begins = f"from {instant(row['effective_from'])}" if row["effective_from"] else "from the beginning"
    return begins + (f" until {instant(row['effective_to'])}" if row["effective_to"] else "")


def _charge(charge: dict[str, Any]) -> str:
    """A charge in the words of rates.toml: "weights (input 1, output 4.25) per token"."""
    per = f" per {charge['per']}" if "per" in charge else ""
    return ", ".join(f"{name} {_said(value)}" for name, value in charge.items() if name != "per") + per


def _said(value: object) -> str:
    if isinstance(value, dict):
        return "(" + ", ".join(f"{name} {_said(inner)}" for name, inner in value.items()) + ")"
    if isinstance(value, list):
        return " then ".join(_said(inner) for inner in value)
    return number(value) if type(value) is int else str(value)
