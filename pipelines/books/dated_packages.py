"""A package on sale, at a new price, or no longer: always one more `[[package]]` version, never an edited one."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from billing_core.errors import ConfigurationError
from billing_core.instants import utc_text
from pipelines.books.dated_files import Draft, start_us
from pipelines.books.toml_text import with_table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date, datetime

    from billing_core.packages import Package
    from pipelines.books.dated_files import DatedFile
    from pipelines.books.toml_text import TomlValue

_DEFAULTS: Mapping[str, object] = {"is_popular": False, "active": True}


def version_at(packages: Sequence[Package], package_id: str, at_us: int) -> Package | None:
    """The version of a package in force at an instant, on sale or not."""
    found = [package for package in packages if package.package_id == package_id and package.is_in_force(at_us)]
    return found[0] if found else None


def draft_package(
    file: DatedFile,
    packages: Sequence[Package],
    package_id: str,
    given: Mapping[str, TomlValue],
    start: date | datetime | None,
) -> Draft:
    """The file with one more version of a package: what is not `given` is as in the version it follows.

    Raises ConfigurationError for a new package without its name, tokens or price, a later version without a start, or
    a start that a version has already or that lies before the first one.
    """
    known = [package for package in packages if package.package_id == package_id]
    if known and start is None:
        raise ConfigurationError(f"--from: {package_id} is in {file.name} already; say from when the new version holds")
    if not known and (missing := [key for key in ("package_name", "token_amount", "price_cents") if key not in given]):
        options = {"package_name": "--name", "token_amount": "--tokens", "price_cents": "--price-cents"}
        raise ConfigurationError(f"{options[missing[0]]}: missing; {package_id} is a new package")
    base: Package | None = None
    if known:
        assert start is not None, "refused above"
        base = version_at(packages, package_id, start_us(start))
        taken = [package.effective_from for package in known]
        if base is None or start_us(start) in taken:
            why = "begins before the first version of" if base is None else "is the start of a version of"
            raise ConfigurationError(
                f"--from: {utc_text(start_us(start))} {why} {package_id}; name another instant, or edit {file.name}"
            )
    values = {key: value for key, value in {**_stated(base), **given}.items() if _DEFAULTS.get(key) is not value}
    dated: dict[str, TomlValue] = {} if start is None else {"effective_from": start}
    return Draft(
        file,
        with_table(file.text, "package", {"package_id": package_id, **values, **dated}, file.name),
        _what(package_id, {**_stated(base), **given}, base, start),
    )


def require_known(packages: Sequence[Package], package_id: str) -> None:
    """Refuse a package that the file does not hold, with the nearest one. Raises ConfigurationError."""
    ids = sorted({package.package_id for package in packages})
    if package_id not in ids:
        near = difflib.get_close_matches(package_id, ids, n=1)
        hint = f"did you mean {near[0]}?" if near else f"the packages are {', '.join(ids)}"
        raise ConfigurationError(f"PACKAGE: there is no package {package_id!r}; {hint}")


def _stated(base: Package | None) -> dict[str, TomlValue]:
    """The values of a version as a table states them: without its id and start, and without what is the default."""
    if base is None:
        return {}
    values = {key: value for key, value in base.content().items() if key not in {"package_id", "effective_from"}}
    return {
        key: value for key, value in values.items() if isinstance(value, str | int) and _DEFAULTS.get(key) is not value
    }


def _what(package_id: str, values: Mapping[str, TomlValue], base: Package | None, start: date | datetime | None) -> str:
    """One line: every value of a new package, or what differs from the version it follows."""
    before = _stated(base)
    changed = {key: value for key, value in values.items() if before.get(key, _DEFAULTS.get(key)) != value}
    said = ", ".join(f"{key} = {value}" for key, value in changed.items()) or "nothing else"
    when = "" if start is None else f" from {utc_text(start_us(start))}"
    return f"{package_id}: {said}{when}".replace("active = False", "no longer sold").replace(
        "active = True", "sold again"
    )
