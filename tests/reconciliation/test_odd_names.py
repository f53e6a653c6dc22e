"""Rows that call their payment by odd names, objects that name it by halves: one payment, one group, one code."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from bench.recon.engine import findings, run
from bench.recon.world import PACKAGES, World

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.recon.world import Row, Sale
    from tests.reconciliation.conftest import OpenWorld

DAY = timedelta(days=1)


def _session(world: World, sale: Sale, **changes: object) -> str:
    row: Row = {"checkout_session_id": world.name("cs"), "payment_intent_id": sale.payment}
    world.rows["checkout_sessions"].append(row | {"created": sale.intent["created"]} | changes)
    return str(row["checkout_session_id"])


def _again(world: World, sale: Sale, **names: object) -> Row:
    """The same purchase credited once more."""
    at = sale.intent["created"] + timedelta(minutes=1)
    return world.credit(sale.customer, at, sale.intent["amount"], sale.intent["currency"], **names)


def _correct(world: World, sale: Sale, amount: int, hours: int, **names: object) -> Row:
    at = sale.intent["created"] + timedelta(hours=hours)
    return world.credit(sale.customer, at, amount, "usd", transaction_type="correction", token_amount=0, **names)


def _found(open_world: OpenWorld, world: World) -> tuple[Counter[str], Counter[str]]:
    """Codes of the findings, and how many rows of matches each group has; nothing is left over."""
    with open_world(world) as (connection, terms):
        assert run(connection, terms).residual_lines == 0
        groups = Counter(key for (key,) in connection.execute("SELECT group_key FROM recon.matches").fetchall())
        return Counter(code for code, _ in findings(connection)), groups


def test_second_credit_by_another_name_is_a_duplicate(open_world: OpenWorld) -> None:
    """A payment that its purchase names, and a second row that knows its charge, session, invoice or order alone."""
    world = World(1)
    names: tuple[Callable[[Sale, str], Row], ...] = (
        lambda sale, _: {"stripe_charge_id": sale.charge["charge_id"]},
        lambda sale, _: {"stripe_payment_intent_id": sale.charge["charge_id"]},
        lambda _, session: {"stripe_payment_intent_id": session},
        lambda sale, _: {"stripe_payment_intent_id": sale.charge["invoice_id"]},
        lambda sale, _: {"credit_id": json.loads(sale.intent["metadata"])["credit_id"]},
    )
    sales = []
    for number, name in enumerate(names):
        sale = world.sale(currency="usd", metadata={"credit_id": f"order-{number}"}, stripe_charge_id=None)
        sale.charge["invoice_id"] = f"in_{number}"
        _again(world, sale, **name(sale, _session(world, sale)))
        sales.append(sale.payment)
    codes, groups = _found(open_world, world)
    assert codes == {"duplicate_credit": len(names)}
    assert groups == dict.fromkeys(sales, 2)


def test_row_that_names_two_payments_is_ambiguous(open_world: OpenWorld) -> None:
    """A charge in one column, another in the other: both are listed, none is chosen."""
    world = World(11)
    paid, other = (world.sale(currency="usd", credited=False) for _ in range(2))
    names = {"stripe_payment_intent_id": paid.charge["charge_id"], "stripe_charge_id": other.charge["charge_id"]}
    row = _again(world, paid, **names)
    with open_world(world) as (connection, terms):
        assert run(connection, terms).residual_lines == 0
        subjects = sorted([row["transaction_id"], paid.payment, other.payment])
        assert findings(connection) == [("ambiguous_match", subject) for subject in subjects]
        listed = connection.execute("SELECT payment_key FROM recon.candidates ORDER BY ALL").fetchall()
        assert listed == [(paid.payment,), (other.payment,)]


def test_charges_without_an_intent_are_two_payments_as_well(open_world: OpenWorld) -> None:
    """Equal amounts make no ordinary case of a row whose two columns name two charges."""
    world = World(13)
    paid, other = (world.sale(currency="usd", credited=False) for _ in range(2))
    for charge in world.rows["charges"]:
        charge["payment_intent_id"] = None
    world.rows["payment_intents"].clear()
    names = {"stripe_payment_intent_id": paid.charge["charge_id"], "stripe_charge_id": other.charge["charge_id"]}
    row = _again(world, paid, **names)
    codes, groups = _found(open_world, world)
    assert codes == {"ambiguous_match": 3}
    assert groups == dict.fromkeys((row["transaction_id"], *names.values()), 1)


def test_invoice_leads_to_the_try_that_went_through(open_world: OpenWorld) -> None:
    """Charges without a PaymentIntent, the first of them declined: the invoice of both is that of the paid one."""
    world = World(12)
    sale = world.sale(currency="usd", credited=False)
    world.charge(sale.intent, sale.intent["created"], status="failed", paid=False, captured=False, amount_captured=0)
    for charge in world.rows["charges"]:
        charge |= {"payment_intent_id": None, "invoice_id": "in_1"}
    world.rows["payment_intents"].clear()
    _again(world, sale, stripe_payment_intent_id="in_1")
    codes, groups = _found(open_world, world)
    assert codes == {}
    assert groups == {sale.charge["charge_id"]: 1}


def test_money_back_is_found_by_any_name(open_world: OpenWorld) -> None:
    """Refunds and disputes whose objects name the payment by halves, and rows that name it in odd ways."""
    world = World(2)
    for half in ("payment_intent_id", "charge_id"):
        for name in ("payment", "charge", "session", "purchase"):
            sale = world.sale(currency="usd")
            at = sale.intent["created"] + DAY
            world.refund(sale, 400, at)[half] = None
            world.dispute(sale, at + DAY, "lost", 1_100)[half] = None
            assert sale.credit is not None
            names = {"payment": sale.payment, "charge": sale.charge["charge_id"], "session": _session(world, sale)}
            corrected = sale.credit["transaction_id"] if name == "purchase" else None
            fields = {"stripe_payment_intent_id": names.get(name), "corrects_transaction_id": corrected}
            world.refund_row(sale, 400, at, None, **fields)
            world.chargeback(sale, at + DAY, 1_100, **fields)
    assert _found(open_world, world)[0] == {}


def test_refund_of_a_purchase_found_by_looks(open_world: OpenWorld) -> None:
    """What corrects a purchase has the payment that the purchase was found to have."""
    world = World(3)
    sale = world.sale(currency="usd", stripe_payment_intent_id=None, stripe_charge_id=None)
    at = sale.intent["created"] + DAY
    world.refund(sale, 400, at)
    world.refund_row(sale, 400, at, None, stripe_payment_intent_id=None)
    assert _found(open_world, world)[0] == {}


def test_correction_belongs_to_the_payment_that_it_names(open_world: OpenWorld) -> None:
    """A purchase entered too high, and a correction that names the payment and not the purchase."""
    world = World(4)
    sale = world.sale(currency="usd")
    assert sale.credit is not None
    sale.credit["amount_cents"] += 100
    _correct(world, sale, -100, 1, stripe_payment_intent_id=sale.payment)
    even = world.sale(currency="usd")
    _correct(world, even, -100, 1, stripe_payment_intent_id=even.payment)
    codes, groups = _found(open_world, world)
    assert codes == {"amount_mismatch": 1}
    assert groups == {sale.payment: 2, even.payment: 2}


def test_corrections_of_corrections_stay_together(open_world: OpenWorld) -> None:
    """However long the chain, it is one group; where nothing at Stripe is known, a group of its own."""
    world = World(5)
    sale = world.sale(currency="usd")
    assert sale.credit is not None
    alone = world.credit(sale.customer, sale.intent["created"], -300, "usd", transaction_type="refund", token_amount=-1)
    for first in (sale.credit, alone):
        named = first["transaction_id"]
        for step in range(5):
            named = _correct(world, sale, 7 * (-1) ** step, step + 1, corrects_transaction_id=named)["transaction_id"]
    codes, groups = _found(open_world, world)
    assert codes == {"amount_mismatch": 1, "refund_without_stripe": 1}
    assert groups == {sale.payment: 6, alone["transaction_id"]: 6}


def test_corrections_in_a_ring_lose_nothing(open_world: OpenWorld) -> None:
    """Two rows of one instant that name each other still have their places."""
    world = World(6)
    sale = world.sale(currency="usd")
    first, second = _correct(world, sale, -100, 1), _correct(world, sale, -50, 1)
    first["corrects_transaction_id"], second["corrects_transaction_id"] = (
        second["transaction_id"],
        first["transaction_id"],
    )
    assert sum(_found(open_world, world)[1].values()) == 3


def test_sessions_say_what_is_in_scope(open_world: OpenWorld) -> None:
    """What the ledger names by its session is a token sale in any case; a session paid by invoice has its charge."""
    world = World(7)
    for column in ("stripe_payment_intent_id", "credit_id"):
        for invoice in (None, f"in_{column}"):
            sale = world.sale(currency="usd", credited=False)
            sale.charge["invoice_id"] = invoice
            changes = {"payment_intent_id": None, "invoice_id": invoice} if invoice else {}
            _again(world, sale, **{column: _session(world, sale, **changes)})
    uncredited = world.sale(currency="usd", credited=False)
    uncredited.charge["invoice_id"] = "in_1"
    _session(world, uncredited, payment_intent_id=None, invoice_id="in_1", price_ids=["price_tokens"])
    world.sale(currency="usd", credited=False)
    with open_world(world) as (connection, terms):
        run(connection, replace(terms, prices=("price_tokens",)))
        assert findings(connection) == [("payment_not_credited", uncredited.payment)]


def test_partial_capture_without_its_transaction(open_world: OpenWorld) -> None:
    """What was given back of an authorisation whose own transaction is missing leaves nothing over in bridge B."""
    world = World(9)
    sale = world.sale(currency="usd", amount=2_000, settled=False, credited=False)
    sale.charge["amount_captured"] = sale.intent["amount_received"] = 1_500
    world.transaction("partial_capture_reversal", sale.charge["charge_id"], -500, "usd", sale.intent["created"])
    _again(world, sale, stripe_payment_intent_id=sale.payment, amount_cents=1_500)
    assert _found(open_world, world)[0] == {"balance_txn_missing": 1}


def test_money_says_how_many_tokens_whatever_the_package_is_called(open_world: OpenWorld) -> None:
    """Where a price has only ever bought so many tokens, a package's wrong name is no mismatch, with tax or without."""
    world = World(10)
    world.sale(currency="usd", package_id="pro")
    world.sale(currency="usd", amount=PACKAGES[0][2]["usd"] + 285, tax_cents=285, package_id="pro")
    assert _found(open_world, world)[0] == {}
