"""Instants: whole microseconds and their text."""

from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_core.instants import epoch_us, utc_text


def test_an_offset_moves_the_clock_and_not_the_instant() -> None:
    """Midnight in Berlin is two hours before midnight UTC in summer."""
    assert utc_text(epoch_us(datetime.fromisoformat("2026-09-01T00:00:00+02:00"))) == "2026-08-31T22:00:00Z"


def test_microseconds_appear_only_where_there_are_any() -> None:
    """One text per instant."""
    assert utc_text(0) == "1970-01-01T00:00:00Z"
    assert utc_text(-1) == "1969-12-31T23:59:59.999999Z"


def test_a_time_without_an_offset_is_refused() -> None:
    """Nobody knows which instant a naive time is."""
    with pytest.raises(ValueError, match="no UTC offset"):
        epoch_us(datetime.fromisoformat("2026-09-01T00:00:00"))


@given(st.datetimes(timezones=st.timezones()))
def test_text_and_microseconds_name_the_same_instant(moment: datetime) -> None:
    """Reading the text back gives the same microsecond."""
    instant = epoch_us(moment)
    try:
        text = utc_text(instant)
    except OverflowError:
        return
    assert epoch_us(datetime.fromisoformat(text)) == instant
