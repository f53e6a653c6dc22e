"""All prices and names together: which price list a logged model has, and that list in a form made for joining.

Prices that people wrote come first, then those of the release, then the exported table. Tokens and images are looked
up apart: a call that logged tokens is priced by them, an image call without any by its images.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from billing_core.provider_names import NameBook, NamedProvider, Resolved
from billing_core.provider_prices import STANDARD, Period, PricedModel, Rate, in_tier

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from billing_core.own_prices import OwnPrices

Kind: TypeAlias = Literal["tokens", "images"]


class Found(NamedTuple):
    """The model whose prices hold for a logged name, or None and why there is none."""

    priced: PricedModel | None
    reason: str | None


@dataclass(frozen=True)
class ProviderPriceBook:
    """`providers` and `models` are those of the exported table; `own` is in order of precedence."""

    providers: tuple[NamedProvider, ...]
    models: Mapping[tuple[str, str], PricedModel]
    own: tuple[OwnPrices, ...] = ()
    _found: dict[tuple[str | None, str | None, Kind], Found] = field(default_factory=dict, compare=False)

    def find(self, provider: str | None, model: str | None, kind: Kind) -> Found:
        """The prices of a model as logged, for its tokens or its images."""
        key = (provider, model, kind)
        if key not in self._found:
            self._found[key] = self._find(*key)
        return self._found[key]

    def _find(self, provider: str | None, model: str | None, kind: Kind) -> Found:
        last = Resolved(None, None, None)
        for names, models in self._layers:
            last = names.resolve(provider, model)
            priced = models.get((last.provider or "", last.model or ""))
            if priced is not None and _has(priced, kind):
                return Found(priced, None)
        return Found(None, last.reason or f"no_{kind[:-1]}_price")

    @cached_property
    def _layers(self) -> list[tuple[NameBook, Mapping[tuple[str, str], PricedModel]]]:
        """Each source of prices with the names that lead to it; the last one is the exported table."""
        aliases = {key: to for own in reversed(self.own) for key, to in (own.aliases or {}).items()}
        providers = {name: to for own in reversed(self.own) for name, to in (own.provider_aliases or {}).items()}
        own = [
            (
                NameBook(tuple(self._named(one)), aliases, providers),
                {(model.provider, model.model): model for model in one.models},
            )
            for one in self.own
        ]
        return [*own, (NameBook(self.providers, aliases, providers), self.models)]

    def _named(self, own: OwnPrices) -> Iterator[NamedProvider]:
        """The providers of the table, and any new one, with the models of `own`, which are known by name alone too."""
        known = {provider.provider: provider for provider in self.providers}
        for name in [*known, *dict.fromkeys(model.provider for model in own.models if model.provider not in known)]:
            mine = [(key[1], clause) for key, clause in (own.names or {}).items() if key[0] == name]
            base = known.get(name, NamedProvider(name))
            yield replace(base, models=tuple(mine), model_names=[clause for _, clause in mine])


def _has(priced: PricedModel, kind: Kind) -> bool:
    units = {rate.unit for period in priced.periods for rate in period.rates}
    return "images" in units if kind == "images" else bool(units & {"input_tokens", "output_tokens", "requests"})


class TokenCell(NamedTuple):
    """One price list for requests of more than `tier_from` and at most `tier_to` input tokens; no two cells overlap.

    Rates are of a single token in 10^-24 dollars. `input` and `output` hold for all tokens of their direction, None
    when nothing prices them; the rest is what one token of a subset costs above that, so a cost is a plain sum.
    """

    effective_from: int | None
    effective_to: int | None
    time_from: int
    time_to: int
    tier_from: int
    tier_to: int | None
    request: int
    input: int | None
    cache_read: int
    cache_write_5m: int
    cache_write_1h: int
    audio_input: int
    image_input: int
    output: int | None
    reasoning: int
    audio_output: int
    image_output: int


_SUBSETS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "cache_read": ("input_tokens", ("cache_read_tokens",)),
    "cache_write_5m": ("input_tokens", ("cache_write_5m_tokens", "cache_write_tokens")),
    "cache_write_1h": ("input_tokens", ("cache_write_1h_tokens", "cache_write_tokens")),
    "audio_input": ("input_tokens", ("input_audio_tokens",)),
    "image_input": ("input_tokens", ("input_image_tokens",)),
    "reasoning": ("output_tokens", ("output_reasoning_tokens",)),
    "audio_output": ("output_tokens", ("output_audio_tokens",)),
    "image_output": ("output_tokens", ("output_image_tokens",)),
}
"""Each subset that a call's row has: what it is part of, and the units that price it, the nearest first."""


def token_cells(priced: PricedModel, variant: str = STANDARD) -> Iterator[TokenCell]:
    """The token prices of a model for requests of a variant, by period and tier."""
    for period in priced.charged_as(variant).periods:
        starts = sorted({rate.tier_start for rate in period.rates} | {0})
        for start, end in zip(starts, [*starts[1:], None], strict=True):
            rates = {unit: rate.scaled for unit, rate in in_tier(period.rates, start + 1).items() if unit != "images"}
            if rates.keys() & {"input_tokens", "output_tokens", "requests"}:
                yield _cell(period, -1 if start == 0 else start, end, rates)


def _cell(period: Period, tier_from: int, tier_to: int | None, rates: Mapping[str, int]) -> TokenCell:
    above = {}
    for subset, (whole, units) in _SUBSETS.items():
        base = rates.get(whole, 0)
        above[subset] = next((rates[unit] for unit in units if unit in rates), base) - base
    return TokenCell(
        period.effective_from,
        period.effective_to,
        period.time_from,
        period.time_to,
        tier_from,
        tier_to,
        rates.get("requests", 0),
        rates.get("input_tokens"),
        output=rates.get("output_tokens"),
        **above,
    )


class ImageCell(NamedTuple):
    """The price of one image of a size and quality, each a word, ANY, or None for calls that name none."""

    effective_from: int | None
    effective_to: int | None
    size: str | None
    quality: str | None
    image: int


def image_cells(priced: PricedModel, variant: str = STANDARD) -> Iterator[ImageCell]:
    """The image prices of a model for requests of a variant, by period."""
    for period in priced.charged_as(variant).periods:
        rates: Sequence[Rate] = [rate for rate in period.rates if rate.unit == "images"]
        for rate in rates:
            yield ImageCell(period.effective_from, period.effective_to, rate.size, rate.quality, rate.scaled)
