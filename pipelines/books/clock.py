"""The one clock of the books: UTC now, or the instant that TOLLBOOK_NOW fixes."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from billing_core.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

NOW_VARIABLE = "TOLLBOOK_NOW"


def now(environ: Mapping[str, str] | None = None) -> datetime:
    """Return the present instant in UTC with microseconds.

    The variable TOLLBOOK_NOW (ISO text with an offset) fixes it, so that a replayed day gives the same books.
    Raises ConfigurationError when the variable is set to something else.
    """
    text = (os.environ if environ is None else environ).get(NOW_VARIABLE)
    return datetime.now(UTC) if not text else _fixed(text)


def _fixed(text: str) -> datetime:
    message = f"{NOW_VARIABLE}: got {text!r}, expected an instant with an offset such as 2026-09-01T00:00:00Z"
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigurationError(message) from None
    if instant.tzinfo is None:
        raise ConfigurationError(message)
    return instant.astimezone(UTC)


def iso_micros(instant: datetime) -> str:
    """Return the instant as UTC text with six fractional digits, such as 2026-09-01T00:00:00.000000Z."""
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
