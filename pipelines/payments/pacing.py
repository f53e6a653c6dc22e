"""How fast and how stubbornly Stripe is asked: a token bucket, and waits that grow."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Mapping

TRIES = 10
FIRST_WAIT, LONGEST_WAIT = 0.5, 30.0
LONGEST_RETRY_AFTER = 120.0


@dataclass
class TokenBucket:
    """Lets `rate` requests a second through, and as many at once after a pause."""

    rate: int
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    _tokens: float = field(init=False)
    _at: float = field(init=False)

    def __post_init__(self) -> None:
        self._tokens = float(self.rate)
        self._at = self.clock()

    def take(self) -> None:
        """Wait until one more request may be sent."""
        self._refill()
        if self._tokens < 1:
            self.sleep((1 - self._tokens) / self.rate)
            self._refill()
        self._tokens -= 1

    def _refill(self) -> None:
        now = self.clock()
        self._tokens = min(float(self.rate), self._tokens + (now - self._at) * self.rate)
        self._at = now


def wait_before(attempt: int, headers: Mapping[str, str] | None, dice: random.Random) -> float:
    """Seconds before the next try, `attempt` counting from 1: what Retry-After says, else twice as long each time.

    Without Retry-After up to half is left to chance, so that clients that were refused together do not come together.
    """
    said = _retry_after(headers)
    if said is not None:
        return min(said, LONGEST_RETRY_AFTER)
    longest = min(FIRST_WAIT * float(2 ** (attempt - 1)), LONGEST_WAIT)
    return longest * (0.5 + dice.random() / 2)


def _retry_after(headers: Mapping[str, str] | None) -> float | None:
    for name, value in (headers or {}).items():
        if name.lower() == "retry-after":
            try:
                seconds = float(value)
            except ValueError:
                return None
            return seconds if 0 <= seconds < LONGEST_RETRY_AFTER * 10 else None
    return None
