"""What a call cost the app at its provider: dated prices per kind of token, per image and per request, priced exactly.

A price is a decimal text of US dollars per so many units. Inside, one unit's price is a whole number of 10^-24 dollars,
so every published price is exact and a call's cost is a plain sum of products; only the last step, to nano-dollars,
rounds, half to even.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import combinations, pairwise
from typing import TYPE_CHECKING, TypeAlias

from billing_core.errors import ConfigurationError, TollbookError
from billing_core.money import round_half_even_ratio
from billing_core.toml_tables import content_version

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

SCALE_DIGITS = 24
"""One dollar is 10 to this many of the units in which prices are multiplied."""
NANO_DIGITS = 9
DAY_SECONDS = 86_400
STANDARD = "standard"
"""The variant of a request that asks for no other service tier or batch."""
SERVICE_TIERS: Mapping[str, str] = {
    "default": STANDARD,
    "on_demand": STANDARD,
    "on_demand_flex": "flex",
    "on_demand_priority": "priority",
}
"""Providers' own words for a variant of another name, in lower case. `auto` is none: it leaves the choice open."""

ANY = "*"
"""Instead of an image's size or quality: the price holds whatever it is."""


def variant_of(service_tier: str | None) -> str:
    """The variant that a log's word for its service tier means; a request that names none is a standard one."""
    word = (service_tier or STANDARD).lower()
    return SERVICE_TIERS.get(word, word)


UNITS: Mapping[str, tuple[int, Mapping[str, str]]] = {
    "input_tokens": (1_000_000, {"direction": "input"}),
    "output_tokens": (1_000_000, {"direction": "output"}),
    "cache_read_tokens": (1_000_000, {"direction": "input", "use": "cache_read"}),
    "cache_write_tokens": (1_000_000, {"direction": "input", "use": "cache_write"}),
    "cache_write_5m_tokens": (1_000_000, {"direction": "input", "use": "cache_write", "ttl": "5m"}),
    "cache_write_1h_tokens": (1_000_000, {"direction": "input", "use": "cache_write", "ttl": "1h"}),
    "input_text_tokens": (1_000_000, {"direction": "input", "modality": "text"}),
    "input_audio_tokens": (1_000_000, {"direction": "input", "modality": "audio"}),
    "input_image_tokens": (1_000_000, {"direction": "input", "modality": "image"}),
    "input_video_tokens": (1_000_000, {"direction": "input", "modality": "video"}),
    "cache_text_read_tokens": (1_000_000, {"direction": "input", "use": "cache_read", "modality": "text"}),
    "cache_audio_read_tokens": (1_000_000, {"direction": "input", "use": "cache_read", "modality": "audio"}),
    "cache_image_read_tokens": (1_000_000, {"direction": "input", "use": "cache_read", "modality": "image"}),
    "cache_video_read_tokens": (1_000_000, {"direction": "input", "use": "cache_read", "modality": "video"}),
    "output_text_tokens": (1_000_000, {"direction": "output", "modality": "text"}),
    "output_audio_tokens": (1_000_000, {"direction": "output", "modality": "audio"}),
    "output_image_tokens": (1_000_000, {"direction": "output", "modality": "image"}),
    "output_video_tokens": (1_000_000, {"direction": "output", "modality": "video"}),
    "output_reasoning_tokens": (1_000_000, {"direction": "output", "use": "reasoning"}),
    "output_citation_tokens": (1_000_000, {"direction": "output", "use": "citation"}),
    "requests": (1_000, {}),
    "images": (1, {}),
}
"""Units that a call's counts can be priced in: how many one price is for, and what narrows the unit.

A unit with more narrowing words is a subset of every unit whose words it repeats: tokens read from a cache are input.
"""

_USD = re.compile(r"(0|[1-9][0-9]{0,5})(\.[0-9]{1,18})?")
# 2 x 10^12 tokens, 10^6 images or one request at these prices still fit Int64 nano-dollars.
_MOST_USD = {"tokens": 4_000, "images": 4_000, "requests": 1_000_000}


class PriceRefusedError(TollbookError):
    """Counts that cannot be priced: a subset above its whole, or an overlap that nobody counted."""


@dataclass(frozen=True, slots=True)
class Rate:
    """The price of one unit: `usd` dollars (decimal text) per `per` units, above `tier_start` input tokens.

    `size` and `quality` narrow the price of an image: a word, ANY, or None for calls that name none.
    """

    unit: str
    per: int
    usd: str
    tier_start: int = 0
    size: str | None = ANY
    quality: str | None = ANY

    @property
    def scaled(self) -> int:
        """The price of a single unit in 10^-24 dollars. ConfigurationError when it is no decimal or too large."""
        if not _USD.fullmatch(self.usd):
            raise ConfigurationError(f"{self.unit}: price {self.usd!r} is not a decimal of at most 18 places")
        kind = self.unit if self.unit in _MOST_USD else "tokens"
        if Decimal(self.usd) * UNITS.get(self.unit, (self.per,))[0] > _MOST_USD[kind] * self.per:
            raise ConfigurationError(f"{self.unit}: price {self.usd} USD per {self.per} is too large to be one")
        whole, _, decimals = self.usd.partition(".")
        digits = int((whole + decimals).ljust(len(whole) + SCALE_DIGITS, "0"))
        price, rest = divmod(digits, self.per)
        if rest:
            raise ConfigurationError(f"{self.unit}: {self.usd} USD per {self.per} is not exact in 10^-24 USD")
        return price


