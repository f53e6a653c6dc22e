"""A warehouse with a world in it."""

from __future__ import annotations

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


@pytest.fixture
def open_world(tmp_path: Path) -> OpenWorld:
    """Close a world, load it into an empty warehouse, and give that with the world's terms."""

    @contextmanager
    def opened(world: World) -> Iterator[tuple[duckdb.DuckDBPyConnection, Terms]]:
        path = tmp_path / f"world{world.seed}-{len(list(tmp_path.iterdir()))}.duckdb"
        place_warehouse(path)
        close_world(world)
        with open_warehouse(path) as connection:
            load_world(connection, world)
            yield connection, engine_terms(terms_of(world), world.rows["bank"])

    return opened
