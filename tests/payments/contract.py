"""What Tollbook relies on in Stripe's API. Each probe takes a client of the SDK and asserts one behaviour.

The default suite runs the probes against the double; `pytest -m stripe_live` runs them against Stripe's test mode.
"""

from __future__ import annotations

import time
import uuid
from typing import TYPE_CHECKING, Any

import pytest
import stripe

if TYPE_CHECKING:
    from collections.abc import Callable

    Probe = Callable[[stripe.StripeClient], None]

LISTS = (
    *("payment_intents", "charges", "refunds", "disputes", "balance_transactions", "payouts", "customers"),
    *("checkout/sessions", "events"),
)


def get(client: stripe.StripeClient, path: str, **params: Any) -> Any:
    """A raw GET, as the sync does it."""
    return client.raw_request("get", f"/v1/{path}", **params).data


def charge_card(client: stripe.StripeClient, method: str = "pm_card_visa", **options: Any) -> stripe.PaymentIntent:
    """An off-session payment of 20.00 USD."""
    params: Any = {
        "amount": 2000,
        "currency": "usd",
        "payment_method": method,
        "payment_method_types": ["card"],
        "confirm": True,
        "off_session": True,
        "metadata": {"probe": "contract"},
    }
    return client.v1.payment_intents.create(params, options)  # type: ignore[arg-type]


def lists_have_the_shape_of_pages(client: stripe.StripeClient) -> None:
    """Every list answers with data, has_more and newest first."""
    for path in LISTS:
        page = get(client, path, limit=5)
        assert page["object"] == "list"
        assert isinstance(page["has_more"], bool)
        created = [thing["created"] for thing in page["data"]]
        assert created == sorted(created, reverse=True)


def pages_end_at_a_hundred(client: stripe.StripeClient) -> None:
    """More than 100 a page is refused, and so is none."""
    for limit in (0, 101):
        with pytest.raises(stripe.InvalidRequestError) as refused:
            get(client, "charges", limit=limit)
        assert refused.value.http_status == 400


def unknown_parameters_and_cursors_are_refused(client: stripe.StripeClient) -> None:
    """A filter that Stripe does not know, and a cursor that it does not have, are errors that name them."""
    with pytest.raises(stripe.InvalidRequestError) as unknown:
        get(client, "charges", no_such_filter="x")
    assert (unknown.value.code, unknown.value.param) == ("parameter_unknown", "no_such_filter")
    with pytest.raises(stripe.InvalidRequestError) as missing:
        get(client, "charges", starting_after="ch_3nosuchchargenosuchcharge")
    assert (missing.value.code, missing.value.param) == ("resource_missing", "starting_after")


def missing_objects_are_404(client: stripe.StripeClient) -> None:
    """Looking an unknown id up says which kind there is none of."""
    with pytest.raises(stripe.InvalidRequestError) as missing:
        get(client, "payment_intents/pi_3nosuchintentnosuchintent")
    assert (missing.value.http_status, missing.value.code) == (404, "resource_missing")
    assert missing.value.request_id


def payment_moves_the_balance(client: stripe.StripeClient) -> None:
    """A succeeded intent names its charge, the charge its movement, and net is amount less fee."""
    paid = charge_card(client)
    charge: Any = {}
    assert (paid.status, paid.amount_received) == ("succeeded", 2000)
    for _ in range(20):  # capture is asynchronous: the link may take some seconds
        charge = get(client, f"charges/{paid.latest_charge}", expand=["balance_transaction"])
        if charge["balance_transaction"]:
            break
        time.sleep(1)
    moved = charge["balance_transaction"]
    assert charge["payment_intent"] == paid.id
    assert charge["metadata"] == {"probe": "contract"}
    assert moved["net"] == moved["amount"] - moved["fee"]
    assert sum(part["amount"] for part in moved["fee_details"]) == moved["fee"]
    assert (moved["type"], moved["reporting_category"], moved["source"]) == ("charge", "charge", charge["id"])
    listed = get(client, "balance_transactions", source=charge["id"], limit=100)["data"]
    assert [thing["id"] for thing in listed] == [moved["id"]]
    expanded = get(client, "balance_transactions", source=charge["id"], expand=["data.source"])["data"]
    assert expanded[0]["source"]["id"] == charge["id"]


