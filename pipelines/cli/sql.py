"""`tollbook sql`: any question to the published copy, and nothing but questions."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from billing_core.errors import ConfigurationError, TollbookError
from pipelines.cli.invocation import Invocation, of

if TYPE_CHECKING:
    import duckdb

NAME = "sql"


class Format(StrEnum):
    """How an answer is written."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    PARQUET = "parquet"


def command(
    context: typer.Context,
    query: Annotated[str | None, typer.Option("-c", "--command", metavar="QUERY", help="The query.")] = None,
    file: Annotated[Path | None, typer.Option("-f", "--file", metavar="FILE", help="A file that holds it.")] = None,
    form: Annotated[Format, typer.Option("--format", help="How the answer is written.")] = Format.TABLE,
    output: Annotated[
        Path | None, typer.Option("--output", metavar="FILE", help="Where to; stdout by default. Never overwrites.")
    ] = None,
) -> None:
    """Ask the published copy anything; nothing can be changed.

    It is opened read-only, shut off from files and the network, with all times in UTC. Without -c and -f the
    query is read from stdin; on a terminal each one up to its `;`, and `.quit` ends.
    """
    from reports.published import open_published

    if query is not None and file is not None:
        raise ConfigurationError("sql: give the query with -c or with -f, not with both")
    invocation = of(context)
    chosen = Format.JSON if invocation.output.as_json else form
    if chosen is Format.PARQUET and output is None:
        raise ConfigurationError("--format parquet: also name the file, with --output")
    with open_published(invocation.folder().published) as reader:
        if query is None and file is None and sys.stdin.isatty():
            _prompt(invocation, reader, chosen, output)
            return
        _answer(invocation, reader, query if query is not None else _text(file), chosen, output)


def _text(file: Path | None) -> str:
    try:
        return sys.stdin.read() if file is None else file.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"-f: {file} cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise ConfigurationError(f"sql: {file or 'stdin'} is not UTF-8 text") from None


def _answer(
    invocation: Invocation, reader: duckdb.DuckDBPyConnection, query: str, form: Format, output: Path | None
) -> None:
    """Ask and write the answer down."""
    import duckdb

    from pipelines.cli import answers
    from reports.published import ask, refusal

    try:
        if form is Format.PARQUET and output is not None:
            rows = answers.to_parquet(reader, query, output)
        else:
            answer = ask(reader, query)
            if answer is None:
                return
            with answers.target(output) as stream:
                match form:
                    case Format.CSV:
                        rows = answers.to_csv(answer, stream)
                    case Format.JSON:
                        rows = answers.to_json(answer, stream)
                    case _:
                        rows = answers.to_table(answer, stream, is_terminal=output is None and sys.stdout.isatty())
    except duckdb.Error as error:
        raise refusal(error) from error
    if output is not None:
        invocation.output.note(f"{rows:,} rows written to {output}")


def _prompt(invocation: Invocation, reader: duckdb.DuckDBPyConnection, form: Format, output: Path | None) -> None:
    """One query after the other, until the end of the input."""
    import readline  # noqa: F401 importing it gives `input` a history and editing

    invocation.output.note("the published copy, read-only; end a query with ; and the session with .quit or Ctrl-D")
    lines: list[str] = []
    while True:
        try:
            line = input("     ...> " if lines else "tollbook> ")
        except EOFError:
            return
        except KeyboardInterrupt:
            lines = []
            typer.echo()
            continue
        if not lines and line.strip() in {".quit", ".exit", "exit", "quit"}:
            return
        lines = [*lines, line] if lines or line.strip() else []
        if line.rstrip().endswith(";"):
            try:
                _answer(invocation, reader, "\n".join(lines), form, output)
            except TollbookError as error:
                invocation.output.error(str(error))
            lines = []
