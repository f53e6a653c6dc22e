"""`tollbook settings`: what holds when, who changed it, and a change from a day on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from billing_core.errors import ConfigurationError
from pipelines.cli import changes, dates
from pipelines.cli.admin import Actor, Reason
from pipelines.cli.invocation import of
from pipelines.cli.output import Column
from pipelines.cli.text import instant, plural

if TYPE_CHECKING:
    from billing_core.settings import Settings, SettingsBook
    from pipelines.cli.output import Page

NAME = "settings"
group = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Show the settings in force, their history; set one from a day on.",
)


@group.command()
def show(
    context: typer.Context,
    at: Annotated[str | None, typer.Option("--at", metavar="WHEN", help="A day or an instant; now by default.")] = None,
) -> None:
    """Show the settings in force at an instant, as rates.toml has them."""
    from billing_core.instants import utc_text
    from pipelines.books.config import load_settings
    from pipelines.books.dated_files import rates_file

    invocation = of(context)
    folder = invocation.folder()
    config = invocation.config(folder)
    when = changes.instant_us(at)
    version = load_settings(folder, config).at(when)
    file = rates_file(folder, config)
    document = {"at": utc_text(when), "file": file.name if file.before is not None else None, **_to_json(version)}

    def render(page: Page) -> None:
        page.line(f"{_span(document)}  version {version.settings_version}", "bold")
        page.pairs(list(document["settings"].items()))
        by, why = version.updated_by or "-", version.reason or "-"
        if version.updated_by or version.reason:
            page.line(f"written by {by}: {why}", "dim")
        page.line(f"from {file.name}" if file.before is not None else f"no {file.name}: the defaults hold", "dim")

    invocation.output.result(document, render)


@group.command()
def history(context: typer.Context) -> None:
    """List every version, those that calls were billed under before an edit included, and every change by command."""
    from pipelines.books.config import load_settings

    invocation = of(context)
    folder = invocation.folder()
    book = load_settings(folder, invocation.config(folder))
    versions = [{**row, "state": _state(row)} for row in _versions(book)]
    superseded = changes.superseded_settings(folder, {row["settings_version"] for row in versions})
    entries = changes.journalled(folder, "settings")
    document = {"versions": versions, "superseded": superseded, "changes": entries}

    def render(page: Page) -> None:
        rows = [(_from(row), row["settings_version"], row["state"], _differences(row), row["updated_by"], row["reason"])
                for row in versions]  # fmt: skip
        page.table(["From", "Version", "State", Column("Sets", wrap=True), "By", Column("Reason", wrap=True)], rows)
        if superseded:
            page.heading("Edited or removed since calls were billed under them")
            page.table(
                ["Version", "From", "Superseded by", Column("Calls", right=True)],
                [(row["settings_version"], instant(row["effective_from"]), row["superseded_by"], row["calls"])
                 for row in superseded],
            )  # fmt: skip
        changes.show_journalled(page, entries)

    invocation.output.result(document, render)


@group.command("set")
def set_setting(
    context: typer.Context,
    key: Annotated[str, typer.Argument(metavar="KEY", help="The setting, as `settings show` names it.")],
    value: Annotated[
        str, typer.Argument(metavar="VALUE", help='Its new value: 1.6, 12000, free, "proportional(0.05)".')
    ],
    start: Annotated[str, typer.Option("--from", metavar="WHEN", help="First day (UTC) or instant. Required.")],
    actor: Actor,
    reason: Reason,
    retroactive: Annotated[
        bool, typer.Option("--retroactive", help="Allow a start before calls that are posted; they keep their price.")
    ] = False,
) -> None:
    """Set one setting from a day on: a version in rates.toml and an entry in the journal.

    The file keeps its comments and layout. A value that the next run would refuse is refused here and changes nothing.
    """
    from pipelines.books.config import load_settings
    from pipelines.books.dated_files import last_change, prices_of, put_in_place, rates_file, start_us
    from pipelines.books.dated_settings import draft_setting, later_versions, typed_setting
    from pipelines.books.lock import hold_books

    invocation = of(context)
    folder = invocation.folder()
    config = invocation.config(folder)
    begins, typed = dates.moment("--from", start), typed_setting(key, value)
    with hold_books(folder.lock, "tollbook settings set"):
        before = load_settings(folder, config).at(start_us(begins))
        file = rates_file(folder, config)
        draft = draft_setting(file, key, typed, begins, actor=actor, reason=reason)
        prices = prices_of(folder, config, draft.after, draft.file.name)
        book = prices.settings
        after = book.at(start_us(begins))
        if after.content()[key] == before.content()[key]:
            raise ConfigurationError(
                f"{key} is {before.content()[key]} already at {start}, by version {before.settings_version}"
                f"{changes.by_entry(file, last_change(folder, file))}; nothing was changed"
            )
        affected = changes.require_future(folder, config, prices, start_us(begins), allowed=retroactive)
        placed = put_in_place(folder, draft, actor=actor, reason=reason)
    later = later_versions(book, key, start_us(begins))
    document = {
        "key": key,
        "before": before.content()[key],
        "after": after.content()[key],
        **_to_json(after),
        "later_versions": [{"effective_from": _utc(at), "value": found} for at, found in later],
        **changes.to_json(placed.entry),
        "posted_calls_since": affected.calls if affected else 0,
        "calls_to_restate": affected.billed_otherwise if affected else 0,
        "tokens_to_restate": affected.change_tokens if affected else 0,
    }  # fmt: skip

    def render(page: Page) -> None:
        page.line(f"{key}: {document['before']} until {instant(_from(document))}, {document['after']} from then on")
        for row in document["later_versions"]:
            page.line(f"  the version from {instant(row['effective_from'])} has {row['value']}")
        changes.show_entry(page, placed.entry)

    changes.warn_of_announced(invocation.output, placed)
    changes.warn_of_posted(invocation.output, affected)
    invocation.output.result(document, render)


def _to_json(version: Settings) -> dict[str, Any]:
    content = version.content()
    del content["effective_from"]
    return {
        "settings_version": version.settings_version,
        "effective_from": _utc(version.effective_from),
        "effective_to": _utc(version.effective_to),
        "settings": content,
        "updated_by": version.updated_by,
        "reason": version.reason,
    }


def _versions(book: SettingsBook) -> list[dict[str, Any]]:
    """Each version with what it sets differently from the one before it."""
    rows: list[dict[str, Any]] = []
    before: dict[str, object] = {}
    for version in book.versions:
        row = _to_json(version)
        row["sets"] = {key: value for key, value in row["settings"].items() if before.get(key, value) != value}
        before = row["settings"]
        rows.append(row)
    return rows


def _state(row: dict[str, Any]) -> str:
    now = changes.instant_us(None)
    starts, ends = (changes.instant_us(row[name]) if row[name] else None for name in ("effective_from", "effective_to"))
    if starts is not None and now < starts:
        return "coming"
    return "past" if ends is not None and ends <= now else "in force"


def _differences(row: dict[str, Any]) -> str:
    if row["effective_from"] is None:
        return f"all {plural(len(row['settings']), 'setting')}"
    return ", ".join(f"{key} = {value}" for key, value in row["sets"].items()) or "nothing else"


def _from(row: dict[str, Any]) -> str:
    return row["effective_from"] or "the beginning"


def _span(row: dict[str, Any]) -> str:
    until = f" until {instant(row['effective_to'])}" if row["effective_to"] else ""
    begins = instant(row["effective_from"]) if row["effective_from"] else "the beginning"
    return f"from {begins}{until}"


def _utc(at_us: int | None) -> str | None:
    from billing_core.instants import utc_text

    return None if at_us is None else utc_text(at_us)
