"""A new price table for a books folder: the library's prices merged over the table in force."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time
from typing import TYPE_CHECKING

from billing_core.instants import epoch_us
from billing_core.price_history import merged
from billing_core.provider_prices import UNITS
from pipelines.books.objects import fsync_folder
from pipelines.prices.book import provider_price_texts
from pipelines.prices.export import exported_table
from pipelines.prices.table import PriceTable, parse_table, table_text

if TYPE_CHECKING:
    from pathlib import Path

    from pipelines.books.config_models import BooksConfig
    from pipelines.books.folder import BooksFolder


@dataclass(frozen=True)
class Refreshed:
    """What a refresh did; `changed`, `added` and `dropped` are (provider, model)."""

    path: Path
    table: PriceTable
    added: tuple[tuple[str, str], ...]
    changed: tuple[tuple[str, str], ...]
    dropped: tuple[tuple[str, str], ...]


def refresh(folder: BooksFolder, config: BooksConfig, now: datetime) -> Refreshed:
    """Write the table that holds from now on, beside the books' other files; nothing posted changes.

    ConfigurationError when the library is not installed or the table in force cannot be read.
    """
    old = parse_table(provider_price_texts(folder, config)[config.prices.table], config.prices.table)
    new = exported_table(now.astimezone(UTC).date())
    table = merged_table(old, new, epoch_us(now))
    for model in table.models:
        for period in model.periods:
            _ = [rate.scaled for rate in period.rates if rate.unit in UNITS]
    path = folder.root / config.prices.table
    _write(path, table_text(table))
    before = {(model.provider, model.model): model.price_version for model in old.models}
    after = {(model.provider, model.model): model.price_version for model in table.models}
    listed = {(model.provider, model.model) for model in new.models}
    return Refreshed(
        path,
        table,
        added=tuple(sorted(after.keys() - before.keys())),
        changed=tuple(sorted(key for key in before.keys() & after.keys() if before[key] != after[key])),
        dropped=tuple(sorted(before.keys() - listed)),
    )


def merged_table(old: PriceTable, new: PriceTable, fetched_us: int) -> PriceTable:
    """The new export with the history of the old table; models that the export dropped stay where they were."""
    exported_us = epoch_us(datetime.combine(old.exported_on, time(), UTC))
    before = {(model.provider, model.model): model for model in old.models}
    after = {(model.provider, model.model): model for model in new.models}
    models = [
        merged(before.get(key), after.get(key), exported_us=exported_us, fetched_us=fetched_us)
        for key in dict.fromkeys([*after, *before])
    ]
    named = {provider.provider: provider for provider in new.providers}
    for provider in old.providers:
        fresh = named.get(provider.provider, replace(provider, models=()))
        kept = [model for model in provider.models if model[0] not in dict(fresh.models)]
        named[provider.provider] = replace(fresh, models=(*fresh.models, *kept))
    return replace(new, providers=tuple(named.values()), models=tuple(models))


def _write(path: Path, text: bytes) -> None:
    """The whole file or none of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.new")
    with fresh.open("wb") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    fsync_folder(path.parent)
