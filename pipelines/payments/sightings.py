"""From a line to rows: which object it shows, as of when, by which version, and what is wrong with it.

A line is one object of the API as it is, or such an object inside an envelope that says when and how it was fetched:
`{"fetched_at", "api_version", "stripe_account", "livemode", "data": {...}}`. The sync writes envelopes.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from pipelines.books.journal import canonical_json
from pipelines.payments.fields import MICROSECONDS, UnreadableFieldError, link
from pipelines.payments.kinds import KINDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from pipelines.payments.fields import Column, StripeJson

PINNED_VERSION = "2026-10-28.endive"
"""The version of Stripe's API that the sync asks for, and the only one whose event payloads are taken."""
SYNC_MARK = "tollbook.sync"
PAYOUT_ITEMS = "tollbook.payout_items"
"""Lines that the sync writes itself: its own end, and all movements of one payout at once."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TEXT_MAX = 200
_WORD = re.compile(r"[\w.]{1,64}")


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a typed table, by column name; instants are microseconds. `rank` orders sightings of one instant."""

    table: str
    values: dict[str, Any]
    rank: int = 0


@dataclass(frozen=True, slots=True)
class Rejected:
    """Why a line is not taken. `detail` never repeats its content."""

    reason: str
    detail: str
    object_type: str | None = None
    object_id: str | None = None


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose objects these are."""

    account: str
    livemode: bool


@dataclass(frozen=True, slots=True)
class Seen:
    """How and when an object was seen; `fetched_at` in microseconds. `is_bare`: the line has no envelope."""

    fetched_at: int
    api_version: str | None = None
    is_bare: bool = False
    rank: int = 0


class RejectedLineError(Exception):
    """Carries a Rejected."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


def read_line(line: bytes, scope: Scope, seen_at: str) -> list[Row] | Rejected:
    """The rows of one line, or why there are none; a bare object counts as of `seen_at` (ISO text)."""
    try:
        document = parsed(line)
    except RejectedLineError as error:
        return Rejected(error.reason, error.detail)
    return read_document(document, scope, seen_at=seen_at)


