"""`tollbook accounts`: balances and what stands behind one of them, from the published copy."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from billing_core.errors import ConfigurationError
from pipelines.cli.invocation import of
from pipelines.cli.output import Column
from pipelines.cli.text import cents, instant, number

if TYPE_CHECKING:
    from pipelines.cli.output import Page

NAME = "accounts"
group = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="List accounts, or show what stands behind one.")


class Sort(StrEnum):
    """What a list of accounts is ordered by."""

    ACCOUNT = "account"
    BALANCE = "balance"
    USED = "used"


_ORDERS = {
    Sort.ACCOUNT: "account_id",
    Sort.BALANCE: "balance, account_id",
    Sort.USED: "lifetime_tokens_used DESC, account_id",
}
_LIST = """
SELECT account_id, status, balance_level, balance, lifetime_tokens_used, lifetime_tokens_purchased,
    lifetime_spent_cents, currency, strftime(updated_at, '%Y-%m-%d') AS updated
FROM books.token_accounts WHERE $status IS NULL OR status = $status ORDER BY
"""
_ACCOUNT = """
SELECT * REPLACE (created_at::VARCHAR AS created_at, updated_at::VARCHAR AS updated_at,
    last_purchase_at::VARCHAR AS last_purchase_at)
FROM books.token_accounts WHERE account_id = $account
"""
_LOTS = """
SELECT lot_id::VARCHAR AS lot_id, transaction_type, priority, token_amount, burnt, taken_back, expired, remaining,
    effective_at::VARCHAR AS effective_at, expires_at::VARCHAR AS expires_at
FROM finance.lot_balances WHERE account_id = $account AND remaining > 0
ORDER BY priority, expires_at NULLS LAST, effective_at
"""
_TRANSACTIONS = """
SELECT account_seq, occurred_at::VARCHAR AS occurred_at, transaction_type, token_amount, balance_after, amount_cents,
    currency, transaction_id::VARCHAR AS transaction_id, description
FROM books.token_transactions WHERE account_id = $account ORDER BY account_seq DESC LIMIT $last
"""
_HELD = "SELECT count(*) AS calls FROM finance.held WHERE account_id = $account"


@group.command("list")
def list_accounts(
    context: typer.Context,
    status: Annotated[
        str | None, typer.Option("--status", metavar="STATUS", help="Only active, suspended or blocked ones.")
    ] = None,
    sort: Annotated[
        Sort, typer.Option("--sort", help="By account, lowest balance, or most tokens used.")
    ] = Sort.ACCOUNT,
    limit: Annotated[int, typer.Option("--limit", min=0, help="How many; 0 for all.")] = 50,
) -> None:
    """List accounts with their balances."""
    from pipelines.current_copy import open_current
    from reports.published import table

    if status not in {None, "active", "suspended", "blocked"}:
        raise ConfigurationError(f"--status: got {status!r}, expected active, suspended or blocked")
    invocation = of(context)
    with open_current(invocation.folder().published) as reader:
        rows = table(reader, _LIST + _ORDERS[sort], {"status": status})
    shown = rows[:limit] if limit else rows

    def render(page: Page) -> None:
        right = [Column(name, right=True) for name in ("Balance", "Used", "Purchased", "Spent")]
        page.table(["Account", "Status", "Level", *right, "Updated"], [_listed(row) for row in shown])
        page.line(_tally(len(shown), len(rows), sum(row["balance"] for row in rows)), "dim")

    invocation.output.result({"accounts": shown, "total": len(rows)}, render)


def _listed(row: dict[str, Any]) -> tuple[object, ...]:
    figures = (row["balance"], row["lifetime_tokens_used"], row["lifetime_tokens_purchased"])
    spent = cents(row["lifetime_spent_cents"], row["currency"]) if row["lifetime_spent_cents"] else None
    return (row["account_id"], row["status"], row["balance_level"], *figures, spent, row["updated"])


def _tally(shown: int, total: int, balance: int) -> str:
    cut = f"{shown:,} of {total:,} accounts (--limit 0 lists all)" if shown < total else f"{total:,} accounts"
    return f"{cut}; balances add up to {balance:,} tokens"


@group.command()
def show(
    context: typer.Context,
    account: Annotated[str, typer.Argument(metavar="ACCOUNT", help="The account, as the books name it.")],
    last: Annotated[int, typer.Option("--last", min=1, help="How many ledger rows.")] = 10,
) -> None:
    """Show one account: its figures, its open lots, its last ledger rows."""
    from pipelines.current_copy import open_current
    from reports.published import table

    invocation = of(context)
    by_account = {"account": account}
    with open_current(invocation.folder().published) as reader:
        found = table(reader, _ACCOUNT, by_account)
        if not found:
            raise ConfigurationError(
                f"the books do not know {account!r}; `tollbook accounts list` shows those that they know"
            )
        lots, held = table(reader, _LOTS, by_account), table(reader, _HELD, by_account)[0]["calls"]
        transactions = table(reader, _TRANSACTIONS, {**by_account, "last": last})
    document = {"account": found[0], "lots": lots, "held_calls": held, "transactions": transactions}
    invocation.output.result(document, lambda page: _show(page, document))


def _show(page: Page, document: dict[str, Any]) -> None:
    row = document["account"]
    page.line(
        f"{row['account_id']}  {row['status']}, balance {number(row['balance'])} tokens ({row['balance_level']})",
        "bold",
    )
    page.pairs(
        [
            ("purchased", row["lifetime_tokens_purchased"]),
            ("used, billed", row["lifetime_tokens_used"]),
            ("used, raw", row["lifetime_actual_tokens_used"]),
            ("spent", cents(row["lifetime_spent_cents"], row["currency"])),
            ("calls held", document["held_calls"]),
            ("user", row["user_id"] or "-"),
            ("workspace", row["workspace_id"] or "-"),
            ("created", instant(row["created_at"])),
            ("last purchase", instant(row["last_purchase_at"])),
        ]
    )
    if document["lots"]:
        page.heading("Open lots, in the order they are spent")
        right = [Column(name, right=True) for name in ("Priority", "Tokens", "Spent", "Left")]
        rows = [
            (
                lot["transaction_type"],
                lot["priority"],
                lot["token_amount"],
                lot["burnt"],
                lot["remaining"],
                instant(lot["expires_at"]),
            )
            for lot in document["lots"]
        ]
        page.table(["Kind", *right, "Expires"], rows)
    page.heading(f"Last {len(document['transactions'])} ledger rows")
    columns: list[Column | str] = [
        Column("#", right=True),
        "Occurred",
        "Type",
        Column("Tokens", right=True),
        Column("Balance", right=True),
    ]
    rows = [
        (item["account_seq"], instant(item["occurred_at"]), item["transaction_type"], item["token_amount"],
         item["balance_after"], cents(item["amount_cents"], item["currency"]))
        for item in document["transactions"]
    ]  # fmt: skip
    page.table([*columns, Column("Amount", right=True)], rows)
