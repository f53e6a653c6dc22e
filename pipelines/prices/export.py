"""A price table made from the library genai-prices: an extra, imported here only, never at run time of the books.

Its conditions (start dates, hours of the day, request variants) are flattened into periods that never overlap, so that
the table is data alone and anyone can look up a price without knowing the library's order of precedence.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from importlib.metadata import PackageNotFoundError, version
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from billing_core.errors import ConfigurationError
from billing_core.instants import epoch_us
from billing_core.provider_names import NamedProvider
from billing_core.provider_prices import DAY_SECONDS, STANDARD, UNITS, Period, PricedModel, Rate
from pipelines.prices.table import PriceTable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from billing_core.provider_names import Clause

SOURCE = "genai-prices"


class _Cell(NamedTuple):
    """One price list between two dates, `end` exclusive, and between two seconds of the day."""

    start: date | None
    end: date | None
    from_: int
    to: int
    rates: tuple[Rate, ...]


_DIRECT = {"equals": "", "starts_with": "prefix", "ends_with": "suffix", "contains": "contains", "regex": "regex"}


def exported_table(today: date) -> PriceTable:
    """The whole price table of the installed library. ConfigurationError when the extra is not installed."""
    try:
        from genai_prices.data_snapshot import get_snapshot  # noqa: PLC0415 an extra, and half a second

        installed = version(SOURCE)
    except (ImportError, PackageNotFoundError):
        raise ConfigurationError(
            "a new price table is made from the library genai-prices, which is not installed; "
            "run: pip install 'tollbook[prices]'"
        ) from None
    providers = get_snapshot().providers
    return PriceTable(
        source=SOURCE,
        source_version=installed,
        exported_on=today,
        providers=tuple(_named(provider) for provider in sorted(providers, key=lambda provider: str(provider.id))),
        models=tuple(
            PricedModel(provider.id, model.id, tuple(periods(model, installed)))
            for provider in sorted(providers, key=lambda provider: str(provider.id))
            for model in provider.models
        ),
    )


def _named(provider: Any) -> NamedProvider:
    return NamedProvider(
        provider.id,
        _clauses(provider.provider_match),
        _clauses(provider.model_match),
        tuple(provider.fallback_model_providers or ()),
        tuple((model.id, _clauses(model.match)) for model in provider.models),
    )


def _clauses(match: Any) -> Clause:
    """The library's condition as one of ours, its texts in lower case but for regular expressions."""
    if match is None:
        return []
    for ours, attribute in (("any", "or_"), ("all", "and_")):
        parts = getattr(match, attribute, None)
        if parts is not None:
            clauses = [_clauses(part) for part in parts]
            return clauses if ours == "any" else {"all": clauses}
    for attribute, operator in _DIRECT.items():
        text = getattr(match, attribute, None)
        if text is not None:
            return {operator: text if operator == "regex" else text.lower()} if operator else text.lower()
    raise ConfigurationError(f"{SOURCE}: cannot read the match {match!r}; this Tollbook knows version 0.2 of it")


def periods(model: Any, source_version: str) -> Iterator[Period]:
    """Every price list of a model, cut where any condition changes, equal neighbours joined.

    A kind of request has a list of its own only while it differs from the standard one.
    """
    standard = _cells(model, None)
    for variant, context in ((STANDARD, None), *_variants(model)):
        cells = standard if context is None else [cell for cell in _cells(model, context) if cell not in standard]
        for start, end, from_, to, rates in _joined(cells):
            if rates:
                yield Period(rates, _micros(start), _micros(end), from_, to, variant, SOURCE, source_version)


def _cells(model: Any, context: dict[str, str] | None) -> list[_Cell]:
    return [
        _Cell(start, end, from_, to, _rates(model.get_prices(_instant(start, from_, model), context), model.id))
        for start, end in _spans(_dates(model))
        for from_, to in _spans_of_day(_times(model))
    ]


