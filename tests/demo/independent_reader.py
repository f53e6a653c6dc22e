"""Reads a demo folder the slow and plain way and counts what is in it; shares no code with the generator."""

from __future__ import annotations

import gzip
import hashlib
import hmac
import json
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from math import ceil
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

_START = Decimal(int(datetime.fromisoformat("2026-08-01T00:00:00Z").timestamp()))
_CHANGE = Decimal(int(datetime.fromisoformat("2026-09-15T00:00:00Z").timestamp()))
_WORDS = {"chat_response", "content_generation", "content_refinement", "content_repurpose", "image_generation"}
_WORDS |= {"image_prompt_generation", "chat", "generation", "refinement", "repurpose", "prompt", "image"}
_IMAGE_COSTS = {"dall-e-3": 6000, "dall-e-2": 3000, "imagen-4.0-generate-001": 4500, "gemini-2.5-flash-image": 4500}


class BadLineError(Exception):
    """A line that cannot be billed; its text is the reason."""


@dataclass
class Seen:
    """What the reader found."""

    files: Counter[str] = field(default_factory=Counter)
    lines: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    calls: Counter[str] = field(default_factory=Counter)
    usage: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    balances: dict[str, int] = field(default_factory=dict)
    expired: int = 0
    bad_lines: list[tuple[str, bytes]] = field(default_factory=list)


def read_world(folder: Path) -> Seen:
    """Count every usage line of the folder by what must become of it, and work out every balance."""
    seen = Seen()
    accounts = [json.loads(line) for line in (folder / "accounts/accounts.jsonl").read_bytes().splitlines()]
    known = {row["account_id"] for row in accounts}
    for stream in ("app", "gateway"):
        events: dict[str, list[tuple[str, dict[str, Any]]]] = defaultdict(list)
        for path, data in _taken_files(folder, stream, seen):
            for raw in _split(data):
                _line(seen, events, raw, str(path), known)
        _resolve(seen, events)
    _settle(folder, seen, known)
    return seen


def _taken_files(folder: Path, stream: str, seen: Seen) -> list[tuple[Path, bytes]]:
    secret = (folder / "demo-secret.txt").read_bytes().strip()
    taken: dict[str, tuple[Path, bytes]] = {}
    paths = [path for path in (folder / "usage" / stream).rglob("*") if path.suffix in (".jsonl", ".gz")]
    for path in sorted(paths, key=lambda path: (path.name, len(path.parts))):
        data = path.read_bytes()
        signature = path.with_name(path.name + ".hmac")
        if stream == "app" and not signature.exists():
            seen.files["unsigned"] += 1
        elif stream == "app" and signature.read_text() != hmac.new(secret, data, hashlib.sha256).hexdigest():
            seen.files["forged"] += 1
        elif hashlib.sha256(data).hexdigest() in taken:
            seen.files["duplicate"] += 1
        else:
            seen.files["taken"] += 1
            taken[hashlib.sha256(data).hexdigest()] = (path, gzip.decompress(data) if path.suffix == ".gz" else data)
    return list(taken.values())


def _split(data: bytes) -> list[bytes]:
    lines = data.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    return [line.removesuffix(b"\r") for line in (lines[:-1] if lines[-1] == b"" else lines)]


def _line(
    seen: Seen, events: dict[str, list[tuple[str, dict[str, Any]]]], raw: bytes, path: str, known: set[str]
) -> None:
    seen.lines["received"] += 1
    if not raw.strip():
        seen.lines["blank"] += 1
        return
    try:
        call = _call(raw, known)
    except BadLineError as error:
        seen.lines["quarantined"] += 1
        seen.reasons[str(error)] += 1
        seen.bad_lines.append(("gateway" if "/gateway/" in path else "app", raw))
        return
    if call["time"] < _START:
        seen.lines["ignored"] += 1
    else:
        events[call["id"]].append((path, call))


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) < len(pairs):
        raise BadLineError("duplicate_json_key")
    return dict(pairs)


def _constant(text: str) -> None:
    raise BadLineError("invalid_json")


