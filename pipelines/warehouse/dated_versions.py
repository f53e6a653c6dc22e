"""Proof of the dated versions: each names itself by a hash over what it says, none that was read is missing."""

from __future__ import annotations

import tomllib
from dataclasses import fields
from typing import TYPE_CHECKING

from billing_core.money import decimal_text_to_ppm
from billing_core.packages import Package, parse_packages
from billing_core.price_book import parse_price_book
from billing_core.settings import Settings
from pipelines.warehouse.script import rows

if TYPE_CHECKING:
    from collections.abc import Iterable

    import duckdb

_COMPUTED = {"settings_version", "package_version", "effective_to", "stated_from", "multiplier_ppm"}


def altered_versions(
    connection: duckdb.DuckDBPyConnection, rates: Iterable[bytes], packages: Iterable[bytes]
) -> list[dict[str, str]]:
    """Versions of settings and packages that do not hash to their name, or stand in a kept text and not in the books.

    ``rates`` and ``packages`` are the texts that postings were made under. One entry each: table, version, defect.
    """
    settings, sold = _settings(connection), _packages(connection)
    wrong = [_entry("books.system_settings", name, "is altered") for name, version in settings if name != version]
    wrong += [_entry("books.token_pricing", name, "is altered") for name, version in sold if name != version]
    read = [version.settings_version for text in rates for version in _book(text)]
    wrong += _missing("books.system_settings", read, {name for name, _ in settings})
    listed = [version.package_version for text in packages for version in _list(text)]
    return wrong + _missing("books.token_pricing", listed, {name for name, _ in sold})


def _book(text: bytes) -> tuple[Settings, ...]:
    return tuple(parse_price_book(tomllib.loads(text.decode())).settings.versions)


def _list(text: bytes) -> tuple[Package, ...]:
    return parse_packages(tomllib.loads(text.decode()).get("package", []))


def _missing(table: str, wanted: Iterable[str], standing: set[str]) -> list[dict[str, str]]:
    return [_entry(table, name, "is missing") for name in sorted(set(wanted) - standing)]


def _entry(table: str, version: str, defect: str) -> dict[str, str]:
    return {"table": table, "version": version, "defect": defect}


def _settings(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, str]]:
    """(name, hash of what the row says) of each settings version."""
    names = [field.name for field in fields(Settings) if field.name not in _COMPUTED | {"effective_from"}]
    found = rows(
        connection,
        f"SELECT settings_version, epoch_us(effective_from), default_token_multiplier::VARCHAR, {', '.join(names)}"
        " FROM books.system_settings",
    )
    versions = []
    for name, starts, multiplier, *values in found:
        said = dict(zip(names, values, strict=True))
        made = Settings(effective_from=starts, multiplier_ppm=decimal_text_to_ppm(str(multiplier)), **said)  # type: ignore[arg-type]
        versions.append((str(name), made.settings_version))
    return versions


def _packages(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, str]]:
    """(name, hash of what the row says) of each package version."""
    names = [field.name for field in fields(Package) if field.name not in _COMPUTED | {"effective_from"}]
    found = rows(
        connection, f"SELECT package_version, epoch_us(effective_from), {', '.join(names)} FROM books.token_pricing"
    )
    return [
        (str(name), Package(effective_from=starts, **dict(zip(names, values, strict=True))).package_version)  # type: ignore[arg-type]
        for name, starts, *values in found
    ]
