"""How large the counts of some calls are, taken all together: small ones need none of the care that huge ones do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import narwhals as nw

if TYPE_CHECKING:
    from collections.abc import Sequence

TOKEN_COLUMNS = (
    "total_tokens",
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "reasoning_tokens",
    "audio_input_tokens",
    "audio_output_tokens",
)
EXACT_AS_DOUBLE = 2**53
"""Below this a whole number, and the floor of its division by another, are exact even where they pass a double."""


class Bounds(NamedTuple):
    """How many calls, and the smallest and largest number of tokens in a column of TOKEN_COLUMNS and of images."""

    calls: int
    least_tokens: int
    most_tokens: int
    least_images: int
    most_images: int

    @property
    def are_counts(self) -> bool:
        """Whether no number is below 0."""
        return self.least_tokens >= 0 and self.least_images >= 0

    def tokens_fit(self, largest: int) -> bool:
        """Whether a count of tokens times `largest` surely stays exact on every engine."""
        return self.are_counts and self.most_tokens * largest < EXACT_AS_DOUBLE

    def images_fit(self, largest: int) -> bool:
        """The same for images, or one call, times `largest`."""
        return self.are_counts and max(self.most_images, 1) * largest < EXACT_AS_DOUBLE


def bounds_of(events: nw.LazyFrame[Any]) -> Bounds:
    """The bounds of the columns that the events have; engines that keep statistics answer from those."""
    names = set(events.collect_schema().names())
    tokens = [name for name in TOKEN_COLUMNS if name in names]
    images = [name for name in ("image_count",) if name in names]
    wanted = [
        expression
        for name in (*tokens, *images)
        for expression in (nw.col(name).min().alias(f"least_{name}"), nw.col(name).max().alias(f"most_{name}"))
    ]
    calls, *found = events.select(nw.len().alias("calls"), *wanted).collect("polars").row(0)
    smallest, largest = found[::2], found[1::2]
    count = len(tokens)
    return Bounds(
        int(calls),
        _edge(min, smallest[:count]),
        _edge(max, largest[:count]),
        _edge(min, smallest[count:]),
        _edge(max, largest[count:]),
    )


def _edge(choose: Any, values: Sequence[int | None]) -> int:
    return int(choose((value for value in values if value is not None), default=0))
