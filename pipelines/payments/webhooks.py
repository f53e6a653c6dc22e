"""The archive of webhook deliveries: one line each, with the signature header and the raw body as it came.

`{"received_at": "2026-11-01T00:00:05Z", "signature": "t=...,v1=...", "payload": "{...}"}`; `payload_base64` instead of
`payload` where the body was kept as bytes. A delivery whose signature does not hold is not taken.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
from datetime import datetime
from typing import TYPE_CHECKING, Any

from billing_core.errors import ConfigurationError
from pipelines.payments.sightings import Rejected, RejectedLineError, Row, Scope, parsed, read_document

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipelines.books.config_models import BooksConfig

TOLERANCE_SECONDS = 300
"""How long after its signature a delivery may have come: Stripe's own limit against replays."""
_SIGNED_AT = re.compile(r"(?:^|,)\s*t=([0-9]{1,12})(?:,|$)")


def signing_secrets(config: BooksConfig, environ: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """The secrets of the endpoint, several while they are rotated (separated by commas or spaces); none if unnamed.

    Raises ConfigurationError when the variable is named but not set.
    """
    name = config.stripe.webhook_secret_env
    if name is None:
        return ()
    secrets = re.split(r"[,\s]+", (os.environ if environ is None else environ).get(name, "").strip())
    if secrets == [""]:
        raise ConfigurationError(f"[stripe] webhook_secret_env: the variable {name} is not set; set it")
    return tuple(secrets)


def read_delivery(line: bytes, scope: Scope, secrets: tuple[str, ...]) -> list[Row] | Rejected:
    """The event of one delivery, and the object that it shows; or why it is not taken."""
    try:
        document = parsed(line)
        body = _body(document)
        _require_signature(body, document, secrets)
        event = parsed(body)
    except RejectedLineError as error:
        return Rejected(error.reason, error.detail, "event")
    if event.get("object") != "event":
        return Rejected("unknown_object", "payload: expected an event", "event")
    return read_document(event, scope)


def _body(document: Mapping[str, Any]) -> bytes:
    text, coded = document.get("payload"), document.get("payload_base64")
    if isinstance(text, str):
        return text.encode("utf-8", "surrogatepass")
    if isinstance(coded, str):
        try:
            return base64.b64decode(coded, validate=True)
        except (binascii.Error, ValueError):
            raise RejectedLineError("invalid_field", "payload_base64: expected base64") from None
    raise RejectedLineError("missing_field", "payload: missing; expected the raw body, or payload_base64")


def _require_signature(body: bytes, document: Mapping[str, Any], secrets: tuple[str, ...]) -> None:
    header = document.get("signature")
    if not isinstance(header, str):
        raise RejectedLineError("missing_field", "signature: missing; expected the Stripe-Signature header")
    try:
        text = body.decode()
    except UnicodeDecodeError:
        raise RejectedLineError("bad_signature", "payload: expected UTF-8") from None
    if not any(_holds(text, header, secret) for secret in secrets):
        raise RejectedLineError("bad_signature", "signature: it does not hold for this body and the endpoint's secrets")
    _require_fresh(header, document.get("received_at"))


def _holds(body: str, header: str, secret: str) -> bool:
    import stripe  # noqa: PLC0415 reading files needs the SDK only where there is an archive

    try:
        stripe.WebhookSignature.verify_header(body, header, secret, tolerance=None)
    except stripe.SignatureVerificationError:
        return False
    return True


def _require_fresh(header: str, received_at: Any) -> None:
    """An archive is read long after; what counts is when the delivery came, where the archive says it."""
    if received_at is None:
        return
    try:
        received = datetime.fromisoformat(received_at).timestamp()
    except (TypeError, ValueError):
        raise RejectedLineError("invalid_field", "received_at: expected an instant") from None
    signed = _SIGNED_AT.search(header)
    if signed is None or abs(received - int(signed[1])) > TOLERANCE_SECONDS:
        raise RejectedLineError(
            "stale_signature", f"received_at: the body was signed more than {TOLERANCE_SECONDS} seconds from then"
        )
