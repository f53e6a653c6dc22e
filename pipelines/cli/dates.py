"""Dates as options: a day, today or yesterday, or an instant, in UTC."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from billing_core.errors import ConfigurationError

if TYPE_CHECKING:
    from pipelines.outlook import Outlook


def day(option: str, text: str, today: date) -> date:
    """The day that an option names. Raises ConfigurationError."""
    if text == "today":
        return today
    if text == "yesterday":
        return today - timedelta(days=1)
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ConfigurationError(
            f"{option}: got {text!r}, expected a date such as 2026-09-01, `today` or `yesterday`"
        ) from None


def moment(option: str, text: str) -> date | datetime:
    """The day or the instant with an offset that an option names. Raises ConfigurationError."""
    try:
        found = datetime.fromisoformat(text) if len(text) > len("2026-09-01") else date.fromisoformat(text)
        if not isinstance(found, datetime) or found.tzinfo is not None:
            return found.astimezone(UTC) if isinstance(found, datetime) else found
    except (ValueError, OverflowError):
        pass
    raise ConfigurationError(
        f"{option}: got {text!r}, expected a day such as 2026-09-01 or an instant with its offset such as "
        "2026-09-01T12:00:00Z"
    )


def span(outlook: Outlook, first: str | None, through: str | None) -> tuple[date, date]:
    """The billing dates of a run. Raises ConfigurationError for dates that cannot be billed."""
    last = day("--through", through, outlook.today) if through else outlook.through
    begin = day("--from", first, outlook.today) if first else min(outlook.first_open_date, last)
    if last > outlook.today:
        raise ConfigurationError(f"--through: {last} has not begun yet (it is {outlook.today} in UTC)")
    if first and begin < outlook.start:
        raise ConfigurationError(f"--from: {begin} is before the books start ({outlook.start}, [books] start)")
    if first and begin > last:
        raise ConfigurationError(
            f"--from: {begin} is after the last date to bill, {last}; name a later one with --through"
        )
    return begin, last
