"""The planted kinds: complete, and every query runs on the books' own tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb
import pytest

from pipelines.demo import PlantedKind, planted, write_world
from pipelines.warehouse.sql import sql_names, sql_text

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def kinds(tmp_path_factory: pytest.TempPathFactory) -> list[PlantedKind]:
    """The kinds of a small demo."""
    return planted(write_world(tmp_path_factory.mktemp("demo"), rows=1_000))


def test_every_kind_is_really_planted(kinds: list[PlantedKind]) -> None:
    """No kind is named twice, none is planted zero times, each says where it lies."""
    assert len({kind.kind for kind in kinds}) == len(kinds) >= 14
    assert all(kind.where for kind in kinds)
    assert [kind.kind for kind in kinds if kind.planted <= 0] == ["bridges that leave something over"]


def test_every_query_finds_nothing_in_empty_books(kinds: list[PlantedKind], tmp_path: Path) -> None:
    """Each query is valid on the schema and gives one whole number, 0 while nothing was posted."""
    with duckdb.connect(str(tmp_path / "empty.duckdb")) as con:
        for name in (*sql_names("migrations"), *sql_names("views")):
            con.execute(sql_text(name))
        for kind in kinds:
            assert con.execute(kind.query).fetchall() == [(0,)], kind.kind
