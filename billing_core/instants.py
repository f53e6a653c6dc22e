"""Instants as whole microseconds since 1970-01-01T00:00:00Z, and their one text form."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def epoch_us(moment: datetime) -> int:
    """Microseconds from 1970 to an aware `moment`, negative before it; ValueError if it has no UTC offset."""
    if moment.utcoffset() is None:
        raise ValueError(f"{moment.isoformat()} has no UTC offset")
    return (moment - EPOCH) // _MICROSECOND


def utc_text(instant_us: int) -> str:
    """ISO 8601 text in UTC, `2026-09-01T00:00:00Z`; six decimals appear only where the instant has microseconds."""
    return (EPOCH + instant_us * _MICROSECOND).isoformat().replace("+00:00", "Z")
