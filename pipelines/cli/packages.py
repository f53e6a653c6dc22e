"""`tollbook packages`: what is for sale when, and a package added, repriced or retired from a day on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from billing_core.errors import ConfigurationError
from pipelines.cli import changes, dates
from pipelines.cli.admin import Actor, Reason
from pipelines.cli.invocation import of
from pipelines.cli.output import Column
from pipelines.cli.text import cents

if TYPE_CHECKING:
    from billing_core.packages import Package
    from pipelines.books.admin_journal import AdminEntry
    from pipelines.books.toml_text import TomlValue
    from pipelines.cli.invocation import Invocation
    from pipelines.cli.output import Page

NAME = "packages"
group = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="List the token packages; add, reprice or retire one from a day on.",
)

PackageId = Annotated[str, typer.Argument(metavar="PACKAGE", help="Its package_id.")]
Retroactive = Annotated[
    bool, typer.Option("--retroactive", help="Allow a start before purchases that are posted; they stay as they are.")
]


@group.command("list")
def list_packages(
    context: typer.Context,
    at: Annotated[str | None, typer.Option("--at", metavar="WHEN", help="A day or an instant; now by default.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Every version: past, coming and retired.")] = False,
) -> None:
    """List the packages on sale at an instant, as packages.toml has them."""
    from billing_core.instants import utc_text
    from billing_core.packages import packages_at
    from pipelines.books.config import load_packages

    invocation = of(context)
    folder = invocation.folder()
    packages = load_packages(folder, invocation.config(folder))
    when = changes.instant_us(at)
    listed = packages if every else packages_at(packages, when)
    rows = [_to_json(package) for package in listed]
    entries = changes.journalled(folder, "packages") if every else []

    def render(page: Page) -> None:
        if not rows:
            page.line(f"nothing is on sale at {utc_text(when)}")
        right = [Column(name, right=True) for name in ("Tokens", "USD", "EUR", "GBP")]
        last = ["On sale", "From"] if every else [Column("USD per million", right=True)]
        page.table(["Package", *([] if every else ["Name"]), *right, *last], [_row(row, every) for row in rows])
        if every:
            changes.show_journalled(page, entries)

    document: dict[str, object] = {"at": None if every else utc_text(when), "packages": rows}
    invocation.output.result({**document, "changes": entries} if every else document, render)


@group.command()
def add(
    context: typer.Context,
    package: PackageId,
    *,
    actor: Actor,
    reason: Reason,
    name: Annotated[str | None, typer.Option("--name", help="What customers read.")] = None,
    tokens: Annotated[int | None, typer.Option("--tokens", min=1, help="Tokens it holds.")] = None,
    price_cents: Annotated[int | None, typer.Option("--price-cents", min=0, help="Price in US cents.")] = None,
    price_eur: Annotated[int | None, typer.Option("--price-eur", min=0, help="Price in euro cents.")] = None,
    price_gbp: Annotated[int | None, typer.Option("--price-gbp", min=0, help="Price in pence.")] = None,
    description: Annotated[str | None, typer.Option("--description", help="A line about it.")] = None,
    popular: Annotated[bool | None, typer.Option("--popular/--not-popular", help="Whether it is marked.")] = None,
    sort_order: Annotated[int | None, typer.Option("--sort-order", min=0, help="Its place, from 1.")] = None,
    stripe_price: Annotated[str | None, typer.Option("--stripe-price", help="Its Stripe price id.")] = None,
    start: Annotated[
        str | None,
        typer.Option("--from", metavar="WHEN", help="First day (UTC) or instant; required for a new version."),
    ] = None,
    retroactive: Retroactive = False,
) -> None:
    """Add a package, or a new version of one: what is not named stays as in the version before."""
    values = {
        "package_name": name, "token_amount": tokens, "price_cents": price_cents, "price_eur": price_eur,
        "price_gbp": price_gbp, "description": description, "is_popular": popular, "sort_order": sort_order,
        "stripe_price_id": stripe_price,
    }  # fmt: skip
    given: dict[str, TomlValue] = {key: value for key, value in values.items() if value is not None}
    invocation = of(context)
    _change(invocation, package, {**given, "active": True}, start, actor, reason, retroactive=retroactive)


@group.command()
def retire(
    context: typer.Context,
    package: PackageId,
    start: Annotated[
        str, typer.Option("--from", metavar="WHEN", help="First day (UTC) or instant without it. Required.")
    ],
    actor: Actor,
    reason: Reason,
    retroactive: Retroactive = False,
) -> None:
    """Take a package off sale from a day on; what was sold stays sold."""
    _change(of(context), package, {"active": False}, start, actor, reason, retroactive=retroactive)


def _change(
    invocation: Invocation,
    package_id: str,
    given: dict[str, TomlValue],
    start: str | None,
    actor: str,
    reason: str,
    *,
    retroactive: bool,
) -> None:
    """Draft, prove, guard, journal and replace, under the lock."""
    from pipelines.books.config import load_packages
    from pipelines.books.dated_files import last_change, packages_file, packages_of, put_in_place, start_us
    from pipelines.books.dated_packages import draft_package, require_known, version_at
    from pipelines.books.lock import hold_books

    folder = invocation.folder()
    config = invocation.config(folder)
    begins = None if start is None else dates.moment("--from", start)
    with hold_books(folder.lock, "tollbook packages"):
        packages = load_packages(folder, config)
        if given.get("active") is False:
            require_known(packages, package_id)
        file = packages_file(folder, config)
        at_us = changes.instant_us(None) if begins is None else start_us(begins)
        before = version_at(packages, package_id, at_us)
        if before is not None and given.items() <= before.content().items():
            by_entry = changes.by_entry(file, last_change(folder, file))
            raise ConfigurationError(f"{package_id} is exactly that already{by_entry}; nothing was changed")
        draft = draft_package(file, packages, package_id, given, begins)
        after = packages_of(folder, config, draft.after, draft.file.name)
        fresh = version_at(after, package_id, at_us)
        assert fresh is not None, "the draft holds a version from that instant on"
        if begins is not None:
            _require_unsold(invocation, package_id, at_us, allowed=retroactive)
        placed = put_in_place(folder, draft, actor=actor, reason=reason)
    changes.warn_of_announced(invocation.output, placed)
    _tell(invocation, fresh, placed.entry, draft.what)


def _require_unsold(invocation: Invocation, package_id: str, at_us: int, *, allowed: bool) -> None:
    count = changes.purchases_since(invocation.folder(), package_id, at_us)
    if count and not allowed:
        raise ConfigurationError(
            f"--from: {count:,} posted purchases of {package_id} happened since then, at the terms of before. Name a "
            "later start, or allow it with --retroactive. Nothing was changed."
        )
    if count:
        invocation.output.warn(f"{count:,} posted purchases of {package_id} since the start stay as they are")


def _tell(invocation: Invocation, fresh: Package, entry: AdminEntry, what: str) -> None:
    def render(page: Page) -> None:
        page.line(what)
        changes.show_entry(page, entry)

    invocation.output.result({"package": _to_json(fresh), **changes.to_json(entry)}, render)


def _to_json(package: Package) -> dict[str, Any]:
    from billing_core.instants import utc_text

    ends = package.effective_to
    return {
        **package.content(),
        "effective_to": None if ends is None else utc_text(ends),
        "package_version": package.package_version,
        "usd_cents_per_million_tokens": str(_per_million(package)),
    }


def _per_million(package: Package) -> object:
    """US cents per million tokens: exact where it ends within six decimals, rounded half to even else."""
    from decimal import ROUND_HALF_EVEN, Decimal

    exact = Decimal(package.price_cents * 1_000_000) / Decimal(package.token_amount)
    return exact.quantize(Decimal("0.01"), ROUND_HALF_EVEN)


def _row(row: dict[str, Any], every: bool) -> tuple[object, ...]:
    from decimal import Decimal

    currencies = (("price_cents", "usd"), ("price_eur", "eur"), ("price_gbp", "gbp"))
    prices = [None if row[key] is None else cents(row[key], currency) for key, currency in currencies]
    if every:
        begins = (row["effective_from"] or "always").removesuffix("T00:00:00Z")
        return (row["package_id"], row["token_amount"], *prices, row["active"], begins)
    per_million = f"{Decimal(row['usd_cents_per_million_tokens']) / 100:,.2f}"
    return (row["package_id"], row["package_name"], row["token_amount"], *prices, per_million)
