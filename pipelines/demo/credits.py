"""The app's record of credits: packages bought whenever a customer runs low, and a few planted rows."""

from __future__ import annotations

import json
from collections import Counter
from datetime import date
from typing import TYPE_CHECKING

from pipelines.demo.accounts import bonus_account
from pipelines.demo.dates import SECOND_MS, at_ms, delivery_before, iso, month
from pipelines.demo.packages import PACKAGES, Package
from pipelines.demo.prices import WELCOME_TOKENS

if TYPE_CHECKING:
    from pipelines.demo.accounts import Account
    from pipelines.demo.payments import Till

FLOOR_TOKENS = 40_000
BONUS_TOKENS = 5_000
BONUS_FROM_MS = at_ms(date(2026, 8, 21), hour=10)
BONUS_EXPIRES_MS = at_ms(date(2026, 9, 21))
_REFUND_TOKENS = 150_000
_REFUND_SHARE = 5
_UPGRADE_EVERY = 3
_CREDITED = ("purchase", "bonus", "admin_grant")
_APP_USAGE_ROWS = 4
_APART_MS = 15 * 60 * SECOND_MS

Row = dict[str, object]


class Treasury:
    """Every account's balance as calls are made, and the credit rows that keep it up. Whole tokens and minor units."""

    def __init__(self, accounts: tuple[Account, ...], till: Till) -> None:
        """Each account starts with its welcome bonus, which the books add themselves, and its planted credits."""
        self._till = till
        self._last_bought: dict[tuple[str, str], int] = {}
        self._accounts = {account.account_id: account for account in accounts}
        self._bought: Counter[str] = Counter()
        self._bonus_account = bonus_account(accounts).account_id
        self._bonus_used = 0
        self.balances = dict.fromkeys(self._accounts, WELCOME_TOKENS)
        self.rows: list[tuple[int, Row]] = []
        self.totals: Counter[str] = Counter()
        self._plant(accounts)

    def spend(self, account_id: str, tokens: int, occurred_ms: int) -> None:
        """Take a call's tokens; a regular customer who runs low bought before, on a day with files.

        Few days with something to bill keep the demo fast.
        """
        self.balances[account_id] -= tokens
        if account_id == self._bonus_account and BONUS_FROM_MS <= occurred_ms < BONUS_EXPIRES_MS:
            self._bonus_used += tokens
        account = self._accounts[account_id]
        while account.regular and self.balances[account_id] < FLOOR_TOKENS:
            self._buy(account, max(account.created_ms + SECOND_MS, delivery_before(occurred_ms - 60 * SECOND_MS)))

    def expire(self) -> int:
        """Let the unused part of the bonus go; it burns before every other lot of its account. Returns the tokens."""
        left = max(BONUS_TOKENS - self._bonus_used, 0)
        self.balances[self._bonus_account] -= left
        return left

    def files(self) -> dict[str, list[bytes]]:
        """The lines of each credits file, by its path in the folder: one file a month, rows by time."""
        files: dict[str, list[bytes]] = {}
        for occurred, row in sorted(self.rows, key=lambda item: (item[0], str(item[1]["credit_id"]))):
            line = json.dumps(row, separators=(",", ":")).encode()
            files.setdefault(f"credits/{month(occurred)}.jsonl", []).append(line)
        return files

    def _plant(self, accounts: tuple[Account, ...]) -> None:
        buyer, granted, rewarded = accounts[0], accounts[2], accounts[3]
        pro = PACKAGES[1]
        payment, charge = self._purchase(buyer, at_ms(date(2026, 8, 7), hour=9), pro)
        # A fifth of the money comes back, so a fifth of the tokens goes.
        cents, refunded = pro.prices[buyer.currency] // _REFUND_SHARE, at_ms(date(2026, 8, 28), hour=15)
        refund: Row = {"amount_cents": -cents, "currency": buyer.currency, "stripe_payment_intent_id": payment}
        refund |= {"stripe_refund_id": self._till.refund(charge, cents, refunded)}
        self._add(buyer, refunded, "refund", -_REFUND_TOKENS, refund)
        self._add(granted, at_ms(date(2026, 9, 7), hour=11), "admin_grant", 20_000, {"admin_user_id": "admin01"})
        self._add(rewarded, at_ms(date(2026, 9, 7), hour=8), "bonus", 2_500, {"description": "Referral"})
        expiring: Row = {"expires_at": iso(BONUS_EXPIRES_MS), "description": "Summer promotion"}
        self._add(bonus_account(accounts), BONUS_FROM_MS, "bonus", BONUS_TOKENS, expiring)
        self._plant_breaks(accounts)
        for number in range(_APP_USAGE_ROWS):
            self._row(granted, at_ms(date(2026, 10, 7), hour=9 + number), "usage", -1_500 - number, {})

    def _plant_breaks(self, accounts: tuple[Account, ...]) -> None:
        """Purchases that do not fit their payments, and payments and returns that the ledger never hears of."""
        starter, till = PACKAGES[0], self._till
        unpaid, doubled, short, late = accounts[5], accounts[6], accounts[8], accounts[11]
        self._add(
            unpaid,
            at_ms(date(2026, 9, 7), hour=10),
            "purchase",
            starter.tokens,
            _paid(unpaid, starter, "pi_unknown", None),
        )
        at = at_ms(date(2026, 9, 14), hour=10)
        payment, charge = self._purchase(doubled, at, starter)
        self._add(doubled, at + 60 * SECOND_MS, "purchase", starter.tokens, _paid(doubled, starter, payment, charge))
        # A coupon at Stripe that the app does not know of.
        at, price = at_ms(date(2026, 10, 7), hour=10), starter.prices[short.currency]
        paid = till.pay(short, at, price - 100, short.currency)
        self._add(short, at, "purchase", starter.tokens, _paid(short, starter, *paid))
        # Paid in the last seconds of August, credited in the first of September.
        at = at_ms(date(2026, 9, 1)) + 3 * SECOND_MS
        paid = till.pay_at(late, at // SECOND_MS - 6, starter.prices[late.currency], late.currency)
        self._add(late, at, "purchase", starter.tokens, _paid(late, starter, *paid))
        for code in ("credit_without_payment", "duplicate_credit", "amount_mismatch", "timing_cutoff"):
            till.planted[code] += 1
        till.plant((accounts[13], accounts[14], accounts[15]))
        at = at_ms(date(2026, 9, 7), hour=13)
        sales = [
            (self._purchase(account, at, starter)[1], starter.prices[account.currency]) for account in accounts[16:20]
        ]
        till.plant_returns(sales)

    def _buy(self, account: Account, occurred_ms: int) -> None:
        # Who keeps coming back takes the next larger package.
        step = min(self._bought[account.account_id] // _UPGRADE_EVERY, len(PACKAGES) - 1)
        self._bought[account.account_id] += 1
        self._purchase(account, occurred_ms, PACKAGES[step])

    def _purchase(self, account: Account, occurred_ms: int, package: Package) -> tuple[str, str]:
        """Pay and credit; returns PaymentIntent and charge. Nobody buys the same twice within a quarter of an hour."""
        before = self._last_bought.get((account.account_id, package.package_id))
        if before is not None and abs(occurred_ms - before) < _APART_MS:
            occurred_ms = before + _APART_MS
        self._last_bought[account.account_id, package.package_id] = occurred_ms
        payment, charge = self._till.pay(account, occurred_ms, package.prices[account.currency], account.currency)
        self._add(account, occurred_ms, "purchase", package.tokens, _paid(account, package, payment, charge))
        return payment, charge

    def _add(self, account: Account, occurred_ms: int, kind: str, tokens: int, more: Row) -> None:
        self.balances[account.account_id] += tokens
        self.totals["credited" if kind in _CREDITED else kind] += tokens
        self.totals[f"{kind} rows"] += 1
        self._row(account, occurred_ms, kind, tokens, more)

    def _row(self, account: Account, occurred_ms: int, kind: str, tokens: int, more: Row) -> None:
        row: Row = {"credit_id": f"credit{len(self.rows) + 1:06d}", "account_id": account.account_id}
        row |= {"transaction_type": kind, "token_amount": tokens, "occurred_at": iso(occurred_ms)}
        self.rows.append((occurred_ms, row | more))


def _paid(account: Account, package: Package, payment: str, charge: str | None) -> Row:
    """The money side of a purchase row."""
    row: Row = {"amount_cents": package.prices[account.currency], "currency": account.currency}
    row |= {"package_id": package.package_id, "stripe_payment_intent_id": payment}
    if charge is not None:
        row["stripe_charge_id"] = charge
    return row | {"description": f"Token purchase: {package.name}"}