def _variants(model: Any) -> list[tuple[str, dict[str, str]]]:
    """Each kind of request with prices of its own: `batch`, `flex`, `priority` ... by the one word that asks for it."""
    found: dict[str, dict[str, str]] = {}
    for variant in model.price_variants or ():
        if len(variant.when) == 1:
            ((key, word),) = variant.when.items()
            found[word if key in {"processing", "service_tier", "speed"} else f"{key}={word}"] = {key: word}
    return sorted(found.items())


def _conditions(model: Any) -> list[Any]:
    listed = model.prices if isinstance(model.prices, list) else []
    return [one.constraint for one in (*listed, *(model.price_variants or ())) if one.constraint is not None]


def _dates(model: Any) -> list[date]:
    return sorted({one.start_date for one in _conditions(model) if hasattr(one, "start_date")})


def _times(model: Any) -> list[int]:
    cuts = {_second(edge) for one in _conditions(model) if hasattr(one, "start_time") for edge in _edges(one)}
    return sorted(cuts - {0})


def _edges(constraint: Any) -> tuple[time, time]:
    return constraint.start_time, constraint.end_time


def _second(edge: time) -> int:
    moment = datetime.combine(date(2000, 1, 2), edge, edge.tzinfo or UTC).astimezone(UTC)
    return moment.hour * 3600 + moment.minute * 60 + moment.second


def _spans(cuts: list[date]) -> list[tuple[date | None, date | None]]:
    edges: list[date | None] = [None, *cuts, None]
    return list(pairwise(edges))


def _spans_of_day(cuts: list[int]) -> list[tuple[int, int]]:
    edges = [0, *cuts, DAY_SECONDS]
    return list(pairwise(edges))


def _instant(start: date | None, from_: int, model: Any) -> datetime:
    """An instant inside a cell; the cell without a start lies before every date that the model names."""
    dates = _dates(model)
    day = start or (dates[0] - timedelta(days=1) if dates else date(2000, 1, 1))
    return datetime.combine(day, time(from_ // 3600, from_ // 60 % 60, from_ % 60), UTC)


def _rates(prices: Any, model_id: str) -> tuple[Rate, ...]:
    """The price list as rates; a model that is named as free has its zero prices written out."""
    found = [rate for key, price in prices.__dict__.items() if price is not None for rate in _rates_of(key, price)]
    if not found and model_id.endswith((":free", "/free")):
        found = [Rate("input_tokens", 1_000_000, "0"), Rate("output_tokens", 1_000_000, "0")]
    return tuple(sorted(found, key=lambda rate: (rate.unit, rate.tier_start)))


def _rates_of(key: str, price: Any) -> Iterator[Rate]:
    from genai_prices.data_units import unit_data  # noqa: PLC0415 an extra

    unit, per = next((name, int(raw["per"])) for name, raw in unit_data.items() if raw["price_key"] == key)
    if unit in UNITS and UNITS[unit][0] != per:
        raise ConfigurationError(f"{SOURCE}: {unit} is priced per {per} now; this Tollbook expects {UNITS[unit][0]}")
    tiers = getattr(price, "tiers", ())
    yield Rate(unit, per, _text(price.base if tiers else price))
    yield from (Rate(unit, per, _text(tier.price), tier.start) for tier in tiers)


def _text(price: Any) -> str:
    text = f"{price:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _joined(cells: Iterable[_Cell]) -> list[_Cell]:
    """Cells that touch in time and have the same list become one: first along the hours, then along the dates."""
    days: list[_Cell] = []
    for cell in cells:
        last = days[-1] if days else None
        if last and (last.start, last.end, last.to, last.rates) == (cell.start, cell.end, cell.from_, cell.rates):
            days[-1] = last._replace(to=cell.to)
        else:
            days.append(cell)
    joined: dict[tuple[int, int], list[_Cell]] = {}
    for cell in days:
        run = joined.setdefault((cell.from_, cell.to), [])
        if run and run[-1].end == cell.start and run[-1].rates == cell.rates:
            run[-1] = run[-1]._replace(end=cell.end)
        else:
            run.append(cell)
    return [cell for run in joined.values() for cell in run]


def _micros(day: date | None) -> int | None:
    return None if day is None else epoch_us(datetime.combine(day, time(), UTC))
