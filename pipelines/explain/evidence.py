"""Gathering what stands behind a call, a ledger row or a held record, as one document of plain values."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from billing_core.explanation import explain_price
from pipelines.explain import queries
from pipelines.explain.source_line import source_line
from reports.published import table

if TYPE_CHECKING:
    from collections.abc import Mapping

    import duckdb

    from pipelines.books.folder import BooksFolder
    from pipelines.explain.identify import Found


def explain(reader: duckdb.DuckDBPyConnection, folder: BooksFolder, found: Found) -> dict[str, Any]:
    """The document of what was identified; its `kind` is usage, transaction or held."""
    if found.kind == "held":
        return _held(reader, folder, found.id)
    if found.kind == "usage":
        return _usage(reader, folder, found.id)
    row = _one(reader, queries.ROW, {"id": found.id})
    if row is not None and row["usage_id"] is not None:
        return {**_usage(reader, folder, row["usage_id"]), "asked_transaction_id": found.id}
    return _transaction(reader, folder, found.id, row)


def _usage(reader: duckdb.DuckDBPyConnection, folder: BooksFolder, usage_id: str) -> dict[str, Any]:
    call = _one(reader, queries.CALL, {"id": usage_id})
    assert call is not None, "a ledger row of a call names a call of the books"
    rows = table(reader, queries.ROWS_OF_CALL, {"id": usage_id})
    return {
        "kind": "usage",
        "call": call,
        "line": _line(reader, folder, call),
        "price": _price(reader, call),
        "later_versions": table(reader, queries.REVISIONS, {"id": usage_id}),
        "ledger": rows,
        "paid_by": [piece for row in rows if row["token_amount"] < 0 for piece in _paid_by(reader, row)],
    }


def _line(reader: duckdb.DuckDBPyConnection, folder: BooksFolder, place: Mapping[str, Any]) -> dict[str, Any] | None:
    """The file, profile and disposition of a record, every other record of its key, and its raw text."""
    file = _one(reader, queries.FILE, {"file_id": place["file_id"]})
    if file is None:
        return None
    where = {name: place[name] for name in ("file_id", "line_no", "record_no")}
    disposition = _one(reader, queries.DISPOSITION, where)
    raw, gone = source_line(folder, file, place["line_no"])
    return {
        **file,
        **where,
        "disposition": disposition["disposition"] if disposition else None,
        "reason": disposition["reason"] if disposition else None,
        "raw": raw,
        "raw_absent": gone,
        "same_event": table(reader, queries.REPEATS, {**where, "event_key": place["event_key"]}),
    }


def _price(reader: duckdb.DuckDBPyConnection, call: Mapping[str, Any]) -> dict[str, Any]:
    """The rule, the settings and the arithmetic; `agrees` says whether it comes to what was billed."""
    rule = _rule(reader, call)
    charge, integers = (rule["charge"], rule["integers"]) if rule else (None, None)
    place = _one(reader, queries.POSITION, {"usage_id": call["usage_id"], "rate_id": call["rate_id"]})
    told = explain_price(call, charge, integers, place["position"] if place else None)
    return {
        "rule": rule,
        "settings": _one(reader, queries.SETTINGS, {"settings_version": call["settings_version"]}),
        "arithmetic": list(told.steps),
        "recomputed": told.billable,
        "billable_tokens": call["billable_tokens"],
        "agrees": told.billable == call["billable_tokens"],
    }


def _rule(reader: duckdb.DuckDBPyConnection, call: Mapping[str, Any]) -> dict[str, Any] | None:
    named = {"rate_id": call["rate_id"], "rate_version": call["rate_version"]}
    rule = _one(reader, queries.RULE, named) if call["rate_id"] else None
    if rule is None:
        return None
    return rule | {name: json.loads(rule[name]) for name in ("match", "charge", "integers")}


def _paid_by(reader: duckdb.DuckDBPyConnection, row: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The lots that covered a debit, piece by piece of the account's tape, and what no lot covers yet."""
    place = {"account_id": row["account_id"], "account_seq": row["account_seq"]}
    stretch = _one(reader, queries.INTERVAL, place)
    if stretch is None or stretch["interval_to"] is None:
        return []
    bounds = {"account_id": row["account_id"], **stretch}
    pieces = [{"transaction_id": row["transaction_id"], **piece} for piece in table(reader, queries.BURNT, bounds)]
    owed = table(reader, queries.DEBT, bounds)[0]["tokens"]
    return [*pieces, {"transaction_id": row["transaction_id"], "kind": "debt", "tokens": owed}] if owed else pieces


def _transaction(
    reader: duckdb.DuckDBPyConnection, folder: BooksFolder, transaction_id: str, row: dict[str, Any] | None
) -> dict[str, Any]:
    """A ledger row that is no call: its record or journal entry, its lot, what it corrects and what corrects it."""
    named = {"id": transaction_id}
    credit = _one(reader, queries.CREDIT, named)
    metadata = json.loads(row["metadata"]) if row and row["metadata"] else {}
    lot_id = row["lot_id"] if row else None
    corrected = row["corrects_transaction_id"] if row else None
    return {
        "kind": "transaction",
        "transaction": row,
        "waiting": _one(reader, queries.WAITING, named) if row is None else None,
        "credit": credit,
        "line": _line(reader, folder, credit) if credit else None,
        "admin_action": _one(reader, queries.ACTION, {"seq": metadata["seq"]}) if "seq" in metadata else None,
        "corrects": _one(reader, queries.ROW, {"id": corrected}) if corrected else None,
        "corrected_by": table(reader, queries.CORRECTIONS, named),
        "lot": _one(reader, queries.LOT, {"lot_id": lot_id, **named}),
        "paid_by": _paid_by(reader, row) if row and row["token_amount"] < 0 and not _is_expiry(row) else [],
    }


def _is_expiry(row: Mapping[str, Any]) -> bool:
    return bool(row["transaction_type"] == "expiry")


def _held(reader: duckdb.DuckDBPyConnection, folder: BooksFolder, event_key: str) -> dict[str, Any]:
    record = _one(reader, queries.HELD, {"event_key": event_key})
    assert record is not None, "identified a moment ago in the same copy"
    parsed = json.loads(record["parsed"]) if record["parsed"] else None
    place = {**record, "event_key": event_key}
    return {"kind": "held", "record": {**record, "parsed": parsed}, "line": _line(reader, folder, place)}


def _one(reader: duckdb.DuckDBPyConnection, query: str, parameters: Mapping[str, object]) -> dict[str, Any] | None:
    found = table(reader, query, parameters)
    return found[0] if found else None
