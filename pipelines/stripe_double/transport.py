"""The double without a network: an HTTP client of the SDK that asks a service in the same process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import stripe

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipelines.stripe_double.service import Service


class InProcessClient(stripe.HTTPClient):
    """Give it to `stripe.StripeClient(http_client=...)`."""

    name = "in-process"

    def __init__(self, service: Service) -> None:
        super().__init__()
        self._service = service

    def request(
        self, method: str, url: str, headers: Mapping[str, str] | None, post_data: Any = None, **_: Any
    ) -> tuple[str, int, Mapping[str, str]]:
        """Answer at once; a lost connection is the SDK's own error."""
        split = urlsplit(url)
        answer = self._service.answer(method.upper(), f"{split.path}?{split.query}", headers or {}, post_data or "")
        if answer.fault is not None and answer.fault.kind in {"drop", "cut"}:
            raise stripe.APIConnectionError("the connection was lost", should_retry=True)  # type: ignore[no-untyped-call]
        return answer.body.decode(), answer.status, {name.lower(): text for name, text in answer.headers.items()}

    def close(self) -> None:
        """Nothing to close."""