@dataclass(frozen=True, slots=True)
class Period:
    """The whole price list of a model while it is in force.

    From `effective_from` until before `effective_to` (epoch microseconds, None without limit), each day from
    `time_from` until before `time_to` (seconds of the UTC day), for requests of one `variant`.
    """

    rates: tuple[Rate, ...]
    effective_from: int | None = None
    effective_to: int | None = None
    time_from: int = 0
    time_to: int = DAY_SECONDS
    variant: str = STANDARD
    source: str = ""
    source_version: str = ""

    def holds_at(self, instant_us: int) -> bool:
        """Whether the list is in force at an instant in epoch microseconds."""
        second = instant_us // 1_000_000 % DAY_SECONDS
        return (
            (self.effective_from is None or self.effective_from <= instant_us)
            and (self.effective_to is None or instant_us < self.effective_to)
            and self.time_from <= second < self.time_to
        )


@dataclass(frozen=True, slots=True)
class PricedModel:
    """A model of a provider with every price list that is known of it."""

    provider: str
    model: str
    periods: tuple[Period, ...]

    @property
    def price_version(self) -> str:
        """Names all its prices by what they say: the same prices have the same version."""
        plain = [_plain(period) for period in self.periods]
        return content_version({"provider": self.provider, "model": self.model, "prices": sorted(plain, key=str)})

    def has(self, variant: str) -> bool:
        """Whether requests of a variant have a price at some time: one that the model has no list of never has."""
        return any(period.variant == variant for period in self.periods)

    def at(self, instant_us: int, variant: str = STANDARD) -> Period | None:
        """The list in force at an instant for requests of a variant.

        A variant is charged as the standard while it has no list of its own, but for the time before its first one:
        what it cost then is not known.
        """
        if not self.has(variant) or self._starts(variant) > instant_us:
            return None
        found = {period.variant: period for period in self.periods if period.holds_at(instant_us)}
        return found.get(variant) or found.get(STANDARD)

    def charged_as(self, variant: str) -> PricedModel:
        """The lists that requests of a variant are charged by, as if they were all there is; no two overlap."""
        own = [period for period in self.periods if period.variant == variant]
        if variant == STANDARD or not own:
            return replace(self, periods=tuple(own))
        starts = self._starts(variant)
        pieces = [piece for one in self.periods if one.variant == STANDARD for piece in _cut(one, own)]
        return replace(self, periods=(*own, *(piece for piece in pieces if _begins(piece) >= starts)))

    def _starts(self, variant: str) -> float:
        """The first instant of which a price of a variant is known."""
        return min(_begins(period) for period in self.periods if period.variant == variant)


def _begins(period: Period) -> float:
    return -math.inf if period.effective_from is None else period.effective_from


def _cut(period: Period, others: Sequence[Period]) -> Iterator[Period]:
    """The pieces of a period, by dates and hours, in which none of the others holds."""
    days = _pieces(
        (period.effective_from, period.effective_to), [(one.effective_from, one.effective_to) for one in others]
    )
    hours = _pieces((period.time_from, period.time_to), [(one.time_from, one.time_to) for one in others])
    for begins, ends in days:
        for first, last in hours:
            piece = replace(period, effective_from=begins, effective_to=ends, time_from=first or 0, time_to=last or 0)
            if not any(_covers(other, piece) for other in others):
                yield piece


_Span: TypeAlias = "tuple[int | None, int | None]"


def _pieces(span: _Span, others: Sequence[_Span]) -> list[_Span]:
    """A span cut wherever one of the others starts or ends inside it; None is without limit."""
    begins, ends = span
    edges = {edge for other in others for edge in other if edge is not None}
    inside = sorted(e for e in edges if (begins is None or e > begins) and (ends is None or e < ends))
    return list(pairwise([begins, *inside, ends]))


def _covers(other: Period, piece: Period) -> bool:
    """Whether a period holds all through a piece that was cut at its edges."""
    starts_first = other.effective_from is None or (
        piece.effective_from is not None and other.effective_from <= piece.effective_from
    )
    ends_last = other.effective_to is None or (
        piece.effective_to is not None and piece.effective_to <= other.effective_to
    )
    return starts_first and ends_last and other.time_from <= piece.time_from and piece.time_to <= other.time_to