def parsed(text: bytes) -> StripeJson:
    """A JSON object with its decimals as texts. Raises RejectedLineError."""
    try:
        document = json.loads(text, parse_float=str, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise RejectedLineError("invalid_json", "the line is not JSON") from None
    if not isinstance(document, dict):
        raise RejectedLineError("not_an_object", "the line is JSON, but no object")
    return document


def read_document(document: StripeJson, scope: Scope, seen_at: str | None = None) -> list[Row] | Rejected:
    """The rows of a parsed line, or of an event that a webhook delivered, which has its own time."""
    thing = document
    try:
        thing, seen = _opened(document, scope, seen_at)
        return list(_rows(thing, scope, seen))
    except RejectedLineError as error:
        kind, identity = thing.get("object"), thing.get("id")
        return Rejected(error.reason, error.detail, _word(kind), _word(identity))


def _word(value: Any) -> str | None:
    return value if isinstance(value, str) and _WORD.fullmatch(value) else None


def _no_constant(_name: str) -> Any:
    raise ValueError


def _opened(document: StripeJson, scope: Scope, seen_at: str | None) -> tuple[StripeJson, Seen]:
    """The object of a line and how it was seen."""
    if "data" not in document or "object" in document:
        return document, Seen(_seen(document, seen_at), is_bare=True)
    thing = document["data"]
    if not isinstance(thing, dict):
        raise RejectedLineError("not_an_object", "data: expected an object of the API")
    _require_scope(document.get("stripe_account"), document.get("livemode"), scope)
    version = document.get("api_version")
    return thing, Seen(_iso_instant(document.get("fetched_at")), version if isinstance(version, str) else None)


def _seen(thing: StripeJson, seen_at: str | None) -> int:
    """When a bare object counts as seen: an event when it was made, everything else when the books saw it."""
    created = thing.get("created")
    if (thing.get("object") == "event" or seen_at is None) and type(created) is int:
        return created * MICROSECONDS
    return 0 if seen_at is None else _iso_instant(seen_at)


def _iso_instant(value: Any) -> int:
    try:
        instant = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        instant = None
    if instant is None or instant.tzinfo is None:
        raise RejectedLineError("invalid_field", "fetched_at: expected an instant such as 2026-11-01T00:00:00Z")
    return int((instant - _EPOCH) / timedelta(microseconds=1))


def _require_scope(account: Any, livemode: Any, scope: Scope) -> None:
    if livemode is not None and livemode is not scope.livemode:
        said, own = ("live" if flag else "test" for flag in (livemode, scope.livemode))
        raise RejectedLineError("other_mode", f"livemode: an object of {said} mode in books of {own} mode")
    if account is not None and account != scope.account:
        raise RejectedLineError("other_account", f"an object of another account in the books of {scope.account}")


def _rows(thing: StripeJson, scope: Scope, seen: Seen) -> Iterator[Row]:
    kind = thing.get("object")
    _require_scope(thing.get("account") if kind == "event" else None, thing.get("livemode"), scope)
    if kind == "balance":
        yield from _balance(thing, scope, seen)
    elif kind == SYNC_MARK:
        yield _sync(thing, scope)
    elif kind == PAYOUT_ITEMS:
        for item in thing["balance_transactions"]:
            yield _row("payout_item", {"payout": thing["payout"], "balance_transaction": item}, scope, seen)
    elif kind not in KINDS:
        what = f"{kind[:_TEXT_MAX]!r}" if isinstance(kind, str) else "missing"
        raise RejectedLineError("unknown_object", f"object: {what}; expected one of {', '.join(KINDS)}, balance")
    else:
        yield _row(str(kind), thing, scope, seen)
        if kind == "event" and seen.is_bare:
            yield from _payload(thing, scope)


def _row(kind: str, thing: StripeJson, scope: Scope, seen: Seen) -> Row:
    spec = KINDS[kind]
    values = {column.name: _value(column, thing) for column in spec.columns}
    fetched_at = seen.fetched_at
    version = thing.get("api_version") if kind == "event" else seen.api_version
    values |= {"stripe_account": scope.account, "livemode": scope.livemode, "fetched_at": fetched_at}
    if kind != "payout_item":
        digest = hashlib.sha256(canonical_json(thing)).hexdigest()
        values |= {"api_version": version, "raw_sha256": digest, "first_fetched_at": fetched_at}
    return Row(spec.table, values, seen.rank)


def _value(column: Column, thing: StripeJson) -> Any:
    try:
        value = column.get(thing)
        if value is None:
            if column.required:
                raise RejectedLineError("missing_field", f"{column.name}: missing; every such object has it")
            return column.default
        return column.read(value)
    except UnreadableFieldError as error:
        raise RejectedLineError("invalid_field", f"{column.name}: expected {error}") from None


def _payload(event: StripeJson, scope: Scope) -> Iterator[Row]:
    """The object that an event shows, as it was when the event was made.

    Only if the version that the sync asks for rendered it: another version's shape would pass for a change. An event
    that the sync fetched itself is followed by a look at the object, so its payload is not taken either.
    """
    thing = event["data"]["object"]
    if event.get("api_version") != PINNED_VERSION or thing.get("object") not in KINDS:
        return
    is_first = str(event["type"]).endswith(".created")
    seen = Seen(event["created"] * MICROSECONDS, PINNED_VERSION, rank=0 if is_first else 1)
    try:
        yield _row(thing["object"], thing, scope, seen)
    except RejectedLineError as error:
        raise RejectedLineError(error.reason, f"data.object.{error.detail}") from None


def _balance(thing: StripeJson, scope: Scope, seen: Seen) -> Iterator[Row]:
    """One row per kind of balance and currency; a part that Stripe does not name is zero."""
    if seen.is_bare:
        raise RejectedLineError("missing_field", "fetched_at: missing; a balance is one of an instant")
    parts: dict[tuple[str, str], dict[str, int]] = {}
    for balance_type, holder in _holders(thing):
        for part in ("available", "pending"):
            for money in holder.get(part) or ():
                currency, amount = _money(money)
                parts.setdefault((balance_type, currency), {"available": 0, "pending": 0})[part] += amount
    digest = hashlib.sha256(canonical_json(thing)).hexdigest()
    for (balance_type, currency), amounts in sorted(parts.items()):
        yield Row(
            "balances",
            {
                "taken_at": seen.fetched_at,
                "stripe_account": scope.account,
                "livemode": scope.livemode,
                "balance_type": balance_type,
                "currency": currency,
                **amounts,
                "api_version": seen.api_version,
                "raw_sha256": digest,
            },
        )


def _holders(thing: StripeJson) -> Iterator[tuple[str, Mapping[str, Any]]]:
    yield "payments", thing
    for name in ("issuing", "refund_and_dispute_prefunding", "risk_reserved"):
        holder = thing.get(name)
        if isinstance(holder, dict):
            yield name, holder


def _money(value: Any) -> tuple[str, int]:
    currency = value.get("currency") if isinstance(value, dict) else None
    amount = value.get("amount") if isinstance(value, dict) else None
    if type(amount) is not int or not isinstance(currency, str):
        raise RejectedLineError("invalid_field", "amount: expected whole minor units beside a currency")
    return currency, amount


def _sync(thing: StripeJson, scope: Scope) -> Row:
    """The mark at the end of a sync."""
    take: dict[str, Callable[[Any], Any]] = {
        "sync_id": link,
        "is_full": bool,
        "started_at": _iso_instant,
        "window_end": _iso_instant,
        "finished_at": _iso_instant,
        "requests": int,
        "objects": int,
        "api_version": link,
    }
    try:
        values = {name: read(thing[name]) for name, read in take.items()}
    except (KeyError, TypeError, ValueError):
        raise RejectedLineError("missing_field", "the mark of a sync lacks one of its figures") from None
    return Row("syncs", {**values, "stripe_account": scope.account, "livemode": scope.livemode})


def placed(row: Row, source_file: str, source_line: int) -> Row:
    """The row with the place of its line."""
    return replace(row, values={**row.values, "source_file": source_file, "source_line": source_line})
