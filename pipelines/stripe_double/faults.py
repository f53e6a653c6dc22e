"""What goes wrong on the way: refused keys, bursts of 429, errors of the server, connections that drop."""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass, field
from typing import Literal

FaultKind = Literal["401", "403", "429", "500", "drop", "cut"]


@dataclass(frozen=True, slots=True)
class Fault:
    """One disturbed request. `drop` answers nothing; `cut` loses the connection half-way through the answer."""

    kind: FaultKind
    retry_after: str | None = None


@dataclass
class Faults:
    """Which requests are disturbed: those scripted first, then by chance, in bursts.

    `chance` of each kind is in thousandths of requests; a burst of 429 hits `burst` requests in a row.
    """

    seed: int = 0
    chance: dict[FaultKind, int] = field(default_factory=dict)
    burst: int = 3
    retry_after: str | None = "0"
    script: deque[Fault | None] = field(default_factory=deque)
    happened: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)

    def next(self) -> Fault | None:
        """What befalls the next request."""
        fault = self.script.popleft() if self.script else self._by_chance()
        if fault is not None:
            self.happened[fault.kind] = self.happened.get(fault.kind, 0) + 1
        return fault

    def _by_chance(self) -> Fault | None:
        for kind, thousandths in self.chance.items():
            if self._random.randrange(1000) < thousandths:
                fault = Fault(kind, self.retry_after if kind == "429" else None)
                self.script.extend([fault] * (self.burst - 1 if kind == "429" else 0))
                return fault
        return None
