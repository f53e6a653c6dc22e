"""The derived views and the check views: made from this version's SQL files, and made again when they are others."""

from __future__ import annotations

import hashlib
from functools import cache
from typing import TYPE_CHECKING

from pipelines.parsed_sql import run
from pipelines.warehouse.checks import check_of
from pipelines.warehouse.comments import describe_views
from pipelines.warehouse.script import roll_back, rows
from pipelines.warehouse.sql import sql_names, sql_text

if TYPE_CHECKING:
    import duckdb


def create_views(connection: duckdb.DuckDBPyConnection, *, anew: bool = False) -> None:
    """Make the derived views and the check views, with their comments, unless they stand as this version makes them.

    ``anew``: whatever the file says of itself. One transaction: each statement by itself would cost as much as all.
    """
    if not anew and views_stand(connection):
        return
    connection.execute("BEGIN")
    try:
        replace_views(connection)
        connection.execute("COMMIT")
    except BaseException:
        roll_back(connection)
        raise


def replace_views(connection: duckdb.DuckDBPyConnection) -> None:
    """The same in any case, inside the caller's transaction; views that this version does not have are gone then."""
    for schema, name in rows(connection, f"SELECT schema_name, view_name {_OWN_VIEWS}"):
        connection.execute(f'DROP VIEW "{schema}"."{name}"')
    for name in sql_names("views"):
        run(connection, sql_text(name))
    for name in sql_names("checks"):
        run(connection, f"CREATE VIEW checks.{check_of(name).name} AS {sql_text(name)}")
    describe_views(connection)
    connection.execute("DELETE FROM audit.view_versions")
    connection.execute(f"INSERT INTO audit.view_versions SELECT $texts, ({_STANDING})", {"texts": _texts_sha256()})


def views_stand(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether the views of the current database are those of this version, and untouched since they were made."""
    found = rows(
        connection,
        f"SELECT 1 FROM audit.view_versions WHERE texts_sha256 = $texts AND standing_sha256 = ({_STANDING})",
        {"texts": _texts_sha256()},
    )
    return bool(found)


_OWN_VIEWS = "FROM duckdb_views() WHERE database_name = current_database() AND NOT internal AND NOT temporary"

# DuckDB writes a view down with other brackets, and other orders of EXCLUDE lists, whenever the file is read again, and
# older storage leaves NOT MATERIALIZED out: only the other words and signs of a view are the same for ever. `verify`
# compares the copy's views exactly.
_STANDING = rf"""
SELECT coalesce(sha256(string_agg(
    concat_ws(chr(31), schema_name, view_name,
        list_aggregate(list_sort(regexp_extract_all(
            regexp_replace(sql, 'NOT MATERIALIZED', '', 'g'), '\w+|[^\w\s();]')), 'string_agg', ' '), comment),
    chr(30) ORDER BY schema_name, view_name)), '')
{_OWN_VIEWS}
"""


@cache
def _texts_sha256() -> str:
    names = [name for folder in ("views", "checks", "comments/views") for name in sql_names(folder)]
    return hashlib.sha256("\0".join(f"{name}\0{sql_text(name)}" for name in names).encode()).hexdigest()
