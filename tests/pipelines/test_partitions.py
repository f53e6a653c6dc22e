"""Billing dates as partitions."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from pipelines.partitions import DEFAULT_START, billing_dates, known_dates
from tests.pipelines.small_books import START, small_books

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_yesterday_is_the_last_partition() -> None:
    """Without an end the last date is the last whole day in UTC."""
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    assert billing_dates(date(2020, 1, 1)).get_last_partition_key() == yesterday.isoformat()


def test_run_through_a_later_date_has_its_partition() -> None:
    """Today, or a date of a demo that lies ahead of the clock, is a partition of a run that goes through it."""
    ahead = datetime.now(UTC).date() + timedelta(days=40)
    assert billing_dates(date(2020, 1, 1), ahead).get_last_partition_key() == ahead.isoformat()


def test_partitions_begin_with_the_books(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first partition is the start of the books at hand."""
    monkeypatch.setenv("TOLLBOOK_BOOKS", str(small_books(tmp_path).root))
    assert known_dates() == (START, None)


def test_broken_books_still_load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A configuration with an error shows in the run, not as a graph that does not load."""
    (tmp_path / "tollbook.toml").write_text("[books", encoding="utf-8")
    monkeypatch.setenv("TOLLBOOK_BOOKS", str(tmp_path))
    assert known_dates() == (DEFAULT_START, None)
