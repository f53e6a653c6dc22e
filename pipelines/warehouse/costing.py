"""Prices for the calls of a posting: each distinct model is looked up once, its price list laid out for a join.

What was looked up, and every price that it led to, stays in the books: books.provider_models and books.provider_prices
are enough to recompute any cost without the price files.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from billing_core.provider_price_book import image_cells, token_cells
from pipelines.warehouse.script import rows, run_script

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import duckdb

    from billing_core.provider_price_book import Kind, ProviderPriceBook
    from billing_core.provider_prices import PricedModel

_NAMES = """
SELECT DISTINCT provider, model, cost_kind(total_tokens, image_count), coalesce(service_tier, 'standard')
FROM classified_usage WHERE disposition = 'accepted'
"""


def price_usage(connection: duckdb.DuckDBPyConnection, book: ProviderPriceBook, posting_id: int) -> None:
    """Look up every model of ``classified_usage`` and make the view ``costed_usage`` of its rows with their cost."""
    called = [((provider, model, kind), tier) for provider, model, kind, tier in connection.execute(_NAMES).fetchall()]
    found = {name: book.find(*name) for name, _ in called}
    priced = {name: one.priced for name, one in found.items() if one.priced is not None}
    lists = [_List(*name, tier, priced[name]) for name, tier in called if name in priced]
    cells = {
        "token_cells": json.dumps([cell for one in lists if one.kind == "tokens" for cell in _token_cells(one)]),
        "image_cells": json.dumps([cell for one in lists if one.kind == "images" for cell in _image_cells(one)]),
    }
    run_script(connection, "posting/03_costed_usage.sql", cells)
    kept = {
        "found": json.dumps([_lookup(name, one.priced, one.reason) for name, one in found.items()]),
        "prices": json.dumps(list(_new_prices(connection, priced.values()))),
        "posting_id": posting_id,
    }
    run_script(connection, "posting/03_kept_prices.sql", kept)


class _List(NamedTuple):
    """Which price list the calls of a model have, as logged: model and tier."""

    provider: str | None
    model: str | None
    kind: Kind
    service_tier: str
    priced: PricedModel

    @property
    def named(self) -> dict[str, str | None]:
        """What a call is joined by."""
        return {"provider": self.provider, "model": self.model, "service_tier": self.service_tier}


def _token_cells(one: _List) -> Iterator[dict[str, Any]]:
    for cell in token_cells(one.priced, one.service_tier):
        rates = {key: _whole(value) for key, value in cell._asdict().items()}
        yield {**rates, **one.named, "day_second_from": cell.time_from, "day_second_to": cell.time_to}


def _image_cells(one: _List) -> Iterator[dict[str, Any]]:
    for cell in image_cells(one.priced, one.service_tier):
        yield {
            **one.named,
            "effective_from": cell.effective_from,
            "effective_to": cell.effective_to,
            "image_size": cell.size,
            "image_quality": cell.quality,
            "image": str(cell.image),
        }


def _whole(value: object) -> object:
    """A number as its digits: JSON numbers beyond 64 bits would be read as doubles."""
    return str(value) if isinstance(value, int) else value


def _lookup(
    name: tuple[str | None, str | None, Kind], priced: PricedModel | None, reason: str | None
) -> dict[str, object]:
    return {
        "provider": name[0],
        "model": name[1],
        "kind": name[2],
        "priced_provider": priced.provider if priced else None,
        "priced_model": priced.model if priced else None,
        "price_version": priced.price_version if priced else None,
        "reason": reason,
    }


def _new_prices(connection: duckdb.DuckDBPyConnection, priced: Iterable[PricedModel]) -> Iterator[dict[str, object]]:
    """The rows of the price lists that the books do not hold yet."""
    known = {version for (version,) in rows(connection, "SELECT DISTINCT price_version FROM books.provider_prices")}
    for version, model in {model.price_version: model for model in priced}.items():
        for period in model.periods if version not in known else ():
            for rate in period.rates:
                is_image = rate.unit == "images"
                yield {
                    "provider": model.provider,
                    "model": model.model,
                    "price_version": version,
                    "unit": rate.unit,
                    "per": rate.per,
                    "price_usd": rate.usd,
                    "tier_start": rate.tier_start,
                    "image_size": rate.size if is_image else None,
                    "image_quality": rate.quality if is_image else None,
                    "variant": period.variant,
                    "effective_from": period.effective_from,
                    "effective_to": period.effective_to,
                    "day_second_from": period.time_from,
                    "day_second_to": period.time_to,
                    "source": period.source,
                    "source_version": period.source_version,
                }
