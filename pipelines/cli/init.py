"""`tollbook init`: a new books folder whose configuration explains itself."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer

from billing_core.errors import ConfigurationError
from pipelines.cli import dates
from pipelines.cli.invocation import of

NAME = "init"
_FOLDERS = ("accounts", "credits", "usage", "stripe", "journal", "profiles")
_NAME_MAX = 200
_IGNORED = (
    "# Generated, or private: everything else here belongs into version control.\n/warehouse/\n/.tollbook.lock*\n"
)


def command(
    context: typer.Context,
    directory: Annotated[
        Path, typer.Argument(metavar="[DIR]", help="The folder; the current one by default.")
    ] = Path(),
    start: Annotated[
        str | None,
        typer.Option("--start", metavar="DATE", help="First day of the books; the first of this month by default."),
    ] = None,
    name: Annotated[str, typer.Option("--name", help="Title of the books.")] = "Tollbook",
) -> None:
    """Make a books folder with a commented configuration.

    Writes tollbook.toml, rates.toml, packages.toml, their schemas for editors and the folders for inputs. Nothing of
    yours that exists is overwritten.
    """
    from pipelines.books import clock
    from pipelines.books.folder import CONFIG_NAME, BooksFolder
    from pipelines.cli.settings_text import commented_config

    if not 0 < len(name) <= _NAME_MAX or not name.isprintable():
        raise ConfigurationError(f"--name: expected 1 to {_NAME_MAX} printable characters")
    today = clock.now().date()
    first = dates.day("--start", start, today) if start else today.replace(day=1)
    folder = BooksFolder(directory.expanduser().resolve())
    if folder.config.exists():
        raise ConfigurationError(
            f"{folder.root} is a books folder already: it holds {CONFIG_NAME}; nothing was changed"
        )
    if folder.root.exists() and not folder.root.is_dir():
        raise ConfigurationError(f"{folder.root} is a file; name a folder")
    written = _write(folder.root, {CONFIG_NAME: commented_config(name, first), ".gitignore": _IGNORED})
    document = {"folder": folder.root, "start": first, "written": written}
    of(context).output.result(document, lambda page: page.line(_summary(folder.root, written)))
    of(context).output.note(
        f"next: put usage files into {folder.root / 'usage'}, then `tollbook --books {folder.root} doctor` and `run`"
    )


def _write(root: Path, texts: dict[str, str]) -> list[str]:
    """Write what does not exist yet, the configuration last: with it the folder becomes a books folder."""
    templates = {name: files("pipelines.books").joinpath("templates", name).read_text("utf-8") for name in _TEMPLATES}
    root.mkdir(parents=True, exist_ok=True)
    _write_schemas(root / "schemas")
    for name in _FOLDERS:
        (root / name).mkdir(exist_ok=True, mode=0o700 if name == "journal" else 0o777)
    ordered = [
        (name, text) for name, text in (*templates.items(), *reversed(texts.items())) if not (root / name).exists()
    ]
    for name, text in ordered:
        (root / name).write_text(text, encoding="utf-8")
    return [name for name, _ in reversed(ordered)]


def _write_schemas(folder: Path) -> None:
    """What the `#:schema` line of each file names, for editors: as this version of Tollbook reads them."""
    from pipelines.books.schemas import schema_texts

    folder.mkdir(exist_ok=True)
    for name, text in schema_texts().items():
        (folder / name).write_text(text, encoding="utf-8")


_TEMPLATES = ("packages.toml", "rates.toml")


def _summary(root: Path, written: list[str]) -> str:
    return f"{root} is a books folder now: {', '.join(written)}"
