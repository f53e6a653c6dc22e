"""The planted kinds: complete, and every query runs on the books' own tables."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from pipelines.demo import PlantedKind, planted, write_world

_SCHEMA = Path(__file__).parents[2] / "pipelines/warehouse/sql/migrations/0001_books.sql"


@pytest.fixture(scope="module")
def kinds(tmp_path_factory: pytest.TempPathFactory) -> list[PlantedKind]:
    """The kinds of a small demo."""
    return planted(write_world(tmp_path_factory.mktemp("demo"), rows=1_000))


def test_every_kind_is_really_planted(kinds: list[PlantedKind]) -> None:
    """No kind is named twice, none is planted zero times, each says where it lies."""
    assert len({kind.kind for kind in kinds}) == len(kinds) >= 14
    assert all(kind.planted > 0 and kind.where for kind in kinds)


def test_every_query_finds_nothing_in_empty_books(kinds: list[PlantedKind], tmp_path: Path) -> None:
    """Each query is valid on the schema and gives one whole number, 0 while nothing was posted."""
    with duckdb.connect(str(tmp_path / "empty.duckdb")) as con:
        con.execute(_SCHEMA.read_text())
        for kind in kinds:
            assert con.execute(kind.query).fetchall() == [(0,)], kind.kind
