"""`tollbook admin`: what a person decides by hand, written to the journal; the next run posts it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from billing_core.errors import ConfigurationError
from pipelines.cli.invocation import Invocation, of
from pipelines.cli.output import Column
from pipelines.cli.text import instant, number, whose_run

if TYPE_CHECKING:
    from pipelines.books.admin_journal import AdminAction, AdminEntry
    from pipelines.books.folder import BooksFolder
    from pipelines.cli.output import Page

NAME = "admin"
group = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Grant, deduct, block and unblock by hand; list what was done."
)

Account = Annotated[str, typer.Argument(metavar="ACCOUNT", help="The account, as the books name it.")]
Tokens = Annotated[int, typer.Argument(metavar="TOKENS", min=1, help="Whole tokens, above zero: the verb is the sign.")]
# Never the user of the machine by default: a shared login would sign what a person must answer for.
Actor = Annotated[
    str, typer.Option("--actor", envvar="TOLLBOOK_ACTOR", metavar="WHO", help="Who answers for it. Required.")
]
Reason = Annotated[str, typer.Option("--reason", metavar="WHY", help="Why, for the audit trail. Required.")]


@group.command()
def grant(context: typer.Context, account: Account, tokens: Tokens, actor: Actor, reason: Reason) -> None:
    """Give an account tokens."""
    _enter(context, "grant", account, tokens, actor, reason)


@group.command()
def deduct(
    context: typer.Context,
    account: Account,
    tokens: Tokens,
    actor: Actor,
    reason: Reason,
) -> None:
    """Take tokens from an account."""
    _enter(context, "deduct", account, tokens, actor, reason)


@group.command()
def block(context: typer.Context, account: Account, actor: Actor, reason: Reason) -> None:
    """Block an account."""
    _enter(context, "block", account, None, actor, reason)


@group.command()
def unblock(context: typer.Context, account: Account, actor: Actor, reason: Reason) -> None:
    """Lift the block of an account."""
    _enter(context, "unblock", account, None, actor, reason)


@group.command("list")
def list_entries(
    context: typer.Context,
    account: Annotated[str | None, typer.Option("--account", metavar="ACCOUNT", help="Only this account.")] = None,
) -> None:
    """List every entry of the journal, and the posting that read it."""
    from pipelines.books.admin_journal import AdminJournal

    invocation = of(context)
    folder = invocation.folder()
    posted, held = _posted(folder)
    entries = [entry for entry in AdminJournal(folder.admin_journal).read() if account in {None, entry.account_id}]
    rows = [
        {**_to_json(entry), "posting_id": posted.get(entry.seq), "held_reason": held.get(entry.seq)}
        for entry in entries
    ]

    def render(page: Page) -> None:
        if not rows:
            page.line("no admin entries")
            return
        columns: list[Column | str] = [
            Column("#", right=True),
            "At",
            "Actor",
            "Action",
            "Account",
            Column("Tokens", right=True),
        ]
        page.table([*columns, "Posting", Column("Reason", wrap=True)], [_row(row) for row in rows])

    invocation.output.result({"entries": rows}, render)


def _row(row: dict[str, Any]) -> tuple[object, ...]:
    posting = "next run" if row["posting_id"] is None else number(row["posting_id"])
    if row["held_reason"] is not None:
        posting = f"held: {row['held_reason'].replace('_', ' ')}"
    at = instant(row["at"]).removesuffix(" UTC") + "Z"
    change, credit, reason = row["change"], row["credit"], row["reason"]
    about = change["what"] if change else credit["break_id"] if credit else None
    tokens = credit["token_amount"] if credit else row["token_amount"]
    what = f"{about}: {reason}" if about else reason
    return (row["seq"], at, row["actor"], row["action"], row["account_id"], tokens, posting, what)


def _enter(
    context: typer.Context,
    action: AdminAction,
    account: str,
    tokens: int | None,
    actor: str,
    reason: str,
) -> None:
    """Write one entry, under the lock of the books, for an account that they know."""
    from pipelines.books.admin_journal import AdminJournal
    from pipelines.books.lock import hold_books

    invocation: Invocation = of(context)
    folder = invocation.folder()
    invocation.config(folder)
    with hold_books(folder.lock, f"tollbook admin {action}"):
        _require_account(folder, account)
        entry = AdminJournal(folder.admin_journal).append(
            actor=actor, action=action, account_id=account, reason=reason, token_amount=tokens
        )
    what = f"{action} {tokens:,} tokens:" if tokens is not None else f"{action}:"
    text = f"entry {entry.seq}: {what} {account}, by {actor}. {whose_run(entry.at)}."
    invocation.output.result(_to_json(entry), lambda page: page.line(text))


def _require_account(folder: BooksFolder, account: str) -> None:
    """Refuse an account that the books do not know: a typing error would grant to nobody."""
    import difflib

    from reports.published import open_published

    with open_published(folder.published) as reader:
        known = [str(row[0]) for row in reader.execute("SELECT account_id FROM books.token_accounts").fetchall()]
    if account not in known:
        close = difflib.get_close_matches(account, known, n=1)
        hint = f"did you mean {close[0]}?" if close else "`tollbook accounts list` shows those that they know."
        raise ConfigurationError(f"ACCOUNT: the books do not know {account!r}; {hint} Nothing was written.")


def _posted(folder: BooksFolder) -> tuple[dict[int, int], dict[int, str]]:
    """By seq: the posting that read the entry, and why it holds it if it does."""
    from reports.published import open_published

    if not folder.published.is_file():
        return {}, {}
    with open_published(folder.published) as reader:
        found = reader.execute("SELECT seq, posting_id, held_reason FROM audit.admin_actions").fetchall()
    return {seq: posting for seq, posting, _ in found}, {seq: why for seq, _, why in found if why is not None}


def _to_json(entry: AdminEntry) -> dict[str, Any]:
    return {name: getattr(entry, name) for name in entry.__slots__}