def _plain(period: Period) -> list[object]:
    rates = [[rate.unit, rate.per, rate.usd, rate.tier_start, rate.size, rate.quality] for rate in period.rates]
    span = [period.effective_from, period.effective_to, period.time_from, period.time_to]
    return [*span, period.variant, sorted(rates, key=str)]


@dataclass(frozen=True, slots=True)
class Priced:
    """What a call cost, in 10^-24 dollars, by direction; requests and images are in `total` only."""

    input: int
    output: int
    total: int

    @property
    def nanousd(self) -> int:
        """The total in nano-dollars, half to even."""
        return round_half_even_ratio(self.total, 1, 10 ** (SCALE_DIGITS - NANO_DIGITS))


def usd(scaled: int) -> Decimal:
    """Exact dollars of a figure in 10^-24 dollars."""
    return Decimal(scaled).scaleb(-SCALE_DIGITS) if scaled else Decimal(0)


def in_tier(rates: Iterable[Rate], input_tokens: int) -> dict[str, Rate]:
    """The rate of each unit for a request of so many input tokens.

    The whole request is charged at the highest tier that it exceeds, its output and cached tokens too.
    """
    chosen: dict[str, Rate] = {}
    for rate in sorted(rates, key=lambda rate: rate.tier_start):
        if rate.tier_start == 0 or input_tokens > rate.tier_start:
            chosen[rate.unit] = rate
    return chosen


def price_tokens(period: Period, counts: Mapping[str, int]) -> Priced:
    """Price the counts of one call, given by unit: each token once, at the most specific rate there is for it.

    A count without a rate of its own is charged as the whole that it is part of. PriceRefusedError when a subset
    exceeds its whole, when tokens are priced both by use and by modality but their overlap was not counted, or when
    there are tokens that nothing prices.
    """
    _require_parts_within(counts)
    rates = {unit: rate for unit, rate in in_tier(period.rates, counts.get("input_tokens", 0)).items() if unit in UNITS}
    own = {unit: _own_count(unit, rates, counts) for unit in rates if UNITS[unit][1]}
    for unit in ("input_tokens", "output_tokens"):
        if counts.get(unit, 0) > 0 and unit not in rates:
            raise PriceRefusedError(f"{counts[unit]} {unit} have no price")
    leaves = _leaves(own)
    costs = {unit: leaves[unit] * rates[unit].scaled for unit in own}
    request = rates["requests"].scaled if "requests" in rates else 0
    return Priced(_of_direction(costs, "input"), _of_direction(costs, "output"), sum(costs.values()) + request)


def _require_parts_within(counts: Mapping[str, int]) -> None:
    """No subset exceeds all the tokens of its direction, whether it has a price of its own or not."""
    for unit, count in counts.items():
        whole = f"{UNITS[unit][1]['direction']}_tokens" if UNITS.get(unit, (0, {}))[1] else unit
        if count > counts.get(whole, 0):
            raise PriceRefusedError(f"{count} {unit} exceed the {counts.get(whole, 0)} {whole} that they are part of")


def _of_direction(costs: Mapping[str, int], direction: str) -> int:
    return sum(cost for unit, cost in costs.items() if UNITS[unit][1].get("direction") == direction)


def _own_count(unit: str, rates: Mapping[str, Rate], counts: Mapping[str, int]) -> int:
    """How many of a unit were counted; an overlap of two counted units must have been counted itself."""
    if unit in counts:
        return counts[unit]
    words = UNITS[unit][1]
    wider = [other for other in rates if counts.get(other, 0) > 0 and UNITS[other][1].items() < words.items()]
    for one, other in combinations(wider, 2):
        if {**UNITS[one][1], **UNITS[other][1]} == words:
            raise PriceRefusedError(f"how many {unit} there are among {one} and {other} was not counted")
    return 0


def _leaves(own: Mapping[str, int]) -> dict[str, int]:
    """What is left of each unit once its priced subsets are taken out."""
    leaves: dict[str, int] = {}
    for unit in sorted(own, key=lambda unit: (-len(UNITS[unit][1]), unit)):
        narrower = [other for other in leaves if UNITS[unit][1].items() <= UNITS[other][1].items()]
        leaves[unit] = own[unit] - sum(leaves[other] for other in narrower)
        if leaves[unit] < 0:
            raise PriceRefusedError(f"{' + '.join(narrower)} exceed the {own[unit]} {unit} that they are part of")
    return leaves


def price_images(period: Period, count: int, size: str | None, quality: str | None) -> Priced:
    """Price delivered images at the rate of their size and quality. PriceRefusedError when there is none."""
    for rate in period.rates:
        if rate.unit == "images" and rate.size in (ANY, size) and rate.quality in (ANY, quality):
            return Priced(0, 0, count * rate.scaled)
    raise PriceRefusedError(f"no image price for size {size} and quality {quality}")
