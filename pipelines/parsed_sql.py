"""Running SQL texts whose parsing is kept: one that runs again is planned and run, not parsed again.

Parsing is a third of what a statement over a small posting costs. The texts are ours and few; what differs from run to
run is bound as a parameter, so that the text stays the same.
"""

from __future__ import annotations

from contextlib import contextmanager, suppress
from functools import cache, lru_cache
from typing import TYPE_CHECKING

import duckdb

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

KEPT_TEXTS = 3_000
PLAINLY_PLANNED_ROWS = 2_000
_PLAIN = (
    "SET disabled_optimizers = 'expression_rewriter,common_subexpressions,in_clause,reorder_filter,regex_range,"
    "duplicate_groups,common_subplan,projection_placement,compressed_materialization,top_n_window_elimination'"
)


def run(
    connection: duckdb.DuckDBPyConnection,
    text: str,
    parameters: Mapping[str, object] | Sequence[object] | None = None,
) -> duckdb.DuckDBPyConnection:
    """Run a text of one or more statements and return the connection, which holds the result of the last.

    Of named parameters each statement gets those that it names.
    """
    for statement in statements(text):
        given = parameters
        if isinstance(parameters, dict):
            given = {name: parameters[name] for name in statement.named_parameters}
        connection.execute(statement, given or None)
    return connection


@contextmanager
def planned_plainly(connection: duckdb.DuckDBPyConnection, rows: int) -> Iterator[None]:
    """Leave out what only pays over many rows from the planning of the statements inside, when there are few.

    These optimizers rewrite and reorder expressions. Over a few rows they cost more than everything they save; none of
    them chooses what is scanned or joined.
    """
    if rows > PLAINLY_PLANNED_ROWS:
        yield
        return
    run(connection, _PLAIN)
    try:
        yield
    finally:
        with suppress(duckdb.Error):
            run(connection, "RESET disabled_optimizers")


@lru_cache(maxsize=KEPT_TEXTS)
def statements(text: str) -> tuple[duckdb.Statement, ...]:
    """The parsed statements of a text."""
    return tuple(_parser().extract_statements(text))


@cache
def _parser() -> duckdb.DuckDBPyConnection:
    """A connection that only parses: opening one costs more than most statements."""
    return duckdb.connect()
