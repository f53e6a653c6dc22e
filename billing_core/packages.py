"""Effective-dated token packages: what is for sale, for how many tokens, at which price."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING

from billing_core.errors import ConfigurationError
from billing_core.instants import utc_text
from billing_core.toml_tables import Table, content_version, read_tables

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_SORT_ORDER_MAX = 2**31 - 1


@dataclass(frozen=True, kw_only=True)
class Package:
    """One version of a package, on sale from `effective_from` (inclusive) to `effective_to` (exclusive).

    Times are epoch microseconds, None without limit. `price_cents` is US cents, `price_eur` and `price_gbp` are
    euro cents and pence, None where the package is not sold in that currency.
    """

    package_id: str
    package_name: str
    token_amount: int
    price_cents: int
    price_eur: int | None = None
    price_gbp: int | None = None
    description: str | None = None
    is_popular: bool = False
    sort_order: int = 1
    stripe_price_id: str | None = None
    active: bool = True
    effective_from: int | None = None
    effective_to: int | None = None
    package_version: str = field(init=False, compare=False)

    def __post_init__(self) -> None:
        """Name the version by what it says; a copy made with `replace` is named anew."""
        object.__setattr__(self, "package_version", content_version(self.content()))

    def content(self) -> dict[str, object]:
        """What the version hash covers: every value and `effective_from`, not how the version ends."""
        outside = {"package_version", "effective_to"}
        kept = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in outside}
        starts = None if self.effective_from is None else utc_text(self.effective_from)
        return kept | {"effective_from": starts}

    def is_in_force(self, instant_us: int) -> bool:
        """Whether this version holds at an instant in epoch microseconds, be it on sale or not."""
        starts_by_then = self.effective_from is None or self.effective_from <= instant_us
        return starts_by_then and (self.effective_to is None or instant_us < self.effective_to)


SEED_PACKAGES = tuple(
    Package(package_id=name.lower(), package_name=name, token_amount=tokens, price_cents=cents, sort_order=order)
    for order, (name, tokens, cents) in enumerate(
        [
            ("Starter", 150_000, 1_500),
            ("Pro", 750_000, 6_500),
            ("Business", 2_250_000, 17_500),
            ("Enterprise", 7_500_000, 50_000),
        ],
        start=1,
    )
)
"""The packages of books without a packages file."""

_KEYS = frozenset(SEED_PACKAGES[0].content())


def parse_packages(tables: Sequence[Mapping[str, object]], where: str = "packages.toml") -> tuple[Package, ...]:
    """Read `[[package]]` tables as parsed from TOML, by sort order, then id, then start; no table: the seed packages.

    Each table is a whole version: a key left out has its default (not the value of an earlier version), so that an
    absent price_eur always means "not sold in euro". Tables of one package_id are its versions, each ends where the
    next one starts; only the first of them in the file may leave `effective_from` out, which means "always".
    `sort_order` defaults to the place of the package in the file, from 1.
    Anything unknown, missing, untyped, negative or dated twice is a ConfigurationError with `where`, table and key.
    """
    numbered = read_tables(tables, "package", where, _KEYS)
    if not numbered:
        return SEED_PACKAGES
    by_id: dict[str, list[Table]] = {}
    for table in numbered:
        by_id.setdefault(table.required_text("package_id"), []).append(table)
    packages = [
        version for place, versions in enumerate(by_id.values(), start=1) for version in _versions(versions, place)
    ]
    return tuple(sorted(packages, key=lambda p: (p.sort_order, p.package_id, _sort_key(p))))


def packages_at(packages: Sequence[Package], instant_us: int) -> tuple[Package, ...]:
    """The packages on sale at an instant in epoch microseconds, in the order given."""
    return tuple(package for package in packages if package.active and package.is_in_force(instant_us))


def _versions(tables: list[Table], place: int) -> list[Package]:
    """The versions of one package in force order, each ended by the next."""
    dated: dict[int | None, Table] = {}
    for table in tables:
        start = table.instant("effective_from")
        if start in dated:
            raise _dated_twice(dated[start], table, start)
        if start is None and dated:
            raise table.refusal("effective_from", "missing; a later version of a package needs its first day")
        dated[start] = table
    versions = sorted((_package(table, place) for table in tables), key=_sort_key)
    ends = [version.effective_from for version in versions[1:]]
    return [replace(version, effective_to=end) for version, end in zip(versions, [*ends, None], strict=True)]


def _sort_key(package: Package) -> tuple[bool, int]:
    return (package.effective_from is not None, package.effective_from or 0)


def _dated_twice(one: Table, other: Table, start: int | None) -> ConfigurationError:
    when = "no effective_from" if start is None else f"effective_from {utc_text(start)}"
    return ConfigurationError(
        f"{one.where}: [[package]] tables {one.number} and {other.number} both describe package "
        f"{one.values['package_id']!r} with {when}; give one another date or id, or remove it"
    )


def _package(table: Table, place: int) -> Package:
    return Package(
        package_id=table.required_text("package_id"),
        package_name=table.required_text("package_name"),
        token_amount=table.required_whole("token_amount", minimum=1),
        price_cents=table.required_whole("price_cents"),
        price_eur=table.optional_whole("price_eur"),
        price_gbp=table.optional_whole("price_gbp"),
        description=table.text("description"),
        is_popular=table.flag("is_popular", default=False),
        sort_order=table.whole("sort_order", place, maximum=_SORT_ORDER_MAX),
        stripe_price_id=table.text("stripe_price_id"),
        active=table.flag("active", default=True),
        effective_from=table.instant("effective_from"),
    )
