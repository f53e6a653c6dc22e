"""Seeded whole-number draws. Only bits are taken from the generator, so no float decides anything."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence

_BITS = 32
T = TypeVar("T")


class Dice:
    """One stream of draws; the same seed gives the same draws on every Python version."""

    def __init__(self, seed: int) -> None:
        """Start the stream of `seed` (any whole number >= 0)."""
        self._bits = random.Random(seed).getrandbits

    def below(self, count: int) -> int:
        """A whole number in [0, count), count <= 2**32."""
        return (self._bits(_BITS) * count) >> _BITS

    def between(self, low: int, high: int) -> int:
        """A whole number in [low, high]."""
        return low + self.below(high - low + 1)

    def skewed(self, low: int, high: int) -> int:
        """A whole number in [low, high), small ones far more often, as token counts are."""
        return low + ((self._bits(_BITS) * self._bits(_BITS) * (high - low)) >> (2 * _BITS))

    def one_in(self, count: int) -> bool:
        """Whether a chance of 1 in `count` came up."""
        return self.below(count) == 0

    def pick(self, items: Sequence[T]) -> T:
        """One of the items, each as likely."""
        return items[self.below(len(items))]
