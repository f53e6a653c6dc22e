"""What the double shows is what Stripe could show: by Stripe's own schema, and by its arithmetic."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fastjsonschema
import pytest

from pipelines.stripe_double import actions as do
from pipelines.stripe_double.export import write_objects
from pipelines.stripe_double.queries import expanded
from pipelines.stripe_double.world import World

if TYPE_CHECKING:
    from collections.abc import Callable

SCHEMA = Path(__file__).parents[1] / "fixtures" / "stripe_schema.json"
KINDS = (
    *("payment_intent", "charge", "refund", "dispute", "balance_transaction", "payout", "customer"),
    *("checkout.session", "event"),
)
DAY = 86_400


@cache
def validator(kind: str) -> Callable[[Any], Any]:
    """Stripe's schema of one kind of object."""
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    compiled: Callable[[Any], Any] = fastjsonschema.compile({**schema, "$ref": f"#/definitions/{kind}"})
    return compiled


def busy_world() -> World:
    """An account in which everything has happened that the actions know."""
    world = World(seed=3)
    then = world.now - 20 * DAY
    cus = do.customer(world, at=then, metadata={"account_id": "ada"})
    plain = do.pay(world, amount=6500, customer=cus, at=then, metadata={"package": "pro"}, description="Pro")
    do.checkout(world, plain, at=then, prices=[("price_1", "prod_1")], reference="ada")
    part = do.pay(world, amount=2000, capture=1500, at=then)
    euro = do.pay(world, amount=1500, currency="eur", settlement="usd", rate="1.0837", at=then)
    yen = do.pay(world, amount=15_000, currency="jpy", settlement="usd", rate="0.0067", at=then)
    do.refund(world, str(euro.charge), amount=500, at=then + DAY)
    do.fail_refund(world, do.refund(world, str(part.charge), at=then + DAY), at=then + 2 * DAY)
    do.close_dispute(world, do.dispute(world, str(plain.charge), at=then + DAY), "won", at=then + 5 * DAY)
    do.close_dispute(world, do.dispute(world, str(yen.charge), at=then + DAY), "lost", at=then + 5 * DAY)
    do.dispute(world, str(part.charge), status="warning_needs_response", at=then + DAY)
    do.fail_debit(world, do.settle(world, do.pay(world, amount=900, method="sepa_debit", settled=False, at=then)))
    do.capture(world, do.authorise(world, amount=700, at=then), amount=300, at=then + DAY)
    do.cancel(world, do.authorise(world, amount=700, at=then).payment_intent, at=then + DAY)
    do.decline(world, amount=700, decline_code="insufficient_funds", at=then)
    do.movement(world, type="stripe_fee", reporting_category="fee", amount=-200, currency="usd", at=then + DAY)
    for day in (6, 9):
        payout = do.payout(world, at=then + day * DAY)
        if payout is not None:
            do.arrive(world, payout, at=then + (day + 2) * DAY)
    do.payout(world, amount=100, automatic=False)
    do.snapshot(world)
    return world


@pytest.fixture(scope="module")
def busy() -> World:
    """One such account for all tests of this file, which only look."""
    return busy_world()


@pytest.mark.parametrize("kind", KINDS)
def test_every_object_is_valid_against_stripes_schema(busy: World, kind: str) -> None:
    """Each object, and each object that an event shows, with no field that Stripe does not have."""
    things = list(busy.objects(kind))
    assert things
    for thing in things:
        validator(kind)(thing)
        if kind == "event":
            validator(thing["data"]["object"]["object"])(thing["data"]["object"])


def test_schema_refuses_what_stripe_does_not_have(busy: World) -> None:
    """The schema bites: a made-up field, a missing one, an amount that is no integer."""
    charge = next(busy.objects("charge"))
    for defect in ({**charge, "made_up": 1}, {**charge, "amount": 1.5}, {**charge, "status": None}):
        with pytest.raises(fastjsonschema.JsonSchemaException):
            validator("charge")(defect)
    with pytest.raises(fastjsonschema.JsonSchemaException):
        validator("charge")({name: value for name, value in charge.items() if name != "paid"})


def test_expanded_objects_balance_and_line_items_are_valid(busy: World) -> None:
    """Links in full, the balance, and the items of a checkout."""
    for thing in busy.objects("payment_intent"):
        validator("payment_intent")(
            expanded(busy, thing, ["latest_charge.balance_transaction", "customer"], in_list=False)
        )
    validator("balance")(busy.balance())
    (session,) = busy.objects("checkout.session")
    shown = expanded(busy, session, ["line_items"], in_list=False)
    validator("checkout.session")(shown)
    (item,) = shown["line_items"]["data"]
    validator("item")(item)
    validator("price")(item["price"])


def test_movements_add_up(busy: World) -> None:
    """Net is amount less fee, fees are their parts, and all nets together are the balance."""
    movements = list(busy.objects("balance_transaction"))
    assert all(moved["net"] == moved["amount"] - moved["fee"] for moved in movements)
    assert all(moved["fee"] == sum(part["amount"] for part in moved["fee_details"]) for moved in movements)
    balance = busy.balance()
    total = sum(part["amount"] for part in (*balance["available"], *balance["pending"]))
    assert total == sum(moved["net"] for moved in movements)


def test_payouts_equal_their_items(busy: World) -> None:
    """An automatic payout pays the net of its items, its own movement apart; a manual one has none."""
    for payout in busy.objects("payout"):
        items = [busy.get(item) for item in busy.payout_items[payout["id"]]]
        assert bool(items) == payout["automatic"]
        if items:
            assert sum(item["net"] for item in items if item["type"] != "payout") == payout["amount"]
            assert sum(item["net"] for item in items) == 0


def test_partial_capture_releases_the_rest(busy: World) -> None:
    """Authorised less released is captured, in the movements as on the charge."""
    charge = next(thing for thing in busy.objects("charge") if thing["amount"] == 2000)
    released = [
        moved for moved in busy.objects("balance_transaction")
        if moved["reporting_category"] == "partial_capture_reversal"
    ]  # fmt: skip
    assert charge["amount_captured"] == 1500
    assert busy.get(charge["balance_transaction"])["amount"] == 2000
    assert -500 in [moved["amount"] for moved in released]


def test_conversion_is_rounded_to_the_settlement_unit(busy: World) -> None:
    """15.00 EUR at 1.0837 are 16.26 USD; 15,000 JPY at 0.0067 are 100.50 USD."""
    amounts = {
        moved["exchange_rate"]: moved["amount"]
        for moved in busy.objects("balance_transaction")
        if moved["exchange_rate"] is not None and moved["type"] == "charge"
    }
    assert amounts == {1.0837: 1626, 0.0067: 10_050}


def test_same_seed_same_world(tmp_path: Path) -> None:
    """The files of two worlds of one seed are the same, byte for byte."""
    first, second = (write_objects(busy_world(), tmp_path / name) for name in ("a", "b"))
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_what_is_not_visible_yet_is_not_shown(busy: World) -> None:
    """A hidden object and a link that takes its time appear when the clock says so."""
    world = World(seed=5)
    paid = do.pay(world, amount=1000)
    charge = str(paid.charge)
    world.unlinked_until[charge] = world.now + 30
    assert next(world.objects("charge"))["balance_transaction"] is None
    world.now += 30
    assert next(world.objects("charge"))["balance_transaction"] == paid.balance_transaction
