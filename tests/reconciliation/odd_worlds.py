"""Odd worlds: payments tried, captured and returned in all ways at once, and a ledger that calls them by what it has.

No story is told on purpose and none is labelled: what such a world comes to is what the plain model says of it.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from bench.recon.world import AS_OF, OTHER_PRICES, PACKAGES, Customer, Sale, World, compact

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.recon.world import Row

PRICES = PACKAGES[0][2] | OTHER_PRICES
CURRENCIES = ("usd", "usd", *PRICES)
ZONES = ("UTC", "UTC", "America/New_York", "Europe/Berlin", "Asia/Tokyo")
LOOKS = (AS_OF, AS_OF, AS_OF + timedelta(days=40), datetime(2026, 10, 10, 12, tzinfo=UTC), AS_OF - timedelta(days=31))
"""As-of instants: when all is said, long after, amid the events."""
EDGES = tuple(
    datetime(2026, *parts, tzinfo=UTC) for parts in ((9, 30, 22), (10, 1, 0), (10, 1, 4), (10, 25, 1), (10, 31, 23))
)
"""Where months end in the zones, and where a clock is put back."""
SECOND, HOUR, DAY = timedelta(seconds=1), timedelta(hours=1), timedelta(days=1)
ELSEWHERE: tuple[Row, ...] = ({"stripe_account": "acct_other"}, {"livemode": True})
_PAYMENT, _CHARGE, _CORRECTS = "stripe_payment_intent_id", "stripe_charge_id", "corrects_transaction_id"


@dataclass
class Story:
    """One payment: its objects at Stripe, and the ledger's rows about it."""

    world: World
    dice: random.Random
    customer: Customer
    regulars: Sequence[Customer]
    intent: Row
    own: Row
    """Account and mode of its objects, where these are not the books' own."""
    charges: list[Row] = field(default_factory=list)
    session: str | None = None
    order: str | None = None
    credits: list[Row] = field(default_factory=list)
    returns: list[Row] = field(default_factory=list)

    def once_in(self, times: int) -> bool:
        """Whether something seldom happens here."""
        return self.dice.randrange(times) == 0

    def sale(self, charge: Row) -> Sale:
        """The story as a sale of one of its charges, for what the world makes of sales."""
        return Sale(self.customer, self.intent, charge, None, None)

    def post(self, kind: str, at: datetime, amount: int | None, currency: str, **changes: object) -> Row:
        """A row of the ledger, of whoever was credited first."""
        account = self.credits[0]["account_id"] if self.credits else self.customer.account_id
        customer = Customer(str(changes.pop("account_id", account)), "")
        named = currency if amount is not None else None
        return self.world.credit(customer, at, amount, named, transaction_type=kind, **changes)


def odd_world(seed: int, stories: int = 60) -> tuple[World, Row]:
    """A world that is still open, and how its terms differ from the plain ones."""
    world, dice = World(seed), random.Random(f"odd world {seed}")
    regulars = [world.customer() for _ in range(4)]
    for _ in range(stories):
        story = _paid(world, dice, regulars)
        _credit(story)
        _correct(story)
        _refund(story)
        _dispute(story)
        _take_back(story)
    if dice.randrange(2):
        for category, source in (("charge", "ch_unknown"), ("fee", None), ("unheard_of", "x_1")):
            world.transaction(category, source, 777, "usd", world.moment())
    changes = _terms(dice, regulars)
    zone = ZoneInfo(changes["timezone"])
    for row in world.rows["ledger"]:
        row["period"] = f"{row['occurred_at'].astimezone(zone):%Y-%m}"
    return world, changes


def _terms(dice: random.Random, regulars: Sequence[Customer]) -> Row:
    """Zone, instant, tolerance and scope; whose the books are is stated or has to be found out."""
    scopes: list[Row] = [
        {"metadata_key": "app", "metadata_value": "tokens"},
        {"metadata_key": "account_id"},
        {"prices": ("price_1",)},
        {"customers": tuple(customer.customer_id for customer in regulars)},
    ]
    return {
        "timezone": dice.choice(ZONES),
        "as_of": dice.choice(LOOKS),
        "tolerance": dice.choice([0, 0, 0, 2]),
        **dice.choice([{}, {}, {"account": None, "livemode": None}]),
        **(dice.choice(scopes) if dice.randrange(3) == 0 else {}),
    }


# Stripe


