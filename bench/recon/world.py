"""A world in the making: what the ledger and Stripe say of the same sales, built event by event, with its labels.

Whole numbers and seeded draws only: the same seed gives the same world. Times are UTC, amounts minor units.
"""

from __future__ import annotations

import json
import random
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from billing_core.identity import derived_id

AS_OF = datetime(2026, 11, 1, tzinfo=UTC)
ACCOUNT = "acct_bench"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
PACKAGES = (
    ("starter", 150_000, {"usd": 1_500, "eur": 1_400, "gbp": 1_200}),
    ("pro", 750_000, {"usd": 6_500, "eur": 6_000, "gbp": 5_200}),
    ("business", 2_250_000, {"usd": 17_500, "eur": 16_000, "gbp": 14_000}),
)
OTHER_PRICES = {"jpy": 2_000, "kwd": 4_500}
"""What the first package costs where packages name no price: without decimals, and with three."""
RATES = {
    currency: Decimal(rate)
    for currency, rate in (
        *(("gbp", "1.27"), ("jpy", "0.0065"), ("kwd", "3.25")),
        *(("isk", "0.0072"), ("ugx", "0.00027"), ("zzz", "0.5")),
    )
}
"""Units of us dollars for a unit; dollars and euro are settled as they are."""
SCALES = {"jpy": 1, "kwd": 1000}

Row = dict[str, Any]


@dataclass(frozen=True)
class Customer:
    """One account of the app and its customer at Stripe."""

    account_id: str
    customer_id: str


@dataclass
class Sale:
    """One payment: its objects, as rows that a fault may still change."""

    customer: Customer
    intent: Row
    charge: Row
    transaction: Row | None
    credit: Row | None

    @property
    def payment(self) -> str:
        """The PaymentIntent's id."""
        return str(self.intent["payment_intent_id"])


