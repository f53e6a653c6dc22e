"""Lists as Stripe answers them: filters, newest first, cursors, at most 100 a page, expanded links."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from pipelines.stripe_double.world import StripeObject, World

LIMIT_DEFAULT, LIMIT_MAX = 10, 100
EXPAND_DEPTH_MAX = 4
_RANGES = ("gt", "gte", "lt", "lte")
_FILTERS: dict[str, tuple[str, ...]] = {
    "payment_intent": ("created", "customer"),
    "charge": ("created", "customer", "payment_intent"),
    "refund": ("created", "charge", "payment_intent"),
    "dispute": ("created", "charge", "payment_intent"),
    "balance_transaction": ("created", "currency", "payout", "source", "type"),
    "payout": ("arrival_date", "created", "destination", "status"),
    "customer": ("created", "email"),
    "checkout.session": ("created", "customer", "payment_intent", "status"),
    "event": ("created", "type", "types"),
}
_TYPES_MAX = 20
_LINKS = {
    "balance_transaction": ("balance_transaction",),
    "charge": ("charge",),
    "customer": ("customer",),
    "failure_balance_transaction": ("balance_transaction",),
    "latest_charge": ("charge",),
    "original_payout": ("payout",),
    "payment_intent": ("payment_intent",),
    "reversed_by": ("payout",),
    "source": ("charge", "refund", "dispute", "payout"),
}


class RefusedError(Exception):
    """A request that Stripe answers with an error body."""

    def __init__(
        self, status: int, message: str, *, code: str | None = None, param: str | None = None, **fields: Any
    ) -> None:
        super().__init__(message)
        self.status = status
        kind = fields.pop("type", "invalid_request_error")
        self.body = {"code": code, "message": message, "param": param, "type": kind, **fields}


@dataclass(frozen=True)
class _Window:
    """The created range of a list; `newest` is exclusive, `oldest` inclusive."""

    oldest: int
    newest: int


def listed(world: World, kind: str, query: Mapping[str, Any], url: str) -> StripeObject:
    """One page of a kind. Raises RefusedError for what Stripe refuses."""
    _require_known(kind, query)
    limit = _limit(query.get("limit"))
    found = _candidates(world, kind, query)
    page: list[StripeObject] = []
    has_more = False
    for identity in found:
        if len(page) == limit:
            has_more = True
            break
        page.append(world.shown(world.shelf(kind).by_id[identity]))
    if "ending_before" in query:
        page.reverse()
    data = [expanded(world, thing, query.get("expand"), in_list=True) for thing in page]
    return {"object": "list", "data": data, "has_more": has_more, "url": url}


def retrieved(world: World, kind: str, identity: str, query: Mapping[str, Any]) -> StripeObject:
    """One object. Raises RefusedError when there is none to see."""
    thing = world.find(identity, kind)
    if thing is None or not world.is_visible(identity):
        raise RefusedError(404, f"No such {kind}: '{identity}'", code="resource_missing", param="id")
    return expanded(world, world.shown(thing), query.get("expand"), in_list=False)


def _candidates(world: World, kind: str, query: Mapping[str, Any]) -> Iterator[str]:
    """Ids that pass the filters, in the order of the page."""
    shelf = world.shelf(kind)
    window = _window(query.get("created"))
    first, last = shelf.before(window.oldest), shelf.before(window.newest)
    if "starting_after" in query:
        last = min(last, _cursor(world, kind, query, "starting_after"))
    if "ending_before" in query:
        first = max(first, _cursor(world, kind, query, "ending_before") + 1)
    order = range(first, last) if "ending_before" in query else range(last - 1, first - 1, -1)
    wanted = _predicate(world, kind, query)
    for index in order:
        identity = shelf.order[index][2]
        if world.is_visible(identity) and wanted(shelf.by_id[identity]):
            yield identity


def _cursor(world: World, kind: str, query: Mapping[str, Any], name: str) -> int:
    identity = query[name]
    if world.find(identity, kind) is None:
        raise RefusedError(400, f"No such {kind}: '{identity}'", code="resource_missing", param=name)
    return world.shelf(kind).index(identity)


def _predicate(world: World, kind: str, query: Mapping[str, Any]) -> Callable[[StripeObject], bool]:
    tests: list[Callable[[StripeObject], bool]] = []
    for name in _FILTERS[kind]:
        if name not in query or name == "created":
            continue
        tests.append(_test(world, name, query[name]))
    return lambda thing: all(test(thing) for test in tests)


def _test(world: World, name: str, value: Any) -> Callable[[StripeObject], bool]:
    if name == "types":
        kinds = list(value.values()) if isinstance(value, dict) else value
        if len(kinds) > _TYPES_MAX:
            raise RefusedError(400, "You may pass up to 20 types", param="types")
        return lambda thing: thing["type"] in kinds
    if name == "payout":
        if world.find(value, "payout") is None:
            raise RefusedError(400, f"No such payout: '{value}'", code="resource_missing", param="payout")
        items = set(world.payout_items.get(value, ()))
        return lambda thing: thing["id"] in items
    if name == "arrival_date":
        window = _window(value)
        return lambda thing: window.oldest <= thing["arrival_date"] < window.newest
    return lambda thing: thing[name] == value


def _window(value: Any) -> _Window:
    """Half-open bounds of created or arrival_date: one instant, or gt, gte, lt and lte."""
    if value is None:
        return _Window(0, 1 << 60)
    if not isinstance(value, dict):
        exact = _integer(value, "created")
        return _Window(exact, exact + 1)
    if unknown := set(value) - set(_RANGES):
        raise RefusedError(400, f"Invalid created: {sorted(unknown)}", code="parameter_unknown", param="created")
    bounds = {name: _integer(text, f"created[{name}]") for name, text in value.items()}
    oldest = max(bounds.get("gte", 0), bounds.get("gt", -1) + 1)
    return _Window(oldest, min(bounds.get("lt", 1 << 60), bounds.get("lte", (1 << 60) - 1) + 1))


def _limit(value: Any) -> int:
    limit = LIMIT_DEFAULT if value is None else _integer(value, "limit")
    if not 1 <= limit <= LIMIT_MAX:
        raise RefusedError(
            400, f"Invalid integer: limit must be between 1 and 100, got {limit}", code="parameter_invalid_integer",
            param="limit",
        )  # fmt: skip
    return limit


def _integer(value: Any, param: str) -> int:
    try:
        return int(value)
    except (TypeError, ValueError):
        raise RefusedError(400, f"Invalid integer: {value}", code="parameter_invalid_integer", param=param) from None


def _require_known(kind: str, query: Mapping[str, Any]) -> None:
    known = {*_FILTERS[kind], "limit", "starting_after", "ending_before", "expand"}
    if unknown := sorted(set(query) - known):
        raise RefusedError(400, f"Received unknown parameter: {unknown[0]}", code="parameter_unknown", param=unknown[0])


def expanded(world: World, thing: StripeObject, wanted: Any, *, in_list: bool) -> StripeObject:
    """The object with the links of `expand` in full. Raises RefusedError for a link that cannot be expanded."""
    paths = list(wanted.values()) if isinstance(wanted, dict) else [wanted] if isinstance(wanted, str) else wanted or []
    for path in paths:
        parts = path.split(".")
        if len(parts) > EXPAND_DEPTH_MAX:
            raise RefusedError(400, f"You cannot expand more than {EXPAND_DEPTH_MAX} levels", param="expand")
        if in_list and parts[0] != "data":
            raise _not_expandable(path)
        thing = _expand(world, thing, parts[1:] if in_list else parts, path)
    return thing


def _expand(world: World, thing: StripeObject, parts: list[str], path: str) -> StripeObject:
    if not parts:
        return thing
    name, rest = parts[0], parts[1:]
    if name == "line_items" and thing["object"] == "checkout.session" and not rest:
        data = world.line_items.get(thing["id"], [])
        url = f"/v1/checkout/sessions/{thing['id']}/line_items"
        return {**thing, "line_items": {"object": "list", "data": data, "has_more": False, "url": url}}
    if name not in _LINKS or name not in thing:
        raise _not_expandable(path)
    value = thing[name]
    if isinstance(value, str):
        found = world.find(value)
        if found is None or found["object"] not in _LINKS[name]:
            return thing
        value = world.shown(found)
    if value is None:
        return thing
    return {**thing, name: _expand(world, value, rest, path)}


def _not_expandable(path: str) -> RefusedError:
    return RefusedError(400, f"This property cannot be expanded ({path}).", param="expand")