def _call(raw: bytes, known: set[str]) -> dict[str, Any]:
    row = _object(raw)
    call = _from_gateway(row) if "litellm_call_id" in row else _from_app(row)
    for name, reason in (("id", "missing_id"), ("account", "missing_account"), ("time", "missing_time")):
        if not call[name]:
            raise BadLineError(reason)
    image = call["operation"] in ("image", "image_generation")
    for reason, broken in (
        ("unknown_account", call["account"] not in known),
        ("unknown_operation", call["operation"] not in _WORDS),
        ("image_count", image and call["success"] and not call["images"]),
        ("missing_usage", not image and call["input"] is None and call["output"] is None),
    ):
        if broken:
            raise BadLineError(reason)
    return call | {name: _count(call[name]) for name in ("input", "output", "images")}


def _object(raw: bytes) -> dict[str, Any]:
    try:
        row = json.loads(raw.decode(), parse_float=Decimal, parse_constant=_constant, object_pairs_hook=_pairs)
    except UnicodeDecodeError as error:
        raise BadLineError("invalid_utf8") from error
    except json.JSONDecodeError as error:
        raise BadLineError("invalid_json") from error
    if not isinstance(row, dict):
        raise BadLineError("not_an_object")
    return row


def _from_app(row: dict[str, Any]) -> dict[str, Any]:
    created = row.get("createdAt")
    return {
        "id": row.get("_id"),
        "account": row.get("userId"),
        "time": None if created is None else created / 1000,
        "operation": row["operationType"],
        "model": row["model"],
        "input": row.get("inputTokens"),
        "output": row.get("outputTokens"),
        "images": row.get("imageCount"),
        "success": row["success"],
    }


def _from_gateway(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": row["id"],
        "account": row["end_user"],
        "time": row["startTime"],
        "operation": row["metadata"]["spend_logs_metadata"]["operation_type"],
        "model": row["model"],
        "input": row["prompt_tokens"],
        "output": row["completion_tokens"],
        "images": row["model_parameters"].get("n"),
        "success": row["status"] == "success",
    }


def _count(value: object) -> int:
    if value is None:
        return 0
    if isinstance(value, bool) or not isinstance(value, int | Decimal) or value != int(value):
        raise BadLineError("invalid_integer")
    if value < 0:
        raise BadLineError("negative_count")
    return int(value)


def _resolve(seen: Seen, events: dict[str, list[tuple[str, dict[str, Any]]]]) -> None:
    for deliveries in events.values():
        (path, call), *others = deliveries
        if any(other != call for _, other in others):
            seen.lines["conflict"] += len(deliveries)
            continue
        seen.lines["accepted"] += 1
        for where, _ in others:
            seen.lines["duplicate"] += 1
            seen.lines["in file" if where == path else "across files"] += 1
        _bill(seen, call, path)


def _bill(seen: Seen, call: dict[str, Any], path: str) -> None:
    file_date = datetime.fromisoformat(
        next(part for part in path.replace("=", "/").split("/") if part[:4] == "2026")[:10]
    )
    seen.calls["late"] += call["time"] < Decimal(int(file_date.replace(tzinfo=UTC).timestamp())) - 14 * 86_400
    factor = Fraction("1.5") if call["time"] < _CHANGE else Fraction("1.6")
    if not call["success"]:
        seen.calls["failed"] += 1
    elif call["images"] and call["model"] not in _IMAGE_COSTS:
        seen.calls["held"] += 1
    elif call["images"]:
        seen.calls[call["model"]] += 1
        seen.usage[call["account"]] += call["images"] * _IMAGE_COSTS[call["model"]]
    else:
        seen.calls[str(factor)] += 1
        seen.usage[call["account"]] += ceil((call["input"] + call["output"]) * factor)


def _settle(folder: Path, seen: Seen, known: set[str]) -> None:
    seen.balances = {account: 10_000 - seen.usage[account] for account in known}
    for path in (folder / "credits").iterdir():
        for row in map(json.loads, path.read_text().splitlines()):
            if row["transaction_type"] != "usage":
                seen.balances[row["account_id"]] += row["token_amount"]
            if "expires_at" in row:
                # All calls of this account lie inside the life of its bonus, which burns first.
                seen.expired = row["token_amount"] - seen.usage[row["account_id"]]
                seen.balances[row["account_id"]] -= seen.expired
