"""The demo's Stripe account: a payment for every purchase, payouts every week, and a few things that went wrong."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from typing import TYPE_CHECKING

from pipelines.demo.dates import DAY_MS, LAST, SECOND_MS, START, at_ms
from pipelines.stripe_double import actions as do
from pipelines.stripe_double import objects
from pipelines.stripe_double.world import World

if TYPE_CHECKING:
    from pathlib import Path

    from pipelines.demo.accounts import Account

ACCOUNT = "acct_demo"
_SECONDS_BEFORE = 8
_STARTER_CENTS = 1_500
_SETTLEMENTS: dict[str, tuple[str, str | None]] = {"usd": ("usd", None), "eur": ("eur", None), "gbp": ("usd", "1.27")}


class Till:
    """The payment side of the demo. Counts of planted breaks by code are in `planted`."""

    def __init__(self, seed: int, accounts: tuple[Account, ...]) -> None:
        """A Stripe account in test mode, with a customer for everybody who buys."""
        self.world = World(seed=seed, now=_day(LAST + timedelta(days=1)), account=ACCOUNT, livemode=False)
        self.planted: Counter[str] = Counter()
        for account in accounts:
            if account.regular:
                created = account.created_ms // SECOND_MS
                self.world.put(objects.customer(customer_of(account), created, livemode=False, metadata={}))

    def pay(self, account: Account, occurred_ms: int, cents: int, currency: str) -> tuple[str, str]:
        """A card payment a few seconds before it is credited, on the same day; returns PaymentIntent and charge."""
        second, day_ms = occurred_ms // SECOND_MS, occurred_ms - occurred_ms % DAY_MS
        return self.pay_at(account, max(second - _SECONDS_BEFORE, day_ms // SECOND_MS), cents, currency)

    def pay_at(self, account: Account, second: int, cents: int, currency: str) -> tuple[str, str]:
        """A card payment at a second; pounds are settled in dollars."""
        settlement, rate = _SETTLEMENTS[currency]
        paid = do.pay(
            self.world,
            amount=cents,
            currency=currency,
            customer=customer_of(account),
            at=second,
            metadata={"account_id": account.account_id},
            settlement=settlement,
            rate=rate,
        )
        assert paid.charge is not None
        return paid.payment_intent, paid.charge

    def refund(self, charge: str, cents: int, occurred_ms: int) -> str:
        """Money back; returns the refund's id."""
        return do.refund(self.world, charge, amount=cents, at=occurred_ms // SECOND_MS - 1)

    def plant(self, buyers: tuple[Account, ...]) -> None:
        """What Stripe knows and the ledger does not."""
        for place, day in enumerate((date(2026, 9, 10), date(2026, 10, 12))):
            self.pay_at(buyers[place], _day(day, 11), _STARTER_CENTS, "usd")
            self.planted["payment_not_credited"] += 1
        for month in (8, 9, 10):
            do.movement(
                self.world,
                type="stripe_fee",
                reporting_category="fee",
                amount=-200,
                currency="usd",
                at=_day(date(2026, month, 25), 6),
            )
            self.planted["stripe_fee_unallocated"] += 1
        for turn in range(3):
            do.decline(
                self.world,
                amount=_STARTER_CENTS,
                customer=customer_of(buyers[2]),
                decline_code="insufficient_funds",
                at=_day(date(2026, 10, 20 + turn), 9),
                metadata={"auto_recharge": "true"},
            )
        self.planted["auto_recharge_failed_streak"] += 1

    def plant_returns(self, sales: list[tuple[str, int]]) -> None:
        """Refunds and disputes of charges, (charge, cents), that the ledger never hears of."""
        (refunded, cents), (pending, _), (disputed, _), (asked, _) = sales
        do.refund(self.world, refunded, amount=cents // 3, at=_day(date(2026, 9, 24), 14))
        do.refund(self.world, pending, amount=300, at=_day(date(2026, 10, 5), 14), status="pending")
        do.dispute(self.world, disputed, at=_day(date(2026, 10, 8), 16))
        do.dispute(self.world, asked, at=_day(date(2026, 10, 23), 16), status="warning_needs_response")
        # The pending one has moved the balance too.
        self.planted["refund_not_recorded"] += 2
        for code in ("refund_pending_stale", "dispute_opened_not_held", "inquiry_open"):
            self.planted[code] += 1

    def close(self, folder: Path) -> None:
        """Pay out week by week, take the snapshots of the balance, write the files."""
        from pipelines.stripe_double.export import write_objects  # noqa: PLC0415 files are written once, at the end

        self._pay_out()
        for month in (8, 9, 10, 11):
            do.snapshot(self.world, at=_day(date(2026, month, 1)))
        write_objects(self.world, folder)

    def _pay_out(self) -> None:
        failed = date(2026, 9, 14)
        day = START + timedelta(days=9)
        while day < LAST - timedelta(days=4):
            for currency in ("eur", "usd"):
                payout = do.payout(self.world, currency=currency, at=_day(day, 3))
                if payout is None:
                    continue
                if day == failed and currency == "usd":
                    do.fail_payout(self.world, payout, at=_day(day + timedelta(days=2), 3))
                    self.planted["payout_failed"] += 1
                else:
                    do.arrive(self.world, payout, at=_day(day + timedelta(days=2), 3))
            day += timedelta(days=7)
        manual = do.payout(self.world, currency="usd", at=_day(date(2026, 9, 3), 12), automatic=False, amount=1_000)
        assert manual is not None
        do.arrive(self.world, manual, at=_day(date(2026, 9, 5), 12))
        self.planted["payout_not_itemised"] += 1


def customer_of(account: Account) -> str:
    """The id of an account's customer at Stripe."""
    return f"cus_demo{account.account_id}"


def _day(day: date, hour: int = 0) -> int:
    """Unix seconds of a UTC wall time."""
    return at_ms(day, hour=hour) // SECOND_MS
