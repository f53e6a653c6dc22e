"""Dates as options: a day, today or yesterday, in UTC."""

from __future__ import annotations

from datetime import date, timedelta
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


def span(outlook: Outlook, first: str | None, through: str | None) -> tuple[date, date]:
    """The billing dates of a run. Raises ConfigurationError for dates that cannot be billed."""
    last = day("--through", through, outlook.today) if through else outlook.through
    begin = day("--from", first, outlook.today) if first else outlook.first_open_date
    if last > outlook.today:
        raise ConfigurationError(f"--through: {last} has not begun yet (it is {outlook.today} in UTC)")
    if first and begin < outlook.start:
        raise ConfigurationError(f"--from: {begin} is before the books start ({outlook.start}, [books] start)")
    if first and begin > last:
        raise ConfigurationError(
            f"--from: {begin} is after the last date to bill, {last}; name a later one with --through"
        )
    return begin, last
