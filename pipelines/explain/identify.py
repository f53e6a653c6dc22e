"""From what a person has in hand to what it names: a usage id, an event's own id or key, a ledger row, a payment."""

from __future__ import annotations

import hashlib
import json
import uuid
from typing import TYPE_CHECKING, NamedTuple

from billing_core.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import duckdb

_KEY_BYTES = 32
_LISTED = 10


class Found(NamedTuple):
    """What an id names: a call by its usage id, a ledger row by its transaction id, or a held record by its key."""

    kind: str
    id: str


_BY_UUID = (
    ("usage", "SELECT usage_id FROM books.token_usage WHERE usage_id = $id::UUID"),
    ("transaction", "SELECT transaction_id FROM books.token_transactions WHERE transaction_id = $id::UUID"),
    ("transaction", "SELECT transaction_id FROM finance.credit_lots WHERE lot_id = $id::UUID"),
    ("transaction", "SELECT transaction_id FROM books.credits WHERE transaction_id = $id::UUID"),
)
_BY_KEY = (
    ("usage", "SELECT usage_id FROM books.token_usage WHERE event_key = unhex($id)"),
    ("transaction", "SELECT transaction_id FROM books.credits WHERE event_key = unhex($id)"),
    ("held", "SELECT hex(event_key) FROM audit.quarantine_open WHERE event_key = unhex($id)"),
)
_BY_TEXT = (
    ("transaction", "SELECT transaction_id FROM books.credits WHERE credit_id = $id"),
    (
        "transaction",
        (
            "SELECT transaction_id FROM books.token_transactions"
            " WHERE stripe_payment_intent_id = $id OR stripe_refund_id = $id"
        ),
    ),
)
_SOURCES = "SELECT DISTINCT source FROM audit.usage_files WHERE kind = 'usage' ORDER BY source"


def identify(reader: duckdb.DuckDBPyConnection, ids: Sequence[str]) -> Found:
    """What the id names, or the ids of a profile whose key has several columns, in their order.

    Raises ConfigurationError when the books know nothing of that name, or several things.
    """
    found = list(dict.fromkeys(_by_kind(reader, ids)))
    if not found:
        raise ConfigurationError(
            f"ID: the books know nothing named {' '.join(ids)!r}: no usage id, transaction id, lot id, event key, "
            "event id of a source, credit id or payment. `tollbook accounts show ACCOUNT` lists ledger rows; "
            "`tollbook quarantine list` what was held back"
        )
    if len(found) > 1:
        listed = "\n".join(f"  {item.kind} {item.id}" for item in found[:_LISTED])
        more = f"\n  and {len(found) - _LISTED} more" if len(found) > _LISTED else ""
        raise ConfigurationError(f"ID: {' '.join(ids)!r} names {len(found)} things; name one of them:\n{listed}{more}")
    return found[0]


def _by_kind(reader: duckdb.DuckDBPyConnection, ids: Sequence[str]) -> list[Found]:
    if len(ids) == 1:
        if (named := _as_uuid(ids[0])) is not None and (found := _asked(reader, _BY_UUID, named)):
            return found[:1]  # a posted credit is found as its row and as its record
        if _is_key(ids[0]) and (found := _asked(reader, _BY_KEY, ids[0])):
            return found[:1]
    by_event = [
        found[0]
        for (source,) in reader.execute(_SOURCES).fetchall()
        if (found := _asked(reader, _BY_KEY, _event_key(source, ids)))
    ]
    return [*by_event, *(_asked(reader, _BY_TEXT, ids[0]) if len(ids) == 1 else [])]


def _asked(reader: duckdb.DuckDBPyConnection, queries: Sequence[tuple[str, str]], named: str) -> list[Found]:
    return [
        Found(kind, str(row[0])) for kind, query in queries for row in reader.execute(query, {"id": named}).fetchall()
    ]


def _event_key(source: str, ids: Sequence[str]) -> str:
    """The dedup key of an event by the ids that its source gave it: sha256 over the JSON array of name and ids."""
    text = json.dumps([source, *ids], ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _as_uuid(text: str) -> str | None:
    try:
        return str(uuid.UUID(text))
    except ValueError:
        return None


def _is_key(text: str) -> bool:
    try:
        return len(bytes.fromhex(text)) == _KEY_BYTES
    except ValueError:
        return False
