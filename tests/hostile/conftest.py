"""A world of files and a database file under the test's own folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.intake.world import World, open_books

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """An empty world."""
    con = open_books(tmp_path / "warehouse.duckdb")
    yield World(tmp_path / "in", con)
    con.close()
