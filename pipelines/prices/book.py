"""The price book of a books folder: its own files where it has them, else those of this release."""

from __future__ import annotations

import tomllib
from functools import lru_cache
from importlib import resources
from typing import TYPE_CHECKING

from billing_core.errors import ConfigurationError
from billing_core.own_prices import OwnPrices, parse_own_prices
from billing_core.provider_price_book import ProviderPriceBook
from pipelines.prices.table import TABLE_NAME, parse_table

if TYPE_CHECKING:
    from pipelines.books.config_models import BooksConfig
    from pipelines.books.folder import BooksFolder

KNOWN_NAME = "prices/known_prices.toml"


def provider_price_texts(folder: BooksFolder, config: BooksConfig) -> dict[str, bytes]:
    """The exact bytes of every price file in force, by name relative to the books folder.

    The release's files stand under the names that a copy of them in the folder would have, so that a rebuild which
    lays the texts out finds them there.
    """
    own = folder.root / config.prices.path
    texts = {config.prices.path: own.read_bytes()} if own.is_file() else {}
    for name, release in ((config.prices.table, TABLE_NAME), (KNOWN_NAME, "known_prices.toml")):
        kept = folder.root / name
        texts[name] = kept.read_bytes() if kept.is_file() else _release(release)
    return texts


def load_provider_prices(folder: BooksFolder, config: BooksConfig) -> ProviderPriceBook:
    """The prices in force. ConfigurationError with file and line or key for what cannot be read."""
    texts = provider_price_texts(folder, config)
    own = texts.get(config.prices.path)
    return _book(own, config.prices.path, texts[KNOWN_NAME], texts[config.prices.table], config.prices.table)


def release_book() -> ProviderPriceBook:
    """The prices of this release alone."""
    return _book(None, "", _release("known_prices.toml"), _release(TABLE_NAME), TABLE_NAME)


def release_text() -> bytes:
    """The price table of this release, as its file holds it."""
    return _release(TABLE_NAME)


@lru_cache(maxsize=4)
def _book(own: bytes | None, own_name: str, known: bytes, table: bytes, table_name: str) -> ProviderPriceBook:
    exported = parse_table(table, table_name)
    written = [_own(text, where) for text, where in ((own, own_name), (known, KNOWN_NAME)) if text is not None]
    models = {(model.provider, model.model): model for model in exported.models}
    return ProviderPriceBook(exported.providers, models, tuple(written))


def _own(text: bytes, where: str) -> OwnPrices:
    try:
        return parse_own_prices(tomllib.loads(text.decode()), where)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{where}: not valid TOML: {error}") from None


@lru_cache(maxsize=2)
def _release(name: str) -> bytes:
    return (resources.files("pipelines.prices") / name).read_bytes()
