"""What the options before the verb say: which books, which environment, how to speak."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pipelines.cli.output import Output

if TYPE_CHECKING:
    from pathlib import Path

    import typer

    from pipelines.books.config_models import BooksConfig
    from pipelines.books.folder import BooksFolder


@dataclass
class Invocation:
    """One call of the command."""

    books: Path | None = None
    env: str | None = None
    output: Output = field(default_factory=Output)

    def folder(self) -> BooksFolder:
        """The books folder. Raises ConfigurationError when there is none."""
        from pipelines.books.folder import find_books

        return find_books(self.books)

    def config(self, folder: BooksFolder) -> BooksConfig:
        """The validated configuration. Raises ConfigurationError."""
        from pipelines.books.config import load_config

        return load_config(folder, self.env)


def of(context: typer.Context) -> Invocation:
    """The invocation that the options before the verb made."""
    found = context.find_object(Invocation)
    return found if found is not None else Invocation()
