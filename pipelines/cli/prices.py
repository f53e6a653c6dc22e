"""`tollbook prices`: what calls cost at their provider, which prices are used, and a new price table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from billing_core.errors import ConfigurationError
from pipelines.cli.invocation import of
from pipelines.cli.output import Column

if TYPE_CHECKING:
    from billing_core.provider_prices import Period, PricedModel, Rate
    from pipelines.cli.output import Page

NAME = "prices"
group = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Provider prices: what was used, what a model costs, and a new table.",
)
_USED = """
SELECT names.provider, names.model, names.kind, names.priced_provider, names.priced_model, names.price_version,
    names.reason
FROM books.provider_models AS names
QUALIFY row_number() OVER (PARTITION BY provider, model, kind ORDER BY posting_id DESC) = 1
ORDER BY reason IS NULL, provider, model, kind
"""
_NAMED = 10


@group.command("list")
def list_used(context: typer.Context) -> None:
    """List the models of posted calls and whose prices they have; those without one come first."""
    from pipelines.current_copy import open_current
    from reports.published import table

    invocation = of(context)
    with open_current(invocation.folder().published) as reader:
        rows = table(reader, _USED, {})

    def render(page: Page) -> None:
        page.table(
            ["Provider", "Model", "Priced by", "Prices of", "Version"],
            [
                [
                    row["provider"],
                    row["model"],
                    row["kind"],
                    _place(row) or f"none: {row['reason']}",
                    row["price_version"],
                ]
                for row in rows
            ],
        )

    invocation.output.result({"models": rows}, render)


def _place(row: dict[str, Any]) -> str | None:
    return f"{row['priced_provider']} {row['priced_model']}" if row["priced_model"] else None


@group.command()
def show(
    context: typer.Context,
    model: Annotated[str, typer.Argument(metavar="MODEL", help="The model as a log names it.")],
    provider: Annotated[str | None, typer.Option("--provider", help="Its provider as the log names it.")] = None,
) -> None:
    """Show which prices a model name leads to, with every date, hour and tier."""
    from pipelines.prices.book import load_provider_prices

    invocation = of(context)
    folder = invocation.folder()
    book = load_provider_prices(folder, invocation.config(folder))
    found = [(kind, book.find(provider, model, kind)) for kind in ("tokens", "images")]
    priced = [one.priced for _, one in found if one.priced is not None]
    if not priced:
        asked = f"--provider {provider}: " if provider else ""
        raise ConfigurationError(
            f"{asked}{model}: no price ({found[0][1].reason}); an [[alias]] or [[price]] in "
            f"{invocation.config(folder).prices.path} gives it one"
        )
    models = list({model.price_version: model for model in priced}.values())

    def render(page: Page) -> None:
        for one in models:
            page.heading(f"{one.provider} {one.model}, version {one.price_version}")
            columns: list[Column | str] = ["Kind", "From", "Until", "Hours (UTC)", Column("Price in USD", wrap=True)]
            page.table(columns, [_line(period) for period in one.periods])
            sources = sorted({f"{period.source} {period.source_version}".strip() for period in one.periods})
            page.line(f"source: {', '.join(sources)}")

    invocation.output.result({"models": [_to_json(one) for one in models]}, render)


def _line(period: Period) -> list[object]:
    edges = (period.effective_from, period.effective_to)
    dates = [None if edge is None else _day(edge) for edge in edges]
    return [period.variant, *dates, _hours(period), "\n".join(_rate(rate) for rate in period.rates)]


def _day(instant_us: int) -> str:
    from billing_core.instants import utc_text

    return utc_text(instant_us).removesuffix("T00:00:00Z")


def _rate(rate: Rate) -> str:
    if rate.unit == "images":
        of = " ".join(word or "unnamed" for word in dict.fromkeys((rate.size, rate.quality)) if word != "*")
        return f"{rate.usd} per image {of}".rstrip()
    over = f" above {rate.tier_start:,} input tokens" if rate.tier_start else ""
    return f"{rate.usd} per {rate.per:,} {rate.unit}{over}"


def _hours(period: Period) -> str | None:
    edges = (period.time_from, period.time_to)
    return None if edges == (0, 86_400) else "-".join(f"{s // 3600:02d}:{s // 60 % 60:02d}" for s in edges)


def _to_json(model: PricedModel) -> dict[str, object]:
    from dataclasses import asdict

    from billing_core.instants import utc_text

    periods = [asdict(period) for period in model.periods]
    for period in periods:
        for key in ("effective_from", "effective_to"):
            period[key] = None if period[key] is None else utc_text(period[key])
    return {"provider": model.provider, "model": model.model, "version": model.price_version, "prices": periods}


@group.command("refresh")
def refresh_table(context: typer.Context) -> None:
    """Make a new price table from the installed genai-prices; it holds for calls posted afterwards."""
    from pipelines.books import clock
    from pipelines.books.lock import hold_books
    from pipelines.prices.refresh import refresh

    invocation = of(context)
    folder = invocation.folder()
    config = invocation.config(folder)
    with hold_books(folder.lock, "tollbook prices refresh"):
        done = refresh(folder, config, clock.now())
    names = {"added": done.added, "changed": done.changed, "dropped": done.dropped}

    def render(page: Page) -> None:
        page.line(
            f"{done.path} holds {len(done.table.models):,} models of {done.table.source} {done.table.source_version}"
        )
        for what, models in names.items():
            more = f" and {len(models) - _NAMED:,} more" if len(models) > _NAMED else ""
            listed = ", ".join(" ".join(model) for model in models[:_NAMED])
            page.line(f"  {what:<8}{len(models):>6,}  {listed}{more}")
        page.line("calls posted from now on are priced by it; posted costs stay as they are")

    invocation.output.result(
        {
            "path": str(done.path),
            "models": len(done.table.models),
            "source": done.table.source,
            "source_version": done.table.source_version,
            **{
                what: [{"provider": provider, "model": model} for provider, model in found]
                for what, found in names.items()
            },
        },
        render,
    )
