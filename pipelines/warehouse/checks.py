"""Checks: each is a view in schema ``checks`` that lists the rows which must not be; none found is a pass.

The file ``sql/checks/NN_name.sql`` is the check over full history, ``sql/deltas/NN_name.sql`` what a posting proves of
its own rows before it commits. Where both are one text, the check says behind ``--delta`` what only the delta has.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from pipelines.parsed_sql import run
from pipelines.warehouse.script import scalar
from pipelines.warehouse.sql import sql_names, sql_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import duckdb


_ONLY_DELTA = "--delta "
_ONLY_WHERE = {
    "narrowest_rule": "SELECT count(*) FROM books.rates WHERE (match ->> '$.image_family') IS NULL"
    " AND rate_id <> 'default_multiplier'",
}
"""Deltas that can find nothing unless this counts something: to plan such a query costs more than to run it."""


class Check(NamedTuple):
    """A check in force: its name, the view that lists failing rows, and its sentence for people."""

    name: str
    view: str
    meaning: str


def checks() -> tuple[Check, ...]:
    """Every check that is a view, in the order of their numbers."""
    return tuple(check_of(name) for name in sql_names("checks"))


def check_of(path: str) -> Check:
    """The check that a file of ``sql/checks`` holds; its first comment is the sentence."""
    name = _stem(path).split("_", 1)[1]
    comment = [line.removeprefix("--").strip() for line in sql_text(path).splitlines() if line.startswith("--")]
    return Check(name, f"checks.{name}", " ".join(comment))


@cache
def delta_texts() -> dict[str, str]:
    """The delta form of each check that has one, by name, in the order of their numbers."""
    texts = {_stem(path): sql_text(path) for path in sql_names("deltas")}
    for path in sql_names("checks"):
        if _ONLY_DELTA in sql_text(path):
            texts[_stem(path)] = sql_text(path).replace(_ONLY_DELTA, "")
    return {stem.split("_", 1)[1]: texts[stem] for stem in sorted(texts)}


def _stem(path: str) -> str:
    return path.rsplit("/", 1)[1].removesuffix(".sql")


def failing_rows(connection: duckdb.DuckDBPyConnection, check: Check) -> int:
    """How many rows a check finds over full history."""
    return scalar(connection, f"SELECT count(*) FROM {check.view}")


def run_delta_checks(connection: duckdb.DuckDBPyConnection, posting_id: int) -> dict[str, int]:
    """Run each check over one posting's own rows, inside its transaction; the counts go to audit.check_results."""
    failing: dict[str, int] = {}
    for name, query, parameters in _deltas(posting_id):
        is_vacuous = name in _ONLY_WHERE and not scalar(connection, _ONLY_WHERE[name])
        failing[name] = 0 if is_vacuous else scalar(connection, f"SELECT count(*) FROM ({query})", parameters)
    run(
        connection,
        "INSERT INTO audit.check_results SELECT $posting_id, unnest($names), unnest($counts)",
        {"posting_id": posting_id, "names": list(failing), "counts": list(failing.values())},
    )
    return failing


def failing_delta_rows(
    connection: duckdb.DuckDBPyConnection, posting_id: int, failing: Mapping[str, int], limit: int = 10
) -> dict[str, list[dict[str, object]]]:
    """The first rows of each failing check, to be shown after the rollback has taken them away."""
    found: dict[str, list[dict[str, object]]] = {}
    for name, query, parameters in _deltas(posting_id):
        if failing.get(name):
            frame = connection.sql(f"FROM ({query}) LIMIT {int(limit)}", params=parameters or {}).pl()
            found[name] = frame.to_dicts()
    return found


def _deltas(posting_id: int) -> Iterator[tuple[str, str, dict[str, object] | None]]:
    """Name, query and parameters of each delta check."""
    for name, query in delta_texts().items():
        yield name, query, {"posting_id": posting_id} if "$posting_id" in query else None
