"""Deliveries of events as Stripe's webhooks send them: the raw body, and the signature over it."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from pipelines.stripe_double.world import StripeObject


def signature(body: bytes, secret: str, at: int) -> str:
    """The Stripe-Signature header of a body, scheme v1."""
    digest = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={digest}"


def delivery(event: StripeObject, secret: str, at: int) -> StripeObject:
    """One line of a webhook archive: when it came, the header, and the body as it was."""
    body = json.dumps(event, indent=2)
    received = datetime.fromtimestamp(at, UTC).isoformat()
    return {"received_at": received, "signature": signature(body.encode(), secret, at), "payload": body}


def write_archive(path: Path, deliveries: Iterable[StripeObject]) -> Path:
    """Write an archive of deliveries."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{json.dumps(line)}\n" for line in deliveries), encoding="utf-8")
    return path
