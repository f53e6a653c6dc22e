"""The price table as a file: JSON lines, one model a line, so that a new release of it can be read as a diff.

The first line says where the table comes from and per how many of each unit a price is. A line with `provider` and
no `model` says which names a provider goes by; a line with both is one model: the names that match it, its price lists.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from billing_core.errors import ConfigurationError
from billing_core.instants import epoch_us, utc_text
from billing_core.provider_names import NamedProvider
from billing_core.provider_prices import DAY_SECONDS, STANDARD, Period, PricedModel, Rate

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

FORMAT = 1
TABLE_NAME = "provider_prices.jsonl"


@dataclass(frozen=True)
class PriceTable:
    """Every price of one export, and the names that lead to them."""

    source: str
    source_version: str
    exported_on: date
    providers: tuple[NamedProvider, ...]
    models: tuple[PricedModel, ...]


@lru_cache(maxsize=4)
def parse_table(text: bytes, where: str = TABLE_NAME) -> PriceTable:
    """Read a table. ConfigurationError with the line for anything that is not one; nothing is guessed."""
    lines = text.decode().splitlines()
    number = 1
    try:
        head = json.loads(lines[0])
        if head["prices"] != FORMAT:
            raise ConfigurationError(f"{where}, line 1: format {head['prices']}, this Tollbook reads {FORMAT}")
        exported_on = date.fromisoformat(head["exported_on"])
        providers: dict[str, dict[str, Any]] = {}
        models: list[PricedModel] = []
        for line in lines[1:]:
            number += 1
            row = json.loads(line)
            if "model" not in row:
                providers[row["provider"]] = row | {"models": []}
                continue
            models.append(_model(row, head))
            providers[row["provider"]]["models"].append((row["model"], row["match"]))
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise ConfigurationError(
            f"{where}, line {number}: not a line of a price table ({error}); `tollbook prices refresh` writes it anew"
        ) from error
    named = tuple(_named(row) for row in providers.values())
    return PriceTable(head["source"], head["source_version"], exported_on, named, tuple(models))


def _named(row: Mapping[str, Any]) -> NamedProvider:
    return NamedProvider(
        row["provider"], row["names"], row["model_names"], tuple(row["fallback"]), tuple(row["models"])
    )


def _model(row: Mapping[str, Any], head: Mapping[str, Any]) -> PricedModel:
    return PricedModel(row["provider"], row["model"], tuple(_period(entry, head) for entry in row["prices"]))


def _period(entry: Mapping[str, Any], head: Mapping[str, Any]) -> Period:
    hours = entry.get("hours", ("00:00", "24:00"))
    return Period(
        tuple(_rates(entry["usd"], head["per"])),
        _instant(entry.get("from")),
        _instant(entry.get("to")),
        _second(hours[0]),
        _second(hours[1]),
        entry.get("variant", STANDARD),
        entry.get("source", head["source"]),
        entry.get("source_version", head["source_version"]),
    )


def _rates(prices: Mapping[str, Any], per: Mapping[str, int]) -> Iterator[Rate]:
    for unit, price in prices.items():
        tiers = {"0": price} if isinstance(price, str) else price
        for start, usd in tiers.items():
            yield Rate(unit, per[unit], usd, int(start))


def _instant(text: str | None) -> int | None:
    return None if text is None else epoch_us(datetime.fromisoformat(text))


def _second(text: str) -> int:
    hour, minute = text.split(":")
    return int(hour) * 3600 + int(minute) * 60


def table_text(table: PriceTable) -> bytes:
    """The file of a table; the same table gives the same bytes."""
    per = {rate.unit: rate.per for model in table.models for period in model.periods for rate in period.rates}
    head = {
        "prices": FORMAT,
        "source": table.source,
        "source_version": table.source_version,
        "exported_on": table.exported_on.isoformat(),
        "currency": "usd",
        "per": dict(sorted(per.items())),
    }
    by_id = {(model.provider, model.model): model for model in table.models}
    lines: list[dict[str, Any]] = [head]
    for provider in table.providers:
        names = {"names": provider.names, "model_names": provider.model_names, "fallback": provider.fallback}
        lines.append({"provider": provider.provider, **names})
        for model, match in provider.models:
            prices = [_entry(period, table) for period in by_id[provider.provider, model].periods]
            lines.append({"provider": provider.provider, "model": model, "match": match, "prices": prices})
    texts = [json.dumps(line, ensure_ascii=False, separators=(",", ":")) for line in lines]
    return ("\n".join(texts) + "\n").encode()


def _entry(period: Period, table: PriceTable) -> dict[str, Any]:
    entry: dict[str, Any] = {}
    if period.variant != STANDARD:
        entry["variant"] = period.variant
    if period.effective_from is not None:
        entry["from"] = utc_text(period.effective_from)
    if period.effective_to is not None:
        entry["to"] = utc_text(period.effective_to)
    if (period.time_from, period.time_to) != (0, DAY_SECONDS):
        entry["hours"] = [_hour(period.time_from), _hour(period.time_to)]
    if period.source != table.source:
        entry["source"] = period.source
    if period.source_version != table.source_version:
        entry["source_version"] = period.source_version
    units: dict[str, dict[str, str]] = {}
    for rate in period.rates:
        units.setdefault(rate.unit, {})[str(rate.tier_start)] = rate.usd
    entry["usd"] = {unit: tiers["0"] if set(tiers) == {"0"} else tiers for unit, tiers in units.items()}
    return entry


def _hour(second: int) -> str:
    return f"{second // 3600:02d}:{second // 60 % 60:02d}"
