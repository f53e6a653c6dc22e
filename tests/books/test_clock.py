"""The one clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from billing_core.errors import ConfigurationError
from pipelines.books.clock import iso_micros, now


def test_the_variable_fixes_the_instant_in_utc() -> None:
    """Any offset is accepted, UTC comes out."""
    assert now({"TOLLBOOK_NOW": "2026-09-01T02:00:00.000001+02:00"}) == datetime(2026, 9, 1, 0, 0, 0, 1, UTC)


def test_without_it_the_time_is_that_of_the_machine() -> None:
    """And it is in UTC."""
    instant = now({})
    assert instant.tzinfo is UTC
    assert abs(datetime.now(UTC) - instant) < timedelta(minutes=1)


@pytest.mark.parametrize("text", ["yesterday", "2026-09-01T00:00:00", "2026-09-01"])
def test_other_text_is_refused(text: str) -> None:
    """A time without an offset is not an instant."""
    with pytest.raises(ConfigurationError, match=rf"TOLLBOOK_NOW: got '{text}', expected an instant with an offset"):
        now({"TOLLBOOK_NOW": text})


def test_text_has_six_digits_always() -> None:
    """So that the order of texts is the order of instants."""
    assert iso_micros(datetime(2026, 9, 1, tzinfo=UTC)) == "2026-09-01T00:00:00.000000Z"
