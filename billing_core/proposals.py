"""The entry that settles a break: what the ledger would have to say for both sides to agree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from billing_core.errors import ConfigurationError
from billing_core.money import round_half_even_ratio

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


@dataclass(frozen=True, kw_only=True)
class Row:
    """A ledger row of the break's group, or the purchase behind it. Money in signed minor units."""

    credit_id: str
    account_id: str
    transaction_type: str
    token_amount: int
    amount_cents: int
    currency: str


@dataclass(frozen=True, kw_only=True)
class Case:
    """What is known of a break. `stripe` is the net of its group's movements; `tokens` what the paid amount buys.

    `returned` is the money and tokens that the purchase has given back so far, both positive.
    """

    code: str
    account_id: str | None
    currency: str
    stripe: int
    stripe_currency: str
    rows: Sequence[Row]
    purchase: Row | None = None
    tokens: int | None = None
    returned_cents: int = 0
    returned_tokens: int = 0
    payment_intent_id: str | None = None
    charge_id: str | None = None
    refund_id: str | None = None


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One proposed ledger entry, as a credit record; `source_credit_id` is the record that it names."""

    account_id: str
    transaction_type: str
    token_amount: int
    amount_cents: int | None
    currency: str | None
    source_credit_id: str | None = None
    payment_intent_id: str | None = None
    charge_id: str | None = None
    refund_id: str | None = None


def propose(case: Case) -> list[Entry]:
    """The entries that settle a break. Raises ConfigurationError where a person has to decide, or facts are missing."""
    rule = _RULES.get(case.code)
    if rule is None:
        raise ConfigurationError(f"{case.code}: no entry settles it by itself; see its resolution")
    return rule(case)


def _purchase(case: Case) -> list[Entry]:
    if case.account_id is None:
        raise ConfigurationError("no account is known to the payment; name it with --account")
    if case.tokens is None:
        raise ConfigurationError("no package has this price; say with --tokens what was bought")
    return [
        Entry(
            account_id=case.account_id,
            transaction_type="purchase",
            token_amount=case.tokens,
            amount_cents=case.stripe,
            currency=case.stripe_currency,
            payment_intent_id=case.payment_intent_id,
            charge_id=case.charge_id,
        )
    ]


def _correction(row: Row, tokens: int, cents: int | None, currency: str | None = None) -> Entry:
    return Entry(
        account_id=row.account_id,
        transaction_type="correction",
        token_amount=tokens,
        amount_cents=cents,
        currency=(currency or row.currency) if cents is not None else None,
        source_credit_id=row.credit_id,
    )


def _bonus(row: Row, tokens: int) -> Entry:
    return Entry(
        account_id=row.account_id,
        transaction_type="bonus",
        token_amount=tokens,
        amount_cents=None,
        currency=None,
        source_credit_id=row.credit_id,
    )


def _reverse_all(case: Case) -> list[Entry]:
    return [_correction(row, -row.token_amount, -row.amount_cents) for row in _required(case.rows)]


def _reverse_extra(case: Case) -> list[Entry]:
    """Keep the first credit that the payment covers, take the others back."""
    rows = [row for row in case.rows if row.transaction_type in {"purchase", "auto_recharge"}]
    return [_correction(row, -row.token_amount, -row.amount_cents) for row in _required(rows)[1:]]


def _correct_amount(case: Case) -> list[Entry]:
    row = _required(case.rows)[0]
    return [_correction(row, 0, case.stripe - sum(item.amount_cents for item in case.rows))]


def _correct_capture(case: Case) -> list[Entry]:
    row = _required(case.rows)[0]
    kept = round_half_even_ratio(row.token_amount, case.stripe, row.amount_cents)
    return [_correction(row, kept - row.token_amount, case.stripe - row.amount_cents)]


def _correct_currency(case: Case) -> list[Entry]:
    row = _required(case.rows)[0]
    return [_correction(row, 0, -row.amount_cents), _correction(row, 0, case.stripe, case.stripe_currency)]


def _correct_tokens(case: Case) -> list[Entry]:
    row = _required(case.rows)[0]
    if case.tokens is None:
        raise ConfigurationError("no package has this price; say with --tokens what was bought")
    missing = case.tokens - row.token_amount
    # A correction takes back or releases what a lot has; what was never credited is a lot of its own.
    return [_correction(row, missing, None) if missing < 0 else _bonus(row, missing)]


def _take_back(transaction_type: str) -> Callable[[Case], list[Entry]]:
    def entries(case: Case) -> list[Entry]:
        purchase = case.purchase
        if purchase is None:
            raise ConfigurationError("the purchase behind it is not in the ledger; post that first")
        cents = sum(row.amount_cents for row in case.rows) - case.stripe
        return [
            Entry(
                account_id=purchase.account_id,
                transaction_type=transaction_type,
                token_amount=-_tokens_of(case, purchase, cents),
                amount_cents=-cents,
                currency=case.stripe_currency,
                source_credit_id=purchase.credit_id,
                payment_intent_id=case.payment_intent_id,
                refund_id=case.refund_id,
            )
        ]

    return entries


def _tokens_of(case: Case, purchase: Row, cents: int) -> int:
    """The tokens that go with money: cumulative, so that a whole refund takes back exactly what was bought."""
    money = min(case.returned_cents + cents, purchase.amount_cents)
    in_all = round_half_even_ratio(purchase.token_amount, money, purchase.amount_cents)
    return max(in_all - case.returned_tokens, 0)


def _give_back(case: Case) -> list[Entry]:
    """What was taken goes back in the proportion of the money; a row that gave back too much is reversed."""
    row = min(_required(case.rows), key=lambda item: item.amount_cents)
    cents = case.stripe - sum(item.amount_cents for item in case.rows)
    if cents <= 0 or row.amount_cents >= 0:
        return _reverse_all(case)
    return [
        Entry(
            account_id=row.account_id,
            transaction_type="chargeback_reversal" if row.transaction_type == "chargeback" else "refund",
            token_amount=round_half_even_ratio(-row.token_amount, cents, -row.amount_cents),
            amount_cents=cents,
            currency=row.currency,
            source_credit_id=row.credit_id,
            payment_intent_id=case.payment_intent_id,
            refund_id=case.refund_id,
        )
    ]


def _correct_refund(case: Case) -> list[Entry]:
    is_short = case.stripe < sum(row.amount_cents for row in case.rows)
    return _take_back("refund")(case) if is_short else _give_back(case)


def _required(rows: Sequence[Row]) -> Sequence[Row]:
    if not rows:
        raise ConfigurationError("the ledger rows behind it carry no credit id, so no entry can name them")
    return rows


_RULES: dict[str, Callable[[Case], list[Entry]]] = {
    "payment_not_credited": _purchase,
    "credit_without_payment": _reverse_all,
    "credit_on_unsettled": _reverse_all,
    "credit_on_failed_payment": _reverse_all,
    "duplicate_credit": _reverse_extra,
    "amount_mismatch": _correct_amount,
    "currency_mismatch": _correct_currency,
    "tokens_mismatch": _correct_tokens,
    "partial_capture_overcredit": _correct_capture,
    "refund_not_recorded": _take_back("refund"),
    "refund_without_stripe": _give_back,
    "refund_amount_mismatch": _correct_refund,
    "refund_failed_not_reversed": _give_back,
    "dispute_opened_not_held": _take_back("chargeback"),
    "dispute_lost_not_debited": _take_back("chargeback"),
    "dispute_won_not_reinstated": _give_back,
}
SETTLED_BY_ENTRY = frozenset(_RULES)
"""The codes for which an entry is proposed."""
TAKES_TOKENS = frozenset({"payment_not_credited", "tokens_mismatch"})
"""Those whose entry says what was bought; the tokens of all others follow from the rows that they name."""
