"""How fast Stripe is asked, how long a refusal is waited out, and what a sync asks for; all on made-up clocks."""

from __future__ import annotations

import random
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from pipelines.payments.pacing import LONGEST_RETRY_AFTER, LONGEST_WAIT, TokenBucket, wait_before
from pipelines.payments.plan import (
    DAY_SECONDS,
    EVENT_DAYS,
    EVENT_TYPES,
    LOOK_BACK_SECONDS,
    PATHS,
    SETTLE_SECONDS,
    Windows,
    must_be_full,
    windows,
)

NOW = 1_790_000_000


@dataclass
class Clock:
    """Time that passes only while somebody sleeps or works."""

    now: float = 0.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@given(rate=st.integers(1, 50), work=st.lists(st.floats(0, 0.3), min_size=1, max_size=200))
def test_bucket_never_lets_more_through_than_its_rate(rate: int, work: list[float]) -> None:
    """In any span of time: the burst after a pause, and the rate from then on."""
    clock = Clock()
    bucket = TokenBucket(rate, clock=lambda: clock.now, sleep=clock.sleep)
    sent = []
    for seconds in work:
        bucket.take()
        sent.append(clock.now)
        clock.now += seconds
    for first, begun in enumerate(sent):
        for last in range(first, len(sent)):
            assert last - first + 1 <= rate + (sent[last] - begun) * rate + 1e-6


def test_waits_double_and_stay_bounded() -> None:
    """Half of each wait is left to chance; the tenth is no longer than the longest."""
    dice = random.Random(1)
    waits = [wait_before(attempt, None, dice) for attempt in range(1, 11)]
    assert all(0.25 * 2**index <= wait <= 0.5 * 2**index for index, wait in enumerate(waits[:6]))
    assert all(LONGEST_WAIT / 2 <= wait <= LONGEST_WAIT for wait in waits[7:])


def test_retry_after_is_taken_at_its_word_within_reason() -> None:
    """Seconds count, in any spelling of the header; a date, nonsense or an hour does not."""
    dice = random.Random(1)
    assert wait_before(1, {"Retry-After": "3"}, dice) == 3
    assert wait_before(1, {"retry-after": "0.5"}, dice) == 0.5
    assert wait_before(1, {"Retry-After": "600"}, dice) == LONGEST_RETRY_AFTER
    for text in ("Wed, 21 Oct 2026 07:28:00 GMT", "nan", "-1", "99999999"):
        assert wait_before(1, {"Retry-After": text}, dice) <= 0.5


def span(last_window_end: int | None, oldest_pending: int | None = None, *, is_full: bool = False) -> Windows:
    """The windows of a sync at NOW."""
    return windows(
        started_at=NOW,
        window_end=NOW - SETTLE_SECONDS,
        last_window_end=last_window_end,
        is_full=is_full,
        relist_days=35,
        relist_dispute_days=180,
        oldest_pending=oldest_pending,
    )


@given(pause=st.integers(0, EVENT_DAYS * DAY_SECONDS - DAY_SECONDS), age=st.integers(0, 400 * DAY_SECONDS))
def test_no_object_falls_between_two_syncs(pause: int, age: int) -> None:
    """What was created after the last window began to settle is in this one, whatever its kind."""
    last = NOW - SETTLE_SECONDS - pause
    found = span(last)
    for kind in PATHS:
        created = max(last - LOOK_BACK_SECONDS, found.end - age)
        assert found.is_listed(kind, created)
        assert found.since[kind] <= last - LOOK_BACK_SECONDS
    assert found.events_since <= last - LOOK_BACK_SECONDS
    assert not found.is_listed("charge", NOW - 30)


def test_disputes_and_pending_movements_are_looked_back_to_further() -> None:
    """Refunds and disputes by half a year, movements to the oldest that is not available yet."""
    found = span(NOW - 3600, oldest_pending=NOW - 9 * DAY_SECONDS)
    assert found.since["charge"] == NOW - 35 * DAY_SECONDS
    assert found.since["dispute"] == found.since["refund"] == NOW - 180 * DAY_SECONDS
    assert found.since["balance_transaction"] == NOW - 9 * DAY_SECONDS
    assert span(NOW - 3600).since["balance_transaction"] == NOW - 3600 - LOOK_BACK_SECONDS


def test_first_full_and_long_overdue_syncs_list_everything() -> None:
    """Without a cursor, on demand, or when the change feed no longer reaches back."""
    assert set(span(None).since.values()) == set(span(NOW - 60, is_full=True).since.values()) == {0}
    assert must_be_full(None, NOW)
    assert must_be_full(NOW - EVENT_DAYS * DAY_SECONDS, NOW)
    assert not must_be_full(NOW - 20 * DAY_SECONDS, NOW)


def test_events_are_asked_for_within_stripes_limit() -> None:
    """At most twenty types at once, each type once."""
    types = [name for names in EVENT_TYPES.values() for name in names]
    assert max(map(len, EVENT_TYPES.values())) <= 20
    assert len(types) == len(set(types))
