"""The demo's customers: 37 ordinary ones of very different size and 3 with a part to play."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date

from pipelines.demo.dates import SECOND_MS, START, at_ms, iso
from pipelines.demo.packages import PACKAGES

_REGULARS = 37
_FOUNDERS = 30
_PLANS = ("free", "pro", "team")
_CURRENCIES = ("usd", "usd", "eur", "usd", "gbp", "usd", "usd", "eur")
_RECHARGED = 5
_JOINED = tuple(date(2026, month, day) for month, day in ((8, 7), (8, 21), (9, 1), (9, 14), (9, 28), (10, 7), (10, 21)))
"""When the later customers join, on days that are billed anyway; everybody else is there from the first minute."""


@dataclass(frozen=True)
class Account:
    """One customer; `regular` ones buy packages whenever they run low."""

    account_id: str
    workspace_id: str | None
    plan: str
    currency: str
    created_ms: int
    auto_recharge: bool
    regular: bool


def roster() -> tuple[Account, ...]:
    """Every account, ordinary ones first and by created_at."""
    return tuple(_account(index) for index in range(_REGULARS + 3))


def bonus_account(accounts: tuple[Account, ...]) -> Account:
    """The account whose bonus expires half used; it makes only the calls planted for it."""
    return accounts[_REGULARS]


def overdrawn_accounts(accounts: tuple[Account, ...]) -> tuple[Account, ...]:
    """The accounts that use more than their welcome bonus and never buy; they make only planted calls."""
    return accounts[_REGULARS + 1 :]


def account_lines(accounts: tuple[Account, ...]) -> list[bytes]:
    """The lines of accounts/accounts.jsonl, in the plain columns."""
    return [json.dumps(_row(account), separators=(",", ":")).encode() for account in accounts]


def _account(index: int) -> Account:
    regular = index < _REGULARS
    late = _FOUNDERS <= index < _REGULARS
    created = at_ms(_JOINED[index - _FOUNDERS], hour=9) if late else at_ms(START)
    return Account(
        account_id=f"user{index + 1:04d}",
        workspace_id=None if index % 4 == 0 else f"space{index % 6 + 1:02d}",
        plan=_PLANS[index % len(_PLANS)],
        currency=_CURRENCIES[index % len(_CURRENCIES)],
        created_ms=created + index * SECOND_MS,
        auto_recharge=index < _RECHARGED,
        regular=regular,
    )


def _row(account: Account) -> dict[str, object]:
    row: dict[str, object] = {"account_id": account.account_id, "user_id": account.account_id}
    if account.workspace_id is not None:
        row["workspace_id"] = account.workspace_id
    row |= {"plan": account.plan, "currency": account.currency, "status": "active"}
    row["auto_recharge_enabled"] = account.auto_recharge
    if account.auto_recharge:
        row |= {"auto_recharge_threshold": 20_000, "auto_recharge_amount": PACKAGES[0].tokens}
    if account.regular:
        row["stripe_customer_id"] = f"cus_demo{account.account_id}"
        row["default_payment_method_id"] = f"pm_demo{account.account_id}"
    return row | {"created_at": iso(account.created_ms), "updated_at": iso(account.created_ms)}
