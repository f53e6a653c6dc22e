"""The API of a world, without a transport: a request in, a status, headers and a body out."""

from __future__ import annotations

import json
import re
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from pipelines.stripe_double.faults import Fault, Faults
from pipelines.stripe_double.intents import create_payment_intent
from pipelines.stripe_double.queries import RefusedError, listed, retrieved
from pipelines.stripe_double.world import API_VERSION, PATHS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipelines.stripe_double.world import StripeObject, World

TEST_KEY = "rk_test_double0000000000"
"""The key of a double unless it is given others; it opens nothing at Stripe."""
_PARTS = re.compile(r"[^\[\]]+|\[\]")


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back; `fault` tells the transport to lose the connection."""

    status: int
    headers: dict[str, str]
    body: bytes
    fault: Fault | None = None


@dataclass
class Service:
    """One account's API.

    `forbidden` names resources that a restricted key may not read. `indent` writes answers over many lines, as Stripe
    does; without it they cost a tenth.
    """

    world: World
    faults: Faults = field(default_factory=Faults)
    keys: tuple[str, ...] = (TEST_KEY,)
    forbidden: frozenset[str] = frozenset()
    indent: int | None = None
    requests: int = 0
    seen: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._replies: dict[str, tuple[str, Answer]] = {}

    def answer(self, method: str, target: str, headers: Mapping[str, str], body: str = "") -> Answer:
        """Answer one request; requests are served one after the other."""
        with self._lock:
            self.requests += 1
            fault = self.faults.next()
            if fault is not None and fault.kind in {"401", "403", "429", "500"}:
                return self._failure(fault)
            given = {name.lower(): value for name, value in headers.items()}
            answer = self._served(method, target, given, body)
            return Answer(answer.status, answer.headers, answer.body, fault)

    def _served(self, method: str, target: str, headers: Mapping[str, str], body: str) -> Answer:
        split = urlsplit(target)
        path = split.path.removeprefix("/v1/").strip("/")
        self.seen.append(f"{method} {path}")
        try:
            self._require_key(headers, path)
            if method == "GET":
                return self._reply(200, self._get(path, nested(split.query)), headers)
            return self._idempotent(method, path, headers, body)
        except RefusedError as error:
            return self._reply(error.status, {"error": error.body}, headers)

    def _get(self, path: str, query: dict[str, Any]) -> StripeObject:
        if path == "account":
            return {"id": self.world.account, "object": "account"}
        if path == "balance":
            return self.world.balance()
        if path in PATHS:
            return listed(self.world, PATHS[path], query, f"/v1/{path}")
        plural, _, identity = path.rpartition("/")
        if plural in PATHS:
            return retrieved(self.world, PATHS[plural], identity, query)
        raise RefusedError(404, f"Unrecognized request URL (GET: /v1/{path}).")

    def _idempotent(self, method: str, path: str, headers: Mapping[str, str], body: str) -> Answer:
        """A key that was used before gives the same reply again, and an error if the parameters differ."""
        if method != "POST" or path != "payment_intents":
            raise RefusedError(404, f"Unrecognized request URL ({method}: /v1/{path}).")
        key = headers.get("idempotency-key")
        if key is not None and key in self._replies:
            known, answer = self._replies[key]
            if known != body:
                text = "Keys for idempotent requests can only be used with the parameters they were first used with."
                raise RefusedError(400, text, type="idempotency_error")
            return Answer(answer.status, {**answer.headers, "Idempotent-Replayed": "true"}, answer.body)
        try:
            answer = self._reply(200, create_payment_intent(self.world, nested(body)), headers)
        except RefusedError as error:
            if error.status == 400:  # noqa: PLR2004 a request that was never begun is not remembered
                raise
            answer = self._reply(error.status, {"error": error.body}, headers)
        if key is not None:
            self._replies[key] = (body, answer)
        return answer

    def _require_key(self, headers: Mapping[str, str], path: str) -> None:
        key = headers.get("authorization", "").removeprefix("Bearer ")
        if key not in self.keys:
            shown = f"{key[:8]}***" if key else "none"
            raise RefusedError(401, f"Invalid API Key provided: {shown}")
        resource = path.split("/", maxsplit=1)[0]
        if resource in self.forbidden:
            text = f"The provided key does not have the required permissions for this endpoint: {resource}."
            raise RefusedError(403, text)

    def _reply(self, status: int, document: StripeObject, headers: Mapping[str, str]) -> Answer:
        version = headers.get("stripe-version", API_VERSION)
        return Answer(
            status,
            {"Content-Type": "application/json", "Request-Id": self._request_id(), "Stripe-Version": version},
            json.dumps(document, indent=self.indent).encode(),
        )

    def _failure(self, fault: Fault) -> Answer:
        texts = {
            "401": "Invalid API Key provided: rk_test_***",
            "403": "The provided key does not have the required permissions for this endpoint.",
            "429": "Request rate limit exceeded.",
            "500": "An unknown error occurred.",
        }
        code = "rate_limit" if fault.kind == "429" else None
        kind = "api_error" if fault.kind == "500" else "invalid_request_error"
        headers = {"Content-Type": "application/json", "Request-Id": self._request_id()}
        if fault.retry_after is not None:
            headers["Retry-After"] = fault.retry_after
        body = {"error": {"code": code, "message": texts[fault.kind], "param": None, "type": kind}}
        return Answer(int(fault.kind), headers, json.dumps(body).encode())

    def _request_id(self) -> str:
        return f"req_double{self.requests:08d}"


def nested(text: str) -> dict[str, Any]:
    """A query or form as Stripe writes it: `a[b]=1` is a table, `a[]=1` and `a[0]=1` are lists by position."""
    document: dict[str, Any] = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        *path, last = _PARTS.findall(name)
        place = document
        for part in path:
            place = place.setdefault(part, {})
        place[str(len(place)) if last == "[]" else last] = value
    return document
