"""The published copy as every reader opens it: read-only, shut off from files and network, in UTC, exact."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import duckdb

from billing_core.errors import ConfigurationError, IntegrityError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

BATCH_ROWS = 10_000
"""Rows that are held in memory at a time where a result is streamed."""

_LOCKED_DOWN: Mapping[str, str | bool | int | float | list[str]] = {
    "enable_external_access": "false",  # no file, no network, no ATTACH, no COPY
    "autoload_known_extensions": "false",
    "autoinstall_known_extensions": "false",
}
_SESSION = (
    "SET TimeZone = 'UTC'",
    "SET enable_progress_bar = false",
    "SET python_enable_replacements = false",  # a table name must never reach a variable of this program
    "SET lock_configuration = true",
)
# Types that Python and JSON hold exactly; any other is asked for as text.
_EXACT = frozenset(
    {"BIGINT", "BOOLEAN", "DATE", "DOUBLE", "FLOAT", "INTEGER", "SMALLINT", "TINYINT", "VARCHAR"}
    | {"UBIGINT", "UINTEGER", "USMALLINT", "UTINYINT"}
)
# Whole numbers beyond 64 bits travel as text and become Python's own.
_WIDE = frozenset({"HUGEINT", "UHUGEINT"})


@dataclass(frozen=True)
class Publication:
    """Which posting a published copy ends with; 0 and None before the first."""

    posting_id: int
    head: str | None
    schema_version: int


@dataclass(frozen=True)
class Answer:
    """The result of a query: its columns (unique names, DuckDB's types) and its rows as they are fetched."""

    columns: tuple[str, ...]
    types: tuple[str, ...]
    relation: duckdb.DuckDBPyRelation

    def batches(self) -> Iterator[list[tuple[Any, ...]]]:
        """The rows in runs of BATCH_ROWS. Whole numbers, decimals and dates are exact; the rest is text."""
        wide = {index for index, kind in enumerate(self.types) if kind in _WIDE}
        for batch in self.relation.to_arrow_reader(BATCH_ROWS):
            columns = [column.to_pylist() for column in batch.columns]
            for index in wide:
                columns[index] = [None if text is None else int(text) for text in columns[index]]
            yield list(zip(*columns, strict=True))

    def first(self, count: int) -> list[tuple[Any, ...]]:
        """At most so many rows."""
        return Answer(self.columns, self.types, self.relation.limit(count)).rows()

    def rows(self) -> list[tuple[Any, ...]]:
        """Every row."""
        return [row for batch in self.batches() for row in batch]


@contextmanager
def open_published(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """The published copy at ``path``.

    Raises ConfigurationError when nothing was published yet, IntegrityError when the file is no readable database.
    """
    if not path.is_file():
        raise ConfigurationError(
            f"{path} does not exist yet: nothing was published. `tollbook run` bills and publishes."
        )
    try:
        connection = duckdb.connect(str(path), read_only=True, config=dict(_LOCKED_DOWN))
    except duckdb.Error as error:
        first = str(error).strip().splitlines()[0]
        raise IntegrityError(
            f"{path} cannot be read: {first}. Remove the folder {path.parent}; the next run makes a new copy."
        ) from error
    try:
        for statement in _SESSION:
            connection.execute(statement)
        yield connection
    finally:
        connection.close()


def publication(connection: duckdb.DuckDBPyConnection) -> Publication:
    """Which posting the opened copy ends with. Raises IntegrityError when it does not say."""
    try:
        found = connection.execute("SELECT posting_id, head, schema_version FROM audit.publication").fetchall()
    except duckdb.Error:
        found = []
    if len(found) != 1:
        raise IntegrityError(
            "the published copy does not say which posting it ends with; `tollbook run` makes a new one"
        )
    return Publication(*found[0])


def ask(connection: duckdb.DuckDBPyConnection, query: str) -> Answer | None:
    """Run the statements of a text; the answer of the last one, None when it gives none.

    Raises ConfigurationError with the database's own words: the text is wrong, or asks for what a reader may not.
    """
    relation = _last_relation(connection, query)
    return None if relation is None else _exact(relation)


def select(connection: duckdb.DuckDBPyConnection, query: str) -> duckdb.DuckDBPyRelation:
    """As `ask`, with the columns in the database's own types. Raises ConfigurationError also without an answer."""
    relation = _last_relation(connection, query)
    if relation is None:
        raise ConfigurationError("sql: the last statement gives no rows")
    return relation


def _last_relation(connection: duckdb.DuckDBPyConnection, query: str) -> duckdb.DuckDBPyRelation | None:
    try:
        statements = connection.extract_statements(query)
        if not statements:
            raise ConfigurationError("sql: the query is empty")
        for statement in statements[:-1]:
            connection.execute(statement).complete()
        return connection.sql(statements[-1].query)
    except duckdb.Error as error:
        raise refusal(error) from error


def refusal(error: duckdb.Error) -> ConfigurationError:
    """A failed query in words that say what to do."""
    text = str(error).strip()
    if "read-only mode" in text or "locked" in text or isinstance(error, duckdb.PermissionException):
        first = text.splitlines()[0]
        return ConfigurationError(
            f"sql: refused: {first}\nThe published copy is read-only and shut off from files and the network. "
            "Write results with --output FILE."
        )
    return ConfigurationError(f"sql: {text}")


def table(connection: duckdb.DuckDBPyConnection, query: str, parameters: Mapping[str, object]) -> list[dict[str, Any]]:
    """The rows of a fixed query as dictionaries; instants must be cast to text in the query."""
    cursor = connection.execute(query, dict(parameters) or None)
    names = [column[0] for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _exact(relation: duckdb.DuckDBPyRelation) -> Answer:
    """The relation with every column that Python could not hold exactly as text, and with unique names."""
    types = tuple(str(kind) for kind in relation.types)
    names = _unique(relation.columns)
    projected = [
        f"{place if _is_exact(kind) else f'{place}::VARCHAR'} AS {_quoted(name)}"
        for place, kind, name in zip((f"#{number}" for number in range(1, len(types) + 1)), types, names, strict=True)
    ]
    return Answer(names, types, relation.project(", ".join(projected)))


def _is_exact(kind: str) -> bool:
    return kind in _EXACT or (kind.startswith("DECIMAL(") and kind.endswith(")"))


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _unique(names: list[str]) -> tuple[str, ...]:
    """Names told apart by a number: a, a_2."""
    taken: list[str] = []
    for name in names:
        candidate, number = name, 2
        while candidate.lower() in {other.lower() for other in taken}:
            candidate, number = f"{name}_{number}", number + 1
        taken.append(candidate)
    return tuple(taken)
