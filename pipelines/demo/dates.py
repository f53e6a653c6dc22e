"""The demo's three months, cut into files: on the first of a month and weekly after that. Times are epoch ms, UTC."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

START = date(2026, 8, 1)
LAST = date(2026, 10, 31)
SECOND_MS = 1_000
DAY_MS = 86_400 * SECOND_MS
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MONTHS = (8, 9, 10)
DELIVERY_DAYS = (1, 7, 14, 21, 28)
_GATEWAY_DAYS = (7, 14, 21, 28)


@dataclass(frozen=True)
class FileSlot:
    """One usage file: whose log, its date, its path in the folder, and the calls it covers: [from_ms, to_ms)."""

    stream: str
    day: date
    path: str
    from_ms: int
    to_ms: int


def at_ms(day: date, hour: int = 0, minute: int = 0) -> int:
    """Epoch milliseconds of a UTC wall time."""
    return (day - _EPOCH.date()).days * DAY_MS + (hour * 60 + minute) * 60 * SECOND_MS


def iso(ms: int) -> str:
    """`2026-08-03T10:00:00.250Z` of epoch milliseconds."""
    moment = _EPOCH + timedelta(milliseconds=ms)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{ms % SECOND_MS:03d}Z"


def delivery_before(ms: int) -> int:
    """The same time of day on the last day up to then that has files."""
    day = _EPOCH.date() + timedelta(days=ms // DAY_MS)
    while day.day not in DELIVERY_DAYS:
        day -= timedelta(days=1)
    return at_ms(day) + ms % DAY_MS


def month(ms: int) -> str:
    """`2026-08` of epoch milliseconds."""
    return iso(ms)[:7]


def app_path(day: date) -> str:
    """Where the app's file of a day lies."""
    return f"usage/app/{day.isoformat()}.jsonl"


def gateway_path(day: date) -> str:
    """Where the gateway's file of a day lies."""
    return f"usage/gateway/dt={day.isoformat()}/part-0.jsonl.gz"


def file_slots() -> tuple[FileSlot, ...]:
    """Every ordinary usage file, by date, the app's before the gateway's."""
    app = [FileSlot("app", day, app_path(day), begin, end) for day, begin, end in _windows(DELIVERY_DAYS)]
    gateway = [FileSlot("gateway", day, gateway_path(day), begin, end) for day, begin, end in _windows(_GATEWAY_DAYS)]
    return tuple(sorted([*app, *gateway], key=lambda slot: (slot.day, slot.stream)))


def _windows(days: tuple[int, ...]) -> list[tuple[date, int, int]]:
    # Each file covers the time since the file before it. The first calls come an hour after the first accounts.
    dates = [*(START.replace(month=number, day=day) for number in _MONTHS for day in days), LAST]
    begin = at_ms(START, hour=1)
    windows = []
    for day in dates:
        end = at_ms(day + timedelta(days=1))
        windows.append((day, begin, end))
        begin = end
    return windows
