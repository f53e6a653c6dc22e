"""A break as a person reads it: what it is, both sides, who explained it, and the entry that settles it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipelines.cli.text import cents, instant, plural, whose_run

if TYPE_CHECKING:
    from pipelines.cli.output import Page

_SHOWN = (
    *("break_id", "period", "account_id", "payment_intent_id", "charge_id", "refund_id", "dispute_id"),
    *("balance_transaction_id", "payout_id", "occurred_at", "first_seen", "age_days", "note", "resolution"),
)
_INSTANTS = frozenset({"occurred_at", "first_seen"})
_NAMED = ("source_credit_id", "stripe_payment_intent_id", "stripe_charge_id", "stripe_refund_id")


def show_break(page: Page, document: dict[str, Any]) -> None:
    """`recon show`: the facts, the two sides, and what people may do or did."""
    page.line(f"{document['code']} ({document['severity']}, {document['state']})", "bold")
    facts = [(name, _fact(name, document[name])) for name in _SHOWN if document[name] is not None]
    money = [(name, cents(document[name], document["currency"])) for name in ("residual_amount", "amount_at_stake")]
    page.pairs([*facts, *money])
    _show_lines(page, "Ledger", [_ledger_row(row) for row in document["ledger"]])
    _show_lines(page, "Stripe", [*(_movement(row) for row in document["stripe"]), *_objects(document)])
    if document["candidates"]:
        _show_lines(page, "Fits equally well", document["candidates"])
    if document["explained"]:
        _show_lines(page, "Explained", [_override(row) for row in document["explained"]])
    if document["booked"]:
        _show_lines(page, "Booked", [_booking(row) for row in document["booked"]])
    else:
        _show_proposed(page, document)


def show_booked(page: Page, document: dict[str, Any]) -> None:
    """What `recon post` wrote to the journal, and which run posts it."""
    for entry in document["booked"]:
        page.line(f"booked: {_money(entry)} for {entry['account_id']}")
    if document["booked"]:
        page.line(f"{whose_run(document['booked_at'])}; the reconciliation after it shows it.", "dim")
    else:
        page.line(f"{document['break_id']} was booked before; nothing was written")


def _show_lines(page: Page, title: str, lines: list[str]) -> None:
    page.heading(title)
    for line in lines:
        page.line(f"  {line}")
    if not lines:
        page.line("  nothing", "dim")


def _show_proposed(page: Page, document: dict[str, Any]) -> None:
    page.heading("Proposed entry")
    for entry in document["proposed"]:
        page.line(f"  {_money(entry)} for {entry['account_id']}, dated {instant(entry['occurred_at'])}")
        named = ", ".join(str(entry[name]) for name in _NAMED if entry[name])
        page.line(f"  {entry['credit_id']}{f', names {named}' if named else ''}")
    verb, does = ("post", "books it") if document["proposed"] else ("override", "explains it")
    if document["no_proposal"]:
        page.line(f"  none: {document['no_proposal']}", "dim")
    if document["state"] in {"break", "overridden"}:
        name = document["break_id"][:12]
        page.line(f"`tollbook recon {verb} {name} --actor YOU --reason WHY` {does}", "dim")


def _fact(name: str, value: object) -> object:
    return instant(str(value)) if name in _INSTANTS else value


def _money(row: dict[str, Any]) -> str:
    money = "" if row["amount_cents"] is None else f", {cents(row['amount_cents'], row['currency'])}"
    return f"{row['transaction_type']} of {plural(row['token_amount'], 'token')}{money}"


def _ledger_row(row: dict[str, Any]) -> str:
    credit = f", credit {row['credit_id']}" if row["credit_id"] else ""
    return (
        f"{_money(row)} for {row['account_id']} on {instant(row['occurred_at'])}{credit}, "
        f"transaction {row['transaction_id']}"
    )


def _movement(row: dict[str, Any]) -> str:
    settled = ""
    if row["bt_amount"] is not None and (row["bt_amount"], row["bt_currency"]) != (row["amount"], row["currency"]):
        settled = f", settled as {cents(row['bt_amount'], row['bt_currency'])}"
    money = f"{row['kind'].replace('_', ' ')} of {cents(row['amount'], row['currency'])}{settled}"
    return f"{money} on {instant(row['moved_at'])}, {row['movement_id']}"


def _objects(document: dict[str, Any]) -> list[str]:
    """The objects themselves; a payment only where none of its movements is part of the break."""
    lines = []
    for row in document["objects"]:
        if row["kind"] == "payment" and document["stripe"]:
            continue
        why = f" ({row['why']})" if row["why"] else ""
        money = f"{row['kind'].replace('_', ' ')} of {cents(row['amount'], row['currency'])}"
        lines.append(f"{money} on {instant(row['created'])}: {row['status']}{why}, {row['id']}")
    return lines


def _override(row: dict[str, Any]) -> str:
    until = f" until {row['expires_at'][:10]}{', which is over' if row['is_over'] else ''}" if row["expires_at"] else ""
    return f"by {row['actor']} on {instant(row['made_at'])}{until}: {row['reason']}"


def _booking(row: dict[str, Any]) -> str:
    became = f"posted by posting {row['posting_id']:,}" if row["posting_id"] else whose_run(row["at"])
    if row["held_reason"]:
        became = f"held, {row['held_reason'].replace('_', ' ')}: `recon post` books it again once that is mended"
    return f"entry {row['seq']} of the admin journal, by {row['actor']}: {row['reason']}. {became}"
