"""Asking Stripe's API through the official SDK: pages of raw objects, paced, tried again, with errors in words.

The SDK's own objects are not built: they cost ten times the request. Each object is handed on as the text that Stripe
sent, so that what is kept is what was said.
"""

from __future__ import annotations

import json
import random
import re
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import stripe

from billing_core.errors import PaymentServiceError
from pipelines.payments.pacing import TRIES, TokenBucket, wait_before
from pipelines.payments.sightings import PINNED_VERSION

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipelines.payments.fields import StripeJson
    from pipelines.payments.keys import ApiKey

PAGE_SIZE = 100
_LINE_BREAK = re.compile(r"\n\s*")  # in JSON a line break is never part of a value
_DATA = re.compile(r'"data":\s*\[\s*')
_DECODER = json.JSONDecoder(parse_float=str)
_NOT_FOUND, _FORBIDDEN, _UNAUTHORIZED, _TOO_MANY, _CONFLICT = 404, 403, 401, 429, 409
_SERVER_ERRORS = 500


class Fetched(NamedTuple):
    """One object: its JSON as Stripe sent it, on one line, and the same parsed with decimals as texts."""

    text: str
    thing: StripeJson


class Page(NamedTuple):
    """One page of a list."""

    fetched: list[Fetched]
    has_more: bool


@dataclass
class StripeApi:
    """A client for one key. `requests` counts those sent, `retried` those of them that were repetitions."""

    key: ApiKey
    key_name: str
    base: str | None = None
    requests_per_second: int = 20
    http_client: stripe.HTTPClient | None = None
    sleep: Callable[[float], None] = time.sleep
    requests: int = 0
    retried: int = 0
    _dice: random.Random = field(default_factory=random.Random, init=False)

    def __post_init__(self) -> None:
        addresses: Any = {"api": self.base} if self.base is not None else {}
        self._client = stripe.StripeClient(
            self.key.text,
            stripe_version=PINNED_VERSION,
            base_addresses=addresses,
            max_network_retries=0,  # the SDK does not wait for Retry-After and gives up on 429
            http_client=self.http_client,
        )
        self._bucket = TokenBucket(self.requests_per_second, sleep=self.sleep)

    def page(self, path: str, **params: Any) -> Page:
        """One page of a list, `/v1/<path>`. Raises PaymentServiceError."""
        response = self._get(path, {"limit": PAGE_SIZE, **params})
        if response is None:
            raise PaymentServiceError(f"Stripe does not know the list /v1/{path} (404)")
        return Page(_sliced(response.body, path), bool(response.data["has_more"]))

    def one(self, path: str, **params: Any) -> Fetched | None:
        """One object, None where Stripe has none by that name. Raises PaymentServiceError."""
        response = self._get(path, params)
        if response is None:
            return None
        text = _LINE_BREAK.sub("", response.body).strip()
        return Fetched(text, _DECODER.decode(text))

    def account(self) -> str | None:
        """The account of the key; None when the key may not read it."""
        try:
            found = self.one("account")
        except PermissionRefusedError:
            return None
        return str(found.thing["id"]) if found is not None else None

    def _get(self, path: str, params: dict[str, Any]) -> Any:
        for attempt in range(1, TRIES + 1):
            self._bucket.take()
            self.requests += 1
            try:
                return self._client.raw_request("get", f"/v1/{path}", **params)
            except stripe.StripeError as error:
                if error.http_status == _NOT_FOUND:
                    return None
                if not _may_pass(error) or attempt == TRIES:
                    raise self._in_words(error, path) from None
                headers: Any = error.headers
                self.retried += 1
                self.sleep(wait_before(attempt, headers, self._dice))
        raise AssertionError

    def _in_words(self, error: stripe.StripeError, path: str) -> PaymentServiceError:
        request = f", request {error.request_id}" if error.request_id else ""
        if error.http_status == _UNAUTHORIZED:
            return PaymentServiceError(
                f"Stripe refused the key in {self.key_name} (401{request}): wrong, expired or revoked; set another"
            )
        if error.http_status == _FORBIDDEN:
            return PermissionRefusedError(
                f"the key in {self.key_name} may not read {path.split('/', maxsplit=1)[0]} (403{request}); give the "
                "restricted key read access to it in Stripe's dashboard, docs/stripe.md lists what is needed"
            )
        if error.http_status is None:
            return PaymentServiceError(
                f"Stripe could not be reached for /v1/{path}, {TRIES} tries ({type(error).__name__}); run the command "
                "again, it goes on from there"
            )
        tries = f", {TRIES} tries" if _may_pass(error) else ""
        said = f": {error.code}" if error.code else ""
        return PaymentServiceError(
            f"Stripe answered {error.http_status} for /v1/{path}{tries}{request}{said}; run the command again, it goes "
            "on from there"
        )


class PermissionRefusedError(PaymentServiceError):
    """The key is valid, but not for this resource."""


def _may_pass(error: stripe.StripeError) -> bool:
    """Whether the same request may succeed later: too many, a conflict, a server's error, a lost or torn answer."""
    status = error.http_status
    if status is None or isinstance(error, stripe.APIConnectionError):
        return True
    is_torn = isinstance(error, stripe.APIError) and status < _CONFLICT  # an answer that was cut off is no JSON
    return status in {_TOO_MANY, _CONFLICT} or status >= _SERVER_ERRORS or is_torn


def _sliced(body: str, path: str) -> list[Fetched]:
    """The objects of a page, each with its own text."""
    text = _LINE_BREAK.sub("", body)
    start = _DATA.search(text)
    if start is None:
        raise PaymentServiceError(f"Stripe's answer for /v1/{path} is no list")
    found, position = [], start.end()
    while text[position] != "]":
        thing, end = _DECODER.raw_decode(text, position)
        found.append(Fetched(text[position:end], thing))
        position = end
        while text[position] in ", ":
            position += 1
    return found
