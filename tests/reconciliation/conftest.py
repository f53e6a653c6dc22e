"""A warehouse with a world in it."""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from bench.recon.closing import close_world
from bench.recon.engine import engine_terms
from bench.recon.tables import load_world, terms_of
from pipelines.warehouse.connection import open_warehouse
from tests.empty_warehouse import place_warehouse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    import duckdb

    from bench.recon.world import World
    from pipelines.warehouse.reconcile import Terms

    OpenWorld = Callable[[World], AbstractContextManager[tuple[duckdb.DuckDBPyConnection, Terms]]]


@contextmanager
def opened_world(path: Path, world: World) -> Iterator[tuple[duckdb.DuckDBPyConnection, Terms]]:
    """Close a world, load it into an empty warehouse at a path, and give that with the world's terms."""
    place_warehouse(path)
    close_world(world)
    with open_warehouse(path) as connection:
        load_world(connection, world)
        yield connection, engine_terms(terms_of(world), world.rows["bank"])


@pytest.fixture
def open_world(tmp_path: Path) -> OpenWorld:
    """The same in the test's own folder."""

    def opened(world: World) -> AbstractContextManager[tuple[duckdb.DuckDBPyConnection, Terms]]:
        return opened_world(tmp_path / f"world{world.seed}-{len(list(tmp_path.iterdir()))}.duckdb", world)

    return opened


def recon_content(connection: duckdb.DuckDBPyConnection) -> dict[str, Counter[tuple[object, ...]]]:
    """What a reconciliation left: the rows of each of its tables, in no order."""
    tables = ("breaks", "lines", "bridge", "summary", "candidates", "first_seen", "matches")
    return {table: Counter(connection.execute(f"SELECT * FROM recon.{table}").fetchall()) for table in tables}
