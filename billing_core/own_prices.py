"""Prices and names that people write themselves: image prices, contract prices, deployment names, in `prices.toml`.

A `[[price]]` is one dated price of one unit of a model; an `[[alias]]` says which model of the price table a logged
name means. What stands here wins over the price table.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from billing_core.errors import ConfigurationError
from billing_core.instants import utc_text
from billing_core.provider_prices import ANY, UNITS, Period, PricedModel, Rate, variant_of
from billing_core.toml_tables import Table, read_tables

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from billing_core.provider_names import Clause

_PRICE_KEYS = frozenset(
    {
        "provider",
        "model",
        "names",
        "unit",
        "usd",
        "size",
        "quality",
        "service_tier",
        "default",
        "tier_start",
        "effective_from",
        "source",
    }
)
_ALIAS_KEYS = frozenset({"provider", "model", "is_provider", "is_model"})


@dataclass(frozen=True)
class OwnPrices:
    """Models with prices of their own, in file order, the names that match each, and the aliases of names.

    `names` is by (provider, model). `aliases` maps (provider, model) as logged, lower case, "*" for any provider;
    `provider_aliases` maps whole providers, a gateway's to "".
    """

    models: tuple[PricedModel, ...] = ()
    names: Mapping[tuple[str, str], Clause] | None = None
    aliases: Mapping[tuple[str, str], tuple[str, str]] | None = None
    provider_aliases: Mapping[str, str] | None = None


@dataclass(frozen=True)
class _Price:
    """One `[[price]]` table, read."""

    table: Table
    key: tuple[str, str]
    rate: Rate
    starts: int | None
    source: str
    is_default: bool
    variant: str

    @property
    def dimension(self) -> tuple[object, ...]:
        return (self.variant, self.rate.unit, self.rate.tier_start, self.rate.size, self.rate.quality)


def parse_own_prices(document: Mapping[str, object], where: str) -> OwnPrices:
    """Read `[[price]]` and `[[alias]]` tables as parsed from TOML.

    A price holds from its `effective_from` (always, if left out) until the next one of the same service tier, unit,
    tier, size and quality. Anything unknown, missing, untyped or dated twice is a ConfigurationError with `where`,
    table and key.
    """
    if unknown := sorted(document.keys() - {"price", "alias"}):
        raise ConfigurationError(f"{where}: {unknown[0]}: unknown key; expected only [[price]] and [[alias]] tables")
    tables = read_tables(document.get("price", ()), "price", where, _PRICE_KEYS)
    by_model: dict[tuple[str, str], list[_Price]] = defaultdict(list)
    names: dict[tuple[str, str], list[str]] = defaultdict(list)
    for table in tables:
        price = _price(table)
        by_model[price.key].append(price)
        names[price.key] += [name for name in _names(table) if name not in names[price.key]]
    aliases, provider_aliases = _aliases(read_tables(document.get("alias", ()), "alias", where, _ALIAS_KEYS))
    return OwnPrices(
        tuple(PricedModel(*key, tuple(_periods(prices))) for key, prices in by_model.items()),
        {key: [_clause(name) for name in found or [key[1]]] for key, found in names.items()},
        aliases,
        provider_aliases,
    )


def _price(table: Table) -> _Price:
    unit = table.word("unit", sorted(UNITS), "images")
    size, quality = (table.text(key, ANY) or ANY for key in ("size", "quality"))
    rate = Rate(
        unit,
        UNITS[unit][0],
        table.required_text("usd"),
        table.whole("tier_start", 0),
        size.lower() if unit == "images" else ANY,
        quality.lower() if unit == "images" else ANY,
    )
    try:
        _ = rate.scaled
    except ConfigurationError as error:
        raise table.refusal("usd", f'{error}; write dollars as text, such as "0.04"') from None
    return _Price(
        table,
        (table.required_text("provider").lower(), table.required_text("model").lower()),
        rate,
        table.instant("effective_from"),
        table.text("source") or table.where,
        table.flag("default", default=False),
        variant_of(table.text("service_tier")),
    )


def _names(table: Table) -> list[str]:
    found = table.values.get("names", [])
    if not isinstance(found, list) or not all(isinstance(name, str) and name for name in found):
        raise table.refusal("names", 'write a list of texts, such as ["imagen-4.0-generate-*"]')
    return found


def _clause(name: str) -> Clause:
    lowered = name.lower()
    return {"prefix": lowered[:-1]} if lowered.endswith("*") else lowered


def _periods(prices: Sequence[_Price]) -> Iterator[Period]:
    """The price lists of each service tier between the instants at which any price of it starts."""
    _require_distinct(prices)
    for variant in dict.fromkeys(price.variant for price in prices):
        yield from _periods_of(variant, [price for price in prices if price.variant == variant])


def _periods_of(variant: str, prices: Sequence[_Price]) -> Iterator[Period]:
    starts = sorted({price.starts for price in prices}, key=lambda start: (start is not None, start or 0))
    for start, end in zip(starts, [*starts[1:], None], strict=True):
        latest: dict[tuple[object, ...], _Price] = {}
        for price in sorted(prices, key=lambda price: (price.starts is not None, price.starts or 0)):
            if price.starts is None or (start is not None and price.starts <= start):
                latest[price.dimension] = price
        rates = [rate for price in latest.values() for rate in _also_unnamed(price.rate, list(latest.values()))]
        source = next(iter(latest.values())).source
        yield Period(tuple(rates), start, end, variant=variant, source=source)


def _require_distinct(prices: Sequence[_Price]) -> None:
    seen: dict[tuple[object, ...], _Price] = {}
    for price in prices:
        other = seen.setdefault((*price.dimension, price.starts), price)
        if other is not price:
            since = "always" if price.starts is None else f"from {utc_text(price.starts)}"
            raise price.table.refusal("usd", f"[[price]] table {other.table.number} prices the same {since}; drop one")
    for column in ("size", "quality"):
        words = {getattr(price.rate, column) for price in prices if price.rate.unit == "images"}
        if ANY in words and len(words) > 1:
            raise prices[-1].table.refusal(column, f"some images of {prices[0].key[1]} have one, some none; name all")


def _also_unnamed(rate: Rate, prices: Sequence[_Price]) -> Iterator[Rate]:
    """The rate, and again for calls that do not name the size or quality which the API takes by default."""
    default = next((price.rate for price in prices if price.is_default), None)
    sizes: list[str | None] = [rate.size, None] if default and default.size == rate.size != ANY else [rate.size]
    qualities: list[str | None] = [rate.quality]
    if default and default.quality == rate.quality != ANY:
        qualities.append(None)
    for size in sizes:
        for quality in qualities:
            yield Rate(rate.unit, rate.per, rate.usd, rate.tier_start, size, quality)


def _aliases(tables: Sequence[Table]) -> tuple[dict[tuple[str, str], tuple[str, str]], dict[str, str]]:
    models: dict[tuple[str, str], tuple[str, str]] = {}
    providers: dict[str, str] = {}
    for table in tables:
        provider = table.required_text("provider").lower()
        model = table.text("model")
        if model is None:
            target = table.values.get("is_provider")
            if not isinstance(target, str):
                raise table.refusal("is_provider", 'write the provider that this name means, "" for a gateway')
            providers[provider] = target.lower()
        else:
            models[provider, model.lower()] = (
                table.required_text("is_provider").lower(),
                table.required_text("is_model"),
            )
    return models, providers
