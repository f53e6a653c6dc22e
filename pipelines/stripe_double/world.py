"""One Stripe account in one mode: its objects, their order, its clock, its balance."""

from __future__ import annotations

import random
from bisect import bisect_left, insort
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from billing_core.errors import TollbookError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

StripeObject = dict[str, Any]
Instant = int | datetime | None

API_VERSION = "2026-10-28.endive"
_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_ID_LENGTH = 24
_PLURALS = {
    "payment_intent": "payment_intents",
    "charge": "charges",
    "refund": "refunds",
    "dispute": "disputes",
    "balance_transaction": "balance_transactions",
    "payout": "payouts",
    "customer": "customers",
    "checkout.session": "checkout/sessions",
    "event": "events",
}
PATHS = {path: kind for kind, path in _PLURALS.items()}
"""Kind of object by the last part of its list's path."""


class Shelf:
    """The objects of one kind, in the order in which a list shows them, oldest first."""

    def __init__(self) -> None:
        self.by_id: dict[str, StripeObject] = {}
        self.order: list[tuple[int, int, str]] = []
        self._place: dict[str, tuple[int, int, str]] = {}

    def add(self, thing: StripeObject) -> None:
        """Put a new object at the place of its creation; of two created in one second the later put is the newer."""
        place = (thing["created"], len(self._place), thing["id"])
        self.by_id[thing["id"]] = thing
        self._place[thing["id"]] = place
        if not self.order or place > self.order[-1]:
            self.order.append(place)
        else:
            insort(self.order, place)

    def remove(self, identity: str) -> None:
        """Take an object away; its place is not given to another."""
        self.order.pop(self.index(identity))
        del self.by_id[identity]

    def index(self, identity: str) -> int:
        """Position in `order`. Raises KeyError for an unknown id."""
        return bisect_left(self.order, self._place[identity])

    def before(self, created: int) -> int:
        """How many objects are older than an instant."""
        return bisect_left(self.order, (created,))


class World:
    """The state of the account. `now` is Unix seconds and moves only when it is set."""

    def __init__(
        self,
        *,
        seed: int = 0,
        now: int | datetime = 1_790_000_000,
        account: str = "acct_1TollbookDouble",
        livemode: bool = False,
    ) -> None:
        self.random = random.Random(seed)
        self.account = account
        self.livemode = livemode
        self.api_version = API_VERSION
        self.now = _seconds(now)
        self.payout_items: dict[str, list[str]] = {}
        self.line_items: dict[str, list[StripeObject]] = {}
        self.snapshots: list[tuple[int, StripeObject]] = []
        self.hidden_until: dict[str, int] = {}
        """Objects that neither lists nor look-ups show before an instant."""
        self.unlinked_until: dict[str, int] = {}
        """Charges and refunds whose balance_transaction reads null before an instant."""
        self._shelves = {kind: Shelf() for kind in _PLURALS}
        self._kinds: dict[str, str] = {}

    def instant(self, at: Instant) -> int:
        """An instant in Unix seconds; None is the present of this world."""
        return self.now if at is None else _seconds(at)

    def new_id(self, prefix: str) -> str:
        """A fresh id such as ch_3...; the same seed gives the same ids."""
        return f"{prefix}_{''.join(self.random.choices(_ALPHABET, k=_ID_LENGTH))}"

    def put(self, thing: StripeObject) -> StripeObject:
        """Add a new object."""
        self._shelves[thing["object"]].add(thing)
        self._kinds[thing["id"]] = thing["object"]
        return thing

    def get(self, identity: str) -> StripeObject:
        """The object of an id. Raises TollbookError when there is none."""
        thing = self.find(identity)
        if thing is None:
            raise TollbookError(f"the double of Stripe has no object {identity}")
        return thing

    def find(self, identity: str, kind: str | None = None) -> StripeObject | None:
        """The object of an id, None when there is none or it is of another kind."""
        known = self._kinds.get(identity)
        return self._shelves[known].by_id.get(identity) if known is not None and kind in {None, known} else None

    def edit(self, identity: str, **fields: Any) -> StripeObject:
        """Change fields of an object; no event tells of it. Events of before keep what they showed."""
        thing = self.get(identity)
        thing.update(fields)
        return thing

    def remove(self, identity: str) -> None:
        """Make an object vanish."""
        self._shelves[self._kinds.pop(identity)].remove(identity)

    def objects(self, kind: str) -> Iterator[StripeObject]:
        """Every object of a kind, oldest first, as it is now."""
        shelf = self._shelves[kind]
        return (self.shown(shelf.by_id[identity]) for _, _, identity in shelf.order)

    def shelf(self, kind: str) -> Shelf:
        """The objects of one kind in their order."""
        return self._shelves[kind]

    def is_visible(self, identity: str) -> bool:
        """Whether the API shows the object yet."""
        return self.hidden_until.get(identity, 0) <= self.now

    def shown(self, thing: StripeObject) -> StripeObject:
        """The object as the API shows it now: pending money becomes available, links appear with a delay."""
        if thing["object"] == "balance_transaction":
            return {**thing, "status": "available" if thing["available_on"] <= self.now else "pending"}
        if self.unlinked_until.get(thing["id"], 0) > self.now:
            return {**thing, "balance_transaction": None}
        return thing

    def unpaid(self, currency: str, at: int) -> list[StripeObject]:
        """Movements of a currency that are available at an instant and in no payout yet, oldest first."""
        paid = {identity for items in self.payout_items.values() for identity in items}
        return [
            thing
            for thing in self.objects("balance_transaction")
            if thing["currency"] == currency
            and thing["available_on"] <= at
            and thing["id"] not in paid
            and not thing["reporting_category"].startswith("payout")
        ]

    def balance(self, at: Instant = None) -> StripeObject:
        """The balance at an instant, as GET /v1/balance shows it: the sum of the movements until then."""
        moment = self.instant(at)
        sums: dict[str, list[int]] = {}
        for thing in self.objects("balance_transaction"):
            if thing["created"] <= moment and thing["balance_type"] == "payments":
                sums.setdefault(thing["currency"], [0, 0])[thing["available_on"] > moment] += thing["net"]
        return {
            "object": "balance",
            "available": _amounts(sums, 0),
            "livemode": self.livemode,
            "pending": _amounts(sums, 1),
        }


def _amounts(sums: dict[str, list[int]], index: int) -> list[StripeObject]:
    return [
        {"amount": sums[currency][index], "currency": currency, "source_types": {"card": sums[currency][index]}}
        for currency in sorted(sums or {"usd": [0, 0]})
        if sums
    ] or [{"amount": 0, "currency": "usd", "source_types": {"card": 0}}]


def _seconds(instant: int | datetime) -> int:
    return int(instant.astimezone(UTC).timestamp()) if isinstance(instant, datetime) else instant


def ids(things: Iterable[StripeObject]) -> list[str]:
    """The ids of some objects, in their order."""
    return [thing["id"] for thing in things]