@dataclass
class World:
    """Rows by table, and labels: (code, subject, aliases)."""

    seed: int
    mode: str = "files"
    fee_bands: bool = False
    rows: dict[str, list[Row]] = field(default_factory=lambda: defaultdict(list))
    labels: list[tuple[str, str, tuple[str, ...]]] = field(default_factory=list)
    shifts: list[tuple[datetime, str, int]] = field(default_factory=list)
    unpaid: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.dice = random.Random(self.seed)
        self._numbers: dict[str, int] = defaultdict(int)
        self._seqs: dict[str, int] = defaultdict(int)
        self._balances: dict[str, int] = defaultdict(int)

    # Names and times

    def name(self, prefix: str) -> str:
        """The next id of a kind, such as pi_s7_000012."""
        self._numbers[prefix] += 1
        return f"{prefix}_s{self.seed}_{self._numbers[prefix]:06d}"

    def moment(self, month: int | None = None) -> datetime:
        """Some second well inside September or October, days 4 to 20."""
        month = month or self.dice.choice([9, 10])
        day = datetime(2026, month, 4, tzinfo=UTC)
        return day + timedelta(seconds=self.dice.randrange(16 * 86_400))

    def label(self, code: str, subject: object, *aliases: object) -> None:
        """Say that a break of this code is there to be found, under any of these ids."""
        self.labels.append((code, str(subject), tuple(str(alias) for alias in aliases)))

    # People

    def customer(self, **changes: Any) -> Customer:
        """A new account with a customer of its own."""
        made = Customer(self.name("user"), self.name("cus"))
        row: Row = {
            "account_id": made.account_id,
            "stripe_customer_id": made.customer_id,
            "auto_recharge_enabled": False,
            "auto_recharge_threshold": None,
            "created_at": datetime(2026, 8, 1, tzinfo=UTC),
            "updated_at": datetime(2026, 8, 1, tzinfo=UTC),
        }
        self.rows["accounts"].append(row | changes)
        return made

    # The ledger

    def credit(self, customer: Customer, at: datetime, amount: int | None, currency: str | None, **changes: Any) -> Row:
        """A row of the ledger: a purchase of the first package unless told otherwise."""
        account = customer.account_id
        self._seqs[account] += 1
        row: Row = {
            "credit_id": self.name("credit"),
            "account_id": account,
            "account_seq": self._seqs[account],
            "transaction_type": "purchase",
            "token_amount": PACKAGES[0][1],
            "balance_before": self._balances[account],
            "amount_cents": amount,
            "currency": currency,
            "stripe_payment_intent_id": None,
            "stripe_charge_id": None,
            "stripe_refund_id": None,
            "package_id": None,
            "corrects_transaction_id": None,
            "occurred_at": at,
            "period": f"{at:%Y-%m}",
        }
        row |= changes
        row["transaction_id"] = str(derived_id((at - EPOCH) // timedelta(microseconds=1), "credit", row["credit_id"]))
        self._balances[account] += row["token_amount"]
        self.rows["ledger"].append(row)
        return row

    # Stripe

    def intent(self, customer: Customer, at: datetime, amount: int, currency: str, **changes: Any) -> Row:
        """A PaymentIntent, succeeded unless told otherwise."""
        row: Row = {
            "payment_intent_id": self.name("pi"),
            "status": "succeeded",
            "amount": amount,
            "amount_capturable": 0,
            "amount_received": amount,
            "currency": currency,
            "customer_id": customer.customer_id,
            "latest_charge_id": None,
            "last_error_code": None,
            "last_decline_code": None,
            "metadata": "{}",
            "created": at,
        }
        self.rows["payment_intents"].append(row | changes)
        return self.rows["payment_intents"][-1]

    def charge(self, intent: Row, at: datetime, **changes: Any) -> Row:
        """The charge of a PaymentIntent, paid and captured in full unless told otherwise."""
        row: Row = {
            "charge_id": self.name("ch"),
            "status": "succeeded",
            "paid": True,
            "captured": True,
            "amount": intent["amount"],
            "amount_captured": intent["amount"],
            "currency": intent["currency"],
            "payment_intent_id": intent["payment_intent_id"],
            "customer_id": intent["customer_id"],
            "balance_transaction_id": None,
            "failure_balance_transaction_id": None,
            "payment_method_type": "card",
            "payment_method_country": "US",
            "metadata": intent["metadata"],
            "created": at,
        }
        self.rows["charges"].append(row | changes)
        made = self.rows["charges"][-1]
        intent["latest_charge_id"] = made["charge_id"]
        return made

    def transaction(
        self, category: str, source: str | None, amount: int, currency: str, at: datetime, fee: int = 0, **changes: Any
    ) -> Row:
        """A balance transaction, in its settlement currency; available two days later."""
        kinds = {"charge": "charge", "refund": "refund", "fee": "stripe_fee", "payout": "payout"}
        kinds |= {"refund_failure": "refund_failure", "charge_failure": "payment_failure_refund"}
        kinds |= {"payout_reversal": "payout_failure", "partial_capture_reversal": "refund"}
        available = (at + timedelta(days=2)).replace(hour=0, minute=0, second=0, microsecond=0)
        row: Row = {
            "balance_transaction_id": self.name("txn"),
            "type": kinds.get(category, "adjustment"),
            "reporting_category": category,
            "amount": amount,
            "currency": currency,
            "fee": fee,
            "net": amount - fee,
            "status": "available",
            "source_id": source,
            "exchange_rate": None,
            "balance_type": "payments",
            "fee_details": json.dumps([{"amount": fee, "currency": currency, "type": "stripe_fee"}] if fee else []),
            "description": None,
            "created": at,
            "available_on": available,
            "first_fetched_at": at + timedelta(hours=1),
        }
        self.rows["balance_transactions"].append(row | changes)
        return self.rows["balance_transactions"][-1]

    def settle(self, category: str, source: str, amount: int, currency: str, at: datetime, **changes: Any) -> Row:
        """The balance transaction of an amount in presentment currency: as it is, or converted to dollars."""
        settled, target, rate = converted(amount, currency)
        fee = settled * 29 // 1000 + 30 if category == "charge" else 0
        return self.transaction(category, source, settled, target, at, fee, **({"exchange_rate": rate} | changes))

    # Whole stories

    def sale(  # noqa: PLR0913 each says one thing about the sale
        self,
        customer: Customer | None = None,
        at: datetime | None = None,
        currency: str | None = None,
        amount: int | None = None,
        *,
        credited: bool = True,
        settled: bool = True,
        metadata: Row | None = None,
        package: int = 0,
        **credit: Any,
    ) -> Sale:
        """A payment by card for a package, credited a few seconds later."""
        customer = customer or self.customer()
        at = at or self.moment()
        currency = currency or self.dice.choice(["usd", "usd", "usd", "eur", "gbp", "jpy", "kwd"])
        name, tokens, prices = PACKAGES[package if currency in PACKAGES[package][2] else 0]
        price = amount if amount is not None else prices.get(currency, OTHER_PRICES.get(currency, 1_000))
        tags = {"account_id": customer.account_id} if self.dice.random() < 1 / 2 else {}
        intent = self.intent(
            customer, at, price, currency, metadata=compact(metadata if metadata is not None else tags)
        )
        charge = self.charge(intent, at + timedelta(seconds=1))
        transaction = None
        if settled:
            transaction = self.settle("charge", charge["charge_id"], price, currency, at + timedelta(seconds=2))
            charge["balance_transaction_id"] = transaction["balance_transaction_id"]
        row = None
        if credited:
            fields: Row = {"token_amount": tokens, "package_id": name, "stripe_charge_id": charge["charge_id"]}
            fields |= {"stripe_payment_intent_id": intent["payment_intent_id"]}
            row = self.credit(customer, at + timedelta(seconds=5), price, currency, **(fields | credit))
        return Sale(customer, intent, charge, transaction, row)

    def refund(self, sale: Sale, amount: int, at: datetime, *, settled: bool = True, **changes: Any) -> Row:
        """A refund at Stripe, with its balance transaction."""
        row: Row = {
            "refund_id": self.name("re"),
            "status": "succeeded",
            "amount": amount,
            "currency": sale.charge["currency"],
            "charge_id": sale.charge["charge_id"],
            "payment_intent_id": sale.payment,
            "balance_transaction_id": None,
            "failure_balance_transaction_id": None,
            "pending_reason": None,
            "metadata": "{}",
            "created": at,
        }
        self.rows["refunds"].append(row | changes)
        made = self.rows["refunds"][-1]
        if settled:
            bt = self.settle("refund", made["refund_id"], -amount, made["currency"], at + timedelta(seconds=1))
            made["balance_transaction_id"] = bt["balance_transaction_id"]
        return made

    def refund_row(self, sale: Sale, amount: int, at: datetime, refund_id: str | None, **changes: Any) -> Row:
        """The ledger's row of a refund: a share of the tokens goes with the money."""
        assert sale.credit is not None
        tokens = sale.credit["token_amount"] * amount // max(sale.charge["amount_captured"], 1)
        fields: Row = {"transaction_type": "refund", "token_amount": -max(tokens, 1), "stripe_refund_id": refund_id}
        fields |= {"stripe_payment_intent_id": sale.payment}
        fields |= {"corrects_transaction_id": sale.credit["transaction_id"]}
        return self.credit(sale.customer, at, -amount, sale.charge["currency"], **(fields | changes))

    def dispute(
        self, sale: Sale, at: datetime, status: str, amount: int | None = None, *, won_at: datetime | None = None
    ) -> Row:
        """A dispute: money withdrawn, and reinstated when it was won; an inquiry moves nothing."""
        amount = amount if amount is not None else sale.charge["amount_captured"]
        row: Row = {
            "dispute_id": self.name("dp"),
            "status": status,
            "amount": amount,
            "currency": sale.charge["currency"],
            "charge_id": sale.charge["charge_id"],
            "payment_intent_id": sale.payment,
            "reason": "fraudulent",
            "balance_transaction_ids": [],
            "metadata": "{}",
            "created": at,
        }
        self.rows["disputes"].append(row)
        if not status.startswith("warning"):
            taken = self.settle("dispute", row["dispute_id"], -amount, row["currency"], at + timedelta(seconds=1))
            row["balance_transaction_ids"].append(taken["balance_transaction_id"])
        if won_at is not None:
            given = self.settle("dispute_reversal", row["dispute_id"], amount, row["currency"], won_at)
            row["balance_transaction_ids"].append(given["balance_transaction_id"])
        return row

    def chargeback(self, sale: Sale, at: datetime, amount: int | None = None, **changes: Any) -> Row:
        """The ledger's row of a dispute that took the money back."""
        assert sale.credit is not None
        amount = amount if amount is not None else sale.charge["amount_captured"]
        fields: Row = {"transaction_type": "chargeback", "token_amount": -sale.credit["token_amount"]}
        fields |= {"stripe_payment_intent_id": sale.payment, "corrects_transaction_id": sale.credit["transaction_id"]}
        return self.credit(sale.customer, at, -amount, sale.charge["currency"], **(fields | changes))

    def payout(self, currency: str, amount: int, at: datetime, **changes: Any) -> Row:
        """A payout and its own balance transaction; items come when the world is closed."""
        row: Row = {
            "payout_id": self.name("po"),
            "status": "paid",
            "amount": amount,
            "currency": currency,
            "automatic": True,
            "method": "standard",
            "type": "bank_account",
            "failure_balance_transaction_id": None,
            "failure_code": None,
            "reconciliation_status": "completed",
            "trace_id": None,
            "metadata": "{}",
            "created": at,
            "arrival_date": (at + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0),
            "in_bank": True,
        }
        self.rows["payouts"].append(row | changes)
        made = self.rows["payouts"][-1]
        bt = self.transaction("payout", made["payout_id"], -amount, currency, at, available_on=at)
        made["balance_transaction_id"] = bt["balance_transaction_id"]
        return made


def converted(amount: int, currency: str) -> tuple[int, str, Decimal | None]:
    """An amount as Stripe settles it: (minor units, settlement currency, rate between units)."""
    rate = RATES.get(currency)
    if rate is None:
        return amount, currency, None
    exact = Decimal(amount) * rate * 100 / SCALES.get(currency, 100)
    return int(exact.to_integral_value(rounding="ROUND_HALF_EVEN")), "usd", rate


def compact(value: object) -> str:
    """JSON without spaces."""
    return json.dumps(value, separators=(",", ":"))
