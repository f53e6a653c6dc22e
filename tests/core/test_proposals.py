"""The entry that settles a break, by example and for any money and tokens."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_core.breaks import BREAKS, break_id
from billing_core.errors import ConfigurationError
from billing_core.proposals import SETTLED_BY_ENTRY, Case, Row, propose

PURCHASE = Row(
    credit_id="c1", account_id="ada", transaction_type="purchase", token_amount=1000, amount_cents=500, currency="usd"
)


def _case(code: str, stripe: int, *rows: Row, **more: object) -> Case:
    known: dict[str, object] = {"account_id": "ada", "currency": "usd", "stripe_currency": "usd", "purchase": PURCHASE}
    return Case(code=code, stripe=stripe, rows=rows, **(known | more))  # type: ignore[arg-type]


def test_codes_are_numbered_from_1_to_45_and_named_once() -> None:
    """The catalogue is whole."""
    assert [item.number for item in BREAKS] == list(range(1, 46))
    assert len({item.code for item in BREAKS}) == 45
    assert {item.code for item in BREAKS} >= SETTLED_BY_ENTRY


def test_break_is_known_again_by_code_and_subject() -> None:
    """The same words give the same id, in every run and every process."""
    assert break_id("over_refund", "pi_1") == "brk_cb9462c2712006b33b74"
    assert break_id("over_refund", "pi_1") != break_id("over_refund", "pi_2")


@given(money=st.integers(1, 10**9), tokens=st.integers(1, 10**12), before=st.integers(0, 10**9))
def test_refunds_take_back_all_tokens_in_the_end(money: int, tokens: int, before: int) -> None:
    """After what came back before, a refund of the rest takes exactly the tokens that are left."""
    before %= money
    purchase = Row(
        credit_id="c",
        account_id="a",
        transaction_type="purchase",
        token_amount=tokens,
        amount_cents=money,
        currency="usd",
    )
    first = propose(_case("refund_not_recorded", -before, purchase=purchase)) if before else []
    taken = -first[0].token_amount if first else 0
    (last,) = propose(
        _case("refund_not_recorded", -(money - before), purchase=purchase, returned_cents=before, returned_tokens=taken)
    )
    assert taken - last.token_amount == tokens
    assert last.amount_cents == before - money


def test_duplicate_credits_are_reversed_but_for_the_first() -> None:
    """Each extra row is named and taken back whole."""
    extra = Row(
        credit_id="c2",
        account_id="ada",
        transaction_type="purchase",
        token_amount=1000,
        amount_cents=500,
        currency="usd",
    )
    (entry,) = propose(_case("duplicate_credit", 500, PURCHASE, extra))
    assert (entry.source_credit_id, entry.token_amount, entry.amount_cents) == ("c2", -1000, -500)


def test_wrong_currency_is_moved_in_two_entries() -> None:
    """One currency loses what the other gets; no token moves."""
    first, second = propose(_case("currency_mismatch", 450, PURCHASE, stripe_currency="eur"))
    assert (first.amount_cents, first.currency) == (-500, "usd")
    assert (second.amount_cents, second.currency) == (450, "eur")
    assert first.token_amount == second.token_amount == 0


def test_partial_capture_keeps_its_share_of_the_tokens() -> None:
    """Half the money, half the tokens."""
    (entry,) = propose(_case("partial_capture_overcredit", 250, PURCHASE))
    assert (entry.token_amount, entry.amount_cents) == (-500, -250)


def test_failed_refund_is_given_back() -> None:
    """The row of the refund is named and undone."""
    refund = Row(
        credit_id="r1",
        account_id="ada",
        transaction_type="refund",
        token_amount=-400,
        amount_cents=-200,
        currency="usd",
    )
    (entry,) = propose(_case("refund_failed_not_reversed", 0, refund))
    assert (entry.transaction_type, entry.token_amount, entry.amount_cents) == ("refund", 400, 200)
    assert entry.source_credit_id == "r1"


@pytest.mark.parametrize("code", ["ambiguous_match", "dispute_and_refund", "payout_failed"])
def test_what_a_person_must_decide_has_no_entry(code: str) -> None:
    """It is refused in words."""
    with pytest.raises(ConfigurationError, match="no entry settles it by itself"):
        propose(_case(code, 0, PURCHASE))


def test_unknown_package_asks_for_the_tokens() -> None:
    """No figure is guessed."""
    with pytest.raises(ConfigurationError, match="--tokens"):
        propose(_case("payment_not_credited", 500))