def _paid(world: World, dice: random.Random, regulars: Sequence[Customer]) -> Story:
    """A payment with no charge or several, now and then without its PaymentIntent, elsewhere, or paid by a session."""
    customer = dice.choice(regulars) if dice.randrange(3) == 0 else world.customer()
    currency = dice.choice(CURRENCIES)
    price = PRICES[currency]
    amount = dice.choice([*[price] * 12, *[2 * price] * 4, *[100] * 3, 0])
    order = world.name("order") if dice.randrange(10) == 0 else None
    status = dice.choice([*["succeeded"] * 20, "processing", "canceled", "requires_payment_method", "requires_capture"])
    own = dice.choice(ELSEWHERE) if dice.randrange(14) == 0 else {}
    received = amount if status == "succeeded" else 0
    tags = compact(_tags(dice, customer, regulars, order))
    at = _instant(world, dice)
    intent = world.intent(customer, at, amount, currency, metadata=tags, status=status, amount_received=received, **own)
    story = Story(world, dice, customer, regulars, intent, own, order=order)
    if story.once_in(8):
        world.rows["payment_intents"].remove(intent)
        intent["payment_intent_id"] = None
    tries = dice.choices([0, 1, 2, 3], [1, 12, 4, 1])[0] if status == "succeeded" else dice.choice([0, 0, 1])
    for number in range(tries):
        tried_at = at + SECOND + number * dice.choice([SECOND, 60 * SECOND, 4000 * SECOND])
        _charge(story, tried_at, is_tried_again=number + 1 < tries)
    if intent["payment_intent_id"] and story.once_in(5):
        story.session = _session(story)
    return story


def _instant(world: World, dice: random.Random) -> datetime:
    where = dice.randrange(20)
    if where < 5:
        return dice.choice(EDGES) + dice.randrange(-8, 8) * SECOND
    return AS_OF - dice.randrange(1200) * SECOND if where == 5 else world.moment()


def _tags(dice: random.Random, customer: Customer, regulars: Sequence[Customer], order: str | None) -> Row:
    """Metadata: whose the payment is, or somebody else's; what a scope asks for; the order that it pays."""
    tags = {
        "account_id": dice.choice([customer, customer, regulars[0]]).account_id,
        "auto_recharge": "true",
        "app": "tokens",
        "price_id": "price_1",
        "package_id": "starter",
    }
    kept: Row = {name: tag for name, tag in tags.items() if dice.randrange(4) == 0}
    return kept | ({dice.choice(["credit_id", "idempotency_key"]): order} if order else {})