def created_filters_are_half_open_as_named(client: stripe.StripeClient) -> None:
    """Gte and lte include their second, gt and lt do not."""
    paid = charge_card(client)
    at = paid.created

    def seen(**bounds: int) -> bool:
        pages = get(client, "payment_intents", created=bounds, limit=100)["data"]
        return paid.id in [thing["id"] for thing in pages]

    assert seen(gte=at, lte=at)
    assert seen(gt=at - 1, lt=at + 1)
    assert not seen(gt=at)
    assert not seen(lt=at, gte=at - 60)


def cursors_visit_each_object_once(client: stripe.StripeClient) -> None:
    """Page after page, nothing is missing or twice; ending_before walks back."""
    made = [charge_card(client).id for _ in range(3)]
    oldest = client.v1.payment_intents.retrieve(made[0]).created
    seen: list[str] = []
    params: dict[str, Any] = {"limit": 1, "created": {"gte": oldest}}
    while True:
        page = get(client, "payment_intents", **params)
        seen += [thing["id"] for thing in page["data"]]
        if not page["has_more"] or len(seen) > 50:
            break
        params["starting_after"] = seen[-1]
    assert len(seen) == len(set(seen))
    assert set(made) <= set(seen)
    back = get(client, "payment_intents", limit=1, ending_before=seen[-1])
    assert back["data"][0]["id"] == seen[-2]


def events_tell_of_the_payment(client: stripe.StripeClient) -> None:
    """The feed can be asked for at most 20 types and shows the object and the version that rendered it."""
    paid = charge_card(client)
    types = ["payment_intent.succeeded", "charge.succeeded"]
    feed: list[Any] = []
    for _ in range(20):
        feed = get(client, "events", types=types, created={"gte": paid.created}, limit=100)["data"]
        if any(event["data"]["object"]["id"] == paid.id for event in feed):
            break
        time.sleep(1)
    assert any(event["data"]["object"]["id"] == paid.id for event in feed)
    assert {event["type"] for event in feed} <= set(types)
    assert all(event["api_version"] for event in feed)
    with pytest.raises(stripe.InvalidRequestError):
        get(client, "events", types=[f"charge.made_up_{number}" for number in range(21)])


def idempotency_keys_replay_and_conflict(client: stripe.StripeClient) -> None:
    """The same key and parameters give the same intent; other parameters under that key are an error."""
    key = f"probe-{uuid.uuid4()}"
    first = charge_card(client, idempotency_key=key)
    assert charge_card(client, idempotency_key=key).id == first.id
    with pytest.raises(stripe.IdempotencyError):
        charge_card(client, "pm_card_mastercard", idempotency_key=key)


def declines_say_why(client: stripe.StripeClient) -> None:
    """A decline is 402 with the bank's code, and the intent that waits for another card."""
    expected = {
        "pm_card_chargeDeclinedInsufficientFunds": ("card_declined", "insufficient_funds"),
        "pm_card_authenticationRequired": ("authentication_required", "authentication_required"),
    }
    for method, codes in expected.items():
        with pytest.raises(stripe.CardError) as declined:
            charge_card(client, method)
        error = declined.value
        assert error.http_status == 402
        assert error.error is not None
        assert (error.code, error.error.decline_code) == codes
        intent = error.error.payment_intent
        assert intent is not None
        assert intent.status in {"requires_payment_method", "requires_action"}


def amounts_are_checked(client: stripe.StripeClient) -> None:
    """A unit is too little, and an unknown currency none."""
    with pytest.raises(stripe.InvalidRequestError) as small:
        client.v1.payment_intents.create({"amount": 1, "currency": "usd"})
    assert small.value.code == "amount_too_small"
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.payment_intents.create({"amount": 2000, "currency": "dollars"})


def balance_has_its_parts(client: stripe.StripeClient) -> None:
    """Available and pending amounts are whole minor units beside a currency."""
    balance = get(client, "balance")
    for part in (*balance["available"], *balance["pending"]):
        assert type(part["amount"]) is int
        assert part["currency"].islower()


PROBES: tuple[Probe, ...] = (
    lists_have_the_shape_of_pages,
    pages_end_at_a_hundred,
    unknown_parameters_and_cursors_are_refused,
    missing_objects_are_404,
    payment_moves_the_balance,
    created_filters_are_half_open_as_named,
    cursors_visit_each_object_once,
    events_tell_of_the_payment,
    idempotency_keys_replay_and_conflict,
    declines_say_why,
    amounts_are_checked,
    balance_has_its_parts,
)
