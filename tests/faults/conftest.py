"""Two stages of small books that nobody disturbed, made once, and a worker process."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.faults.workshop import Stage, Worker, make_stages

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def worker() -> Iterator[Worker]:
    """A worker process for jobs one after the other."""
    with Worker() as process:
        yield process


@pytest.fixture(scope="session")
def stages(worker: Worker, tmp_path_factory: pytest.TempPathFactory) -> tuple[Stage, Stage]:
    """Books never opened, and books with one posting: each with what one more job leads to."""
    return make_stages(worker, tmp_path_factory.mktemp("stages"))


@pytest.fixture(scope="session")
def new(stages: tuple[Stage, Stage]) -> Stage:
    """Books never opened before."""
    return stages[0]


@pytest.fixture(scope="session")
def begun(stages: tuple[Stage, Stage]) -> Stage:
    """Books with one posting."""
    return stages[1]