def _charge(story: Story, at: datetime, *, is_tried_again: bool) -> None:
    """A try: declined, or captured whole or in part; settled as a rule, in another amount or not at all at times."""
    world, dice, intent, own = story.world, story.dice, story.intent, story.own
    charge = world.charge(intent, at, **own)
    story.charges.append(charge)
    if story.once_in(8 if charge["payment_intent_id"] else 2):
        charge["invoice_id"] = story.charges[0].get("invoice_id") or world.name("in")
    if intent["status"] != "succeeded" or story.once_in(2 if is_tried_again else 10):
        status = dice.choice(["failed", "pending"])
        charge |= {"status": status, "paid": False, "captured": False, "amount_captured": 0}
        return
    name, amount, currency = charge["charge_id"], charge["amount"], charge["currency"]
    if story.once_in(8):
        left = min(amount, dice.choice([1, amount // 3, amount]))
        charge["amount_captured"] = intent["amount_received"] = amount - left
        world.settle("partial_capture_reversal", name, -left, currency, at + 2 * SECOND, **own)
    if not story.once_in(8):
        settled = amount + dice.choice([*[0] * 15, 7])
        bt = world.settle("charge", name, settled, currency, at + dice.choice([SECOND, SECOND, HOUR]), **own)
        charge["balance_transaction_id"] = bt["balance_transaction_id"]
    if story.once_in(16):
        charge["status"] = "failed"
        failed = world.settle("charge_failure", name, -amount, currency, at + dice.choice([0, 2, 8]) * DAY, **own)
        charge["failure_balance_transaction_id"] = failed["balance_transaction_id"]


def _session(story: Story) -> str:
    """A checkout session, of the payment or of the invoice of its first charge."""
    paid: Row = {"payment_intent_id": story.intent["payment_intent_id"], "price_ids": ["price_1"]}
    invoice = story.charges[0].get("invoice_id") if story.charges else None
    if invoice and not story.once_in(3):
        paid |= {"payment_intent_id": None, "invoice_id": invoice}
    name = story.world.name("cs")
    row = {"checkout_session_id": name, "created": story.intent["created"]}
    story.world.rows["checkout_sessions"].append(row | paid | story.own)
    return name


# The ledger


def _credit(story: Story) -> None:
    """No credit, one or several: by any name, of a slightly other amount, currency or account, early or late."""
    dice, intent = story.dice, story.intent
    for _ in range(dice.choices([0, 1, 2, 3], [3, 16, 4, 1])[0]):
        kind = dice.choices(["purchase", "auto_recharge", "bonus", "admin_grant"], [16, 3, 1, 1])[0]
        amount = dice.choice([*[intent["amount"] + odd for odd in (*[0] * 12, 1, -1, 3, 500)], 0, None])
        story.credits.append(
            story.post(
                kind,
                intent["created"] + dice.choice([5, 5, 5, 10, -30, 3_600, 90_000]) * SECOND,
                amount,
                dice.choice(CURRENCIES) if story.once_in(14) else intent["currency"],
                account_id=(dice.choice(story.regulars) if story.once_in(14) else story.customer).account_id,
                token_amount=dice.choice([*[150_000] * 5, 140_000]),
                package_id=dice.choice([None, "starter", "starter", "pro"]),
                **({"settled_by": "bank"} if story.once_in(25) else {}),
                **_names(story),
            )
        )


def _names(story: Story) -> Row:
    """What a credit calls its payment by, in the columns that an app has; an id of the row's own is used once."""
    payment = story.intent["payment_intent_id"]
    charge = story.dice.choice(story.charges) if story.charges else {}
    first = story.charges[0] if story.charges else {}
    others = story.world.rows["charges"]
    stranger = story.dice.choice(others) if others else {}
    ways: list[tuple[int, Row]] = [
        (20, {_PAYMENT: payment}),
        (8, {_PAYMENT: payment, _CHARGE: charge.get("charge_id")}),
        (2, {_PAYMENT: charge.get("charge_id")}),
        (3, {_CHARGE: charge.get("charge_id")}),
        (2, {_PAYMENT: charge.get("charge_id"), _CHARGE: first.get("charge_id")}),
        (10, {_PAYMENT: first.get("invoice_id")}),
        (4, {_PAYMENT: story.session}),
        (4, {"credit_id": story.session}),
        (16, {"credit_id": story.order}),
        (12, {}),
        (1, {_PAYMENT: "pi_nowhere"}),
        (1, {_PAYMENT: stranger.get("payment_intent_id")}),
        (1, {_PAYMENT: stranger.get("charge_id"), _CHARGE: charge.get("charge_id")}),
    ]
    known = [(weight, names) for weight, names in ways if all(names.values())]
    chosen = story.dice.choices([names for _, names in known], [weight for weight, _ in known])[0]
    used = {row["credit_id"] for row in story.world.rows["ledger"]}
    return {} if chosen.get("credit_id") in used else chosen


def _correct(story: Story) -> None:
    """A correction of a credit, which may be corrected itself, and so on."""
    if not story.credits or not story.once_in(6):
        return
    base = story.dice.choice(story.credits)
    amount = story.dice.choice([-1, 1, -500, -(base["amount_cents"] or 5)])
    currency = base["currency"] or story.intent["currency"]
    at = story.intent["created"] + story.dice.choice([0, 1, 40]) * DAY
    names = {_PAYMENT: story.intent["payment_intent_id"]} if story.once_in(6) else {_CORRECTS: base["transaction_id"]}
    for number in range(story.dice.choice([1, 1, 2, 3, 4])):
        signed = amount * (-1) ** number
        row = story.post("correction", at + number * HOUR, signed, currency, token_amount=0, **names)
        names = {_CORRECTS: row["transaction_id"]}


def _names_of_return(story: Story) -> Row:
    """What a refund or a chargeback calls its payment by: an id, the row that it takes back, both or nothing."""
    payment = story.intent["payment_intent_id"]
    charge = story.dice.choice(story.charges)["charge_id"]
    base = story.dice.choice(story.credits)["transaction_id"] if story.credits else None
    ways: list[Row] = [
        {_PAYMENT: payment},
        {_PAYMENT: charge},
        {_CHARGE: charge},
        {_CORRECTS: base},
        {_CORRECTS: base},
        {_PAYMENT: payment, _CORRECTS: base},
        {},
    ]
    return {column: name for column, name in story.dice.choice(ways).items() if name}


def _refund(story: Story) -> None:
    """Refunds at Stripe, which may fail or wait and name their payment by halves; and the ledger's rows of them."""
    world, dice = story.world, story.dice
    for number in range(dice.choices([0, 1, 2], [12, 4, 2])[0] if story.charges else 0):
        charge = dice.choice(story.charges)
        amount = dice.choice([charge["amount"], charge["amount"] // 2, 10]) or 10
        at = story.intent["created"] + dice.choice([0, 1, 5, 28]) * DAY + (30 + number) * SECOND
        halves: Row = {"payment_intent_id": story.intent["payment_intent_id"], "charge_id": charge["charge_id"]}
        for half in dice.choice([(), (), *[(name,) for name in halves], tuple(halves)]):
            halves[half] = None
        refund = world.refund(story.sale(charge), amount, at, settled=False, **halves, **story.own)
        name, currency = refund["refund_id"], refund["currency"]
        if story.once_in(6):
            refund["status"] = dice.choice(["pending", "succeeded", "failed"])
        else:
            world.settle("refund", name, -amount, currency, at + SECOND, **story.own)
            if story.once_in(6):
                refund["status"] = "failed"
                world.settle("refund_failure", name, amount, currency, at + dice.choice([1, 3]) * DAY, **story.own)
        for _ in range(dice.choices([0, 1, 2], [2, 8, 1])[0]):
            names = _names_of_return(story) | ({"stripe_refund_id": name} if dice.randrange(5) < 3 else {})
            booked = -amount - dice.choice([*[0] * 8, 1])
            late = dice.choice([3, 3, 90_000]) * SECOND
            story.returns.append(story.post("refund", at + late, booked, currency, token_amount=-5, **names))


def _dispute(story: Story) -> None:
    """Disputes, won, lost after all or mere inquiries, the second of a payment among them; and the ledger's rows."""
    world, dice, own = story.world, story.dice, story.own
    for number in range(dice.choice([1, 1, 2]) if story.charges and story.once_in(6) else 0):
        charge = dice.choice(story.charges)
        at = story.intent["created"] + dice.choice([1, 5, 28]) * DAY + (50 + number) * SECOND
        status = dice.choice(["needs_response", "lost", "won", "warning_closed"])
        amount = dice.choice([charge["amount"], charge["amount"], charge["amount"] // 2]) or 10
        dispute = world.dispute(story.sale(charge), at, "warning_closed", amount)
        payment = None if story.once_in(5) else story.intent["payment_intent_id"]
        dispute |= {"status": status, "payment_intent_id": payment, **own}
        moves = {"needs_response": 1, "lost": dice.choice([1, 1, 3]), "won": 2, "warning_closed": 0}[status]
        for place in range(moves if not story.once_in(14) else 0):
            category, signed = ("dispute_reversal", amount) if place % 2 else ("dispute", -amount)
            bt = world.settle(category, dispute["dispute_id"], signed, charge["currency"], at + place * DAY, **own)
            dispute["balance_transaction_ids"].append(bt["balance_transaction_id"])
        if not story.once_in(3):
            _charge_back(story, at, amount)


def _charge_back(story: Story, at: datetime, amount: int) -> None:
    currency, names = story.intent["currency"], _names_of_return(story)
    taken = story.post("chargeback", at + 9 * SECOND, -amount, currency, token_amount=-7, **names)
    story.returns.append(taken)
    if story.once_in(2):
        names = _names_of_return(story) | ({} if story.once_in(3) else {_CORRECTS: taken["transaction_id"]})
        story.returns.append(story.post("chargeback_reversal", at + 2 * DAY, amount, currency, token_amount=7, **names))


def _take_back(story: Story) -> None:
    """Now and then what was returned is given again."""
    refunds = [row for row in story.returns if row["transaction_type"] == "refund"]
    if refunds and story.once_in(3):
        base = story.dice.choice(refunds)
        kind = story.dice.choice(["refund", "correction"])
        names = {_CORRECTS: base["transaction_id"]}
        at = base["occurred_at"] + 2 * HOUR
        story.post(kind, at, -base["amount_cents"], base["currency"], token_amount=5, **names)
