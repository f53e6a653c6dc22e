"""`tollbook profile`: the profiles there are, and what one of them makes of a sample, before anything is billed."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from billing_core.errors import ConfigurationError
from pipelines.cli.invocation import of
from pipelines.cli.output import Column
from pipelines.cli.text import plural, size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipelines.books.folder import BooksFolder
    from pipelines.cli.invocation import Invocation
    from pipelines.cli.output import Page
    from pipelines.sampling import Sample

NAME = "profile"
group = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="List profiles, show one, or check one on a sample file."
)

_GUESS_BYTES = 8 * 1024 * 1024
_COLUMNS = {
    "usage": (
        "account_id", "call", "input_tokens", "output_tokens", "cache_read_tokens", "cache_write",
        "reasoning_tokens", "image_count", "success",
    ),
    "credits": ("account_id", "transaction_type", "token_amount", "amount_cents", "currency", "occurred_at"),
    "accounts": ("account_id", "status", "plan", "currency", "reported_balance", "updated_at"),
    "provider_usage": (
        "bucket_start", "model", "input_tokens", "output_tokens", "cache_read_tokens", "image_count", "requests",
        "cost_nanousd",
    ),
}  # fmt: skip
_HEADINGS = {
    "account_id": "Account", "call": "Call", "model": "Model", "input_tokens": "Input",
    "output_tokens": "Output", "cache_read_tokens": "Cache\nread", "cache_write": "Cache\nwrite",
    "reasoning_tokens": "Rea-\nsoning", "image_count": "Images", "success": "OK", "transaction_type": "Type",
    "token_amount": "Tokens", "amount_cents": "Cents", "currency": "Currency", "occurred_at": "Time",
    "status": "Status", "plan": "Plan", "reported_balance": "Balance", "updated_at": "Updated",
    "bucket_start": "Bucket", "requests": "Requests", "cost_nanousd": "Cost, 1e-9 USD",
}  # fmt: skip
_LEFT_OUT_IF_TRIVIAL = {
    "cache_read_tokens", "cache_write", "reasoning_tokens", "image_count", "success", "amount_cents", "plan",
    "requests", "cost_nanousd",
}  # fmt: skip
_FIGURES = {
    "input_tokens", "output_tokens", "cache_read_tokens", "cache_write", "reasoning_tokens", "image_count",
    "token_amount", "amount_cents", "reported_balance", "requests", "cost_nanousd",
}  # fmt: skip


@group.command("list")
def list_profiles(context: typer.Context) -> None:
    """List the built-in profiles and those of the books folder."""
    from pipelines.intake.profiles import built_in_profiles, own_profiles, parse_profile, profile_text

    invocation = of(context)
    folder = _folder(invocation)
    root = folder.root if folder else None
    rows = []
    for name in dict.fromkeys([*own_profiles(root), *built_in_profiles()]):
        text, where = profile_text(name, root)
        kind = parse_profile(text, where).kind
        rows.append({"profile": name, "kind": kind, "from": where, "reads": _first_sentence(text)})

    def render(page: Page) -> None:
        columns = [Column("Profile"), Column("Kind"), Column("From"), Column("Reads", wrap=True)]
        own = [row | {"from": "built in" if str(row["from"]).startswith("built-in") else row["from"]} for row in rows]
        page.table(columns, [tuple(row.values()) for row in own])
        page.line("`tollbook profile show NAME` prints one; `tollbook profile check FILE` tries one on a file", "dim")

    invocation.output.result({"profiles": rows}, render)


@group.command()
def show(
    context: typer.Context, name: Annotated[str, typer.Argument(metavar="NAME", help="A profile's name.")]
) -> None:
    """Show the text of a profile, to read or to begin your own from."""
    from pipelines.intake.profiles import parse_profile, profile_text

    invocation = of(context)
    folder = _folder(invocation)
    text, where = profile_text(name, folder.root if folder else None)
    document = {"profile": name, "kind": parse_profile(text, where).kind, "from": where, "text": text}

    def render(page: Page) -> None:
        for line in text.splitlines():
            page.line(line)

    invocation.output.note(where)
    invocation.output.result(document, render)


@group.command()
def check(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A sample: JSON lines, CSV, Parquet, or a zip.")],
    profile: Annotated[
        str | None, typer.Option("--profile", metavar="NAME", help="Read by this profile; else the one that fits.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=0, help="How many records to show; 0 for all.")] = 20,
) -> None:
    """Read a sample and show what would become of each record, with its counts. Nothing is written."""
    from pipelines.books import clock
    from pipelines.intake.profiles import load_profile
    from pipelines.sampling import read_sample

    if not file.is_file():
        raise ConfigurationError(f"{file} is not a file; name a sample of the log")
    invocation = of(context)
    folder = _folder(invocation)
    keys = tuple(invocation.config(folder).privacy.metadata_keys) if folder else ()
    name = profile or _chosen(invocation, folder, file)
    loaded = load_profile(name, folder.root if folder else None)
    sample = read_sample(file, name, loaded, clock.now().date(), keys)
    shown = sample.records[:limit] if limit else sample.records
    document = {
        "file": str(file),
        "profile": name,
        "kind": sample.kind,
        "received": len(sample.records),
        "counts": sample.counts,
        "records": shown,
    }
    invocation.output.result(document, lambda page: _render(page, sample, shown))


def _folder(invocation: Invocation) -> BooksFolder | None:
    """The books folder, if there is one: profiles can be looked at before there are books."""
    import os

    from pipelines.books.folder import BOOKS_VARIABLE

    try:
        return invocation.folder()
    except ConfigurationError:
        if invocation.books is not None or os.environ.get(BOOKS_VARIABLE):
            raise
        return None


def _chosen(invocation: Invocation, folder: BooksFolder | None, file: Path) -> str:
    """The profile that the books read the file by, else the one that reads most of it."""
    from pipelines.books import clock
    from pipelines.sampling import best_profile, configured_profile

    configured = configured_profile(file, folder.root, invocation.config(folder)) if folder else None
    if configured is not None:
        return configured
    found = file.stat().st_size
    if found > _GUESS_BYTES:
        raise ConfigurationError(
            f"{file} has {size(found)}: name its profile with --profile, or check at most {size(_GUESS_BYTES)} of it"
        )
    fitting = best_profile(file, folder.root if folder else None, clock.now().date())
    if not fitting:
        raise ConfigurationError(
            f"no profile reads a single record of {file}; `tollbook profile list` names them. Name the nearest one "
            "with --profile to see what it lacks, and write your own from there: docs/profiles.md"
        )
    others = ", ".join(f"{item.profile} ({item.understood:,})" for item in fitting[1:4])
    also = f"; also readable by {others}" if others else ""
    read = plural(fitting[0].understood, "record")
    invocation.output.note(f"{fitting[0].profile} fits best, it reads {read}{also}")
    return fitting[0].profile


def _render(page: Page, sample: Sample, shown: Sequence[dict[str, Any]]) -> None:
    names = [name for name in _COLUMNS[sample.kind] if name not in _LEFT_OUT_IF_TRIVIAL or _says_something(shown, name)]
    columns = [Column("Line", right=True), Column("Fate", wrap=True)]
    columns += [Column(_HEADINGS[name], name in _FIGURES, wrap=name not in _FIGURES) for name in names]
    page.table(columns, [(_place(row), _fate(row), *_cells(row, names)) for row in shown])
    if len(shown) < len(sample.records):
        page.line(f"{len(shown):,} of {plural(len(sample.records), 'record')}; --limit 0 shows all", "dim")
    parts = " + ".join(f"{count:,} {name}" for name, count in sample.counts.items())
    page.line(f"{sample.profile}: {len(sample.records):,} received = {parts or 'nothing'}", "bold")


def _says_something(rows: Sequence[dict[str, Any]], name: str) -> bool:
    trivial = (None, True) if name == "success" else (None, 0)
    return any(_cell(row, name) not in trivial for row in rows if _is_read(row))


def _is_read(row: dict[str, Any]) -> bool:
    return row["disposition"] not in ("quarantined", "blank") or row["reason"] == "conflict"


def _place(row: dict[str, Any]) -> str:
    return str(row["line_no"]) if row["record_no"] == 1 else f"{row['line_no']}.{row['record_no']}"


def _fate(row: dict[str, Any]) -> str:
    """What became of a record, and why, in words that may wrap."""
    return "\n".join(str(row[name]) for name in ("disposition", "reason", "detail") if row[name])


def _cells(row: dict[str, Any], names: Sequence[str]) -> list[object]:
    return [_cell(row, name) if _is_read(row) or name == "account_id" else None for name in names]


def _cell(row: dict[str, Any], name: str) -> object:
    if name == "cache_write":
        return row["cache_write_5m_tokens"] + row["cache_write_1h_tokens"]
    if name == "call":
        return " ".join(str(row[part]) for part in ("operation_type", "model") if row[part])
    value = row.get(name)
    return value.strftime("%Y-%m-%d %H:%M:%S") if isinstance(value, datetime) else value


def _first_sentence(text: str) -> str:
    """What a profile says of itself: the first sentence of its opening comment."""
    lines = []
    for line in text.splitlines():
        if not line.startswith("#"):
            break
        lines.append(line.lstrip("# "))
    return (" ".join(lines).split(". ")[0].rstrip(".") + ".") if lines else ""
