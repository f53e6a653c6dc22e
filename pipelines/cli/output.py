"""What a verb says: results on stdout, as text or one JSON object; notes, progress and errors on stderr."""

from __future__ import annotations

import json
import os
import sys
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.cli.text import clean, number

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from rich.console import Console
    from rich.progress import Progress

PLAIN_WIDTH = 100
"""Columns of a page that no terminal shows."""


class LogFormat(StrEnum):
    """How notes and errors look on stderr."""

    TEXT = "text"
    JSON = "json"


@dataclass(frozen=True)
class Column:
    """A column of a table: its heading, whether it is right-aligned, and whether long text may wrap."""

    heading: str
    right: bool = False
    wrap: bool = False


class Page:
    """The text form of a result."""

    def __init__(self, console: Console) -> None:
        """Write to `console`."""
        self.console = console

    def line(self, text: str = "", style: str = "") -> None:
        """One line, never wrapped: a terminal breaks what a person may copy."""
        self.console.print(clean(text) if text else "", style=style, soft_wrap=True)

    def heading(self, text: str) -> None:
        """A heading with air above it."""
        self.line()
        self.line(text, "bold")

    def pairs(self, pairs: Sequence[tuple[str, object]]) -> None:
        """Names and values below each other, the values aligned; figures get separators."""
        width = max((len(name) for name, _ in pairs), default=0)
        for name, value in pairs:
            self.line(f"  {name:<{width}}  {number(value) if type(value) is int else value}")

    def table(
        self, columns: Sequence[Column | str], rows: Sequence[Sequence[object]], styles: Sequence[str] = ()
    ) -> None:
        """A table; whole numbers get separators, None is a dash. `styles` are per row."""
        from rich.box import SIMPLE_HEAD
        from rich.table import Table
        from rich.text import Text

        named = [Column(column) if isinstance(column, str) else column for column in columns]
        table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False, header_style="bold")
        table.show_header = any(column.heading for column in named)
        for column in named:
            table.add_column(
                column.heading,
                justify="right" if column.right else "left",
                no_wrap=not column.wrap,
                overflow="fold" if column.wrap else "ellipsis",
            )
        for index, row in enumerate(rows):
            table.add_row(*(Text(_cell(value)) for value in row), style=styles[index] if styles else None)
        self.console.print(table)


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if type(value) is int:
        return number(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "\n".join(clean(line) for line in str(value).split("\n"))


@dataclass
class Output:
    """Where the words of one invocation go."""

    as_json: bool = False
    quiet: bool = False
    log_format: LogFormat = LogFormat.TEXT
    _bar: Progress | None = field(default=None, init=False)

    @cached_property
    def console(self) -> Console:
        """Standard output."""
        from rich.console import Console

        return Console(markup=False, highlight=False, emoji=False, width=_width(is_terminal=sys.stdout.isatty()))

    @cached_property
    def side(self) -> Console:
        """Standard error."""
        from rich.console import Console

        width = _width(is_terminal=sys.stderr.isatty())
        return Console(stderr=True, markup=False, highlight=False, emoji=False, width=width)

    def result(self, document: Mapping[str, object], render: Callable[[Page], None]) -> None:
        """The result of a verb: its one JSON object, or the same figures as text."""
        if self.as_json:
            sys.stdout.write(json.dumps(document, default=json_value, ensure_ascii=False, indent=2) + "\n")
            sys.stdout.flush()
        else:
            render(Page(self.console))

    def stream(self, text: str, style: str = "") -> None:
        """A line of a text result that comes before its end; nothing in JSON, where the object says it."""
        if self.as_json or self.quiet:
            return
        if self._bar is None:
            Page(self.console).line(text, style)
            return
        self._bar.stop()  # the bar leaves the terminal while a line of the result takes its place
        Page(self.console).line(text, style)
        self._bar.start()

    def note(self, text: str) -> None:
        """Something worth knowing, on stderr; --quiet leaves it out."""
        if not self.quiet:
            self._say("info", text, "dim")

    def warn(self, text: str) -> None:
        """Something to look after, on stderr."""
        self._say("warning", text, "yellow")

    def error(self, text: str, **fields: object) -> None:
        """What went wrong, on stderr."""
        self._say("error", text, "red", **fields)

    @contextmanager
    def progress(self, what: str, total: int | None) -> Iterator[Callable[[int], None]]:
        """A bar on stderr while the block runs, where a person watches; yields how to advance it."""
        if self.quiet or self.log_format is LogFormat.JSON or not sys.stderr.isatty():
            yield lambda _count: None
            return
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
        )
        with Progress(*columns, console=self.side, transient=True) as bar:
            task = bar.add_task(what, total=total)
            self._bar = bar
            try:
                yield lambda count: bar.advance(task, count)
            finally:
                self._bar = None

    def _say(self, level: str, text: str, style: str, **fields: object) -> None:
        if self.log_format is LogFormat.JSON:
            line = {"at": datetime.now(UTC).isoformat(), "level": level, "message": text, **fields}
            sys.stderr.write(json.dumps(line, default=json_value, ensure_ascii=False) + "\n")
            sys.stderr.flush()
            return
        prefix = f"{level}: " if level != "info" else ""
        for index, part in enumerate(text.splitlines() or [""]):
            self.side.print(f"{prefix if index == 0 else ''}{clean(part)}", style=style, soft_wrap=True)


def json_value(value: Any) -> object:
    """A value that JSON has no word for, exactly: dates and instants in ISO form, decimals as text."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).hex()
    if isinstance(value, Decimal | Path):
        return str(value)
    return str(value)


def _width(*, is_terminal: bool) -> int | None:
    if is_terminal:
        return None
    text = os.environ.get("COLUMNS", "")
    return int(text) if text.isdecimal() and int(text) > 0 else PLAIN_WIDTH
