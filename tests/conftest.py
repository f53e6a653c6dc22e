"""What every test shares: UTC, no settings of the user's, one Dagster instance, and the folder of shared samples."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dagster import DagsterInstance

ROOT = Path(__file__).resolve().parent.parent

os.environ["TZ"] = "UTC"
time.tzset()
os.environ["DAGSTER_DISABLE_TELEMETRY"] = "1"
for name in ("DAGSTER_HOME", "TOLLBOOK_BOOKS"):
    os.environ.pop(name, None)

SLOW_VARIABLE = "TOLLBOOK_SLOW_SECONDS"
"""How long `make test-slow` may take: after that no other slow test begins. Without it all of them run."""

_BEGAN = time.monotonic()

settings.register_profile("here", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "here")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Leave a slow test out when their time is spent, and say so."""
    limit = os.environ.get(SLOW_VARIABLE, "inf")
    if item.get_closest_marker("slow") is not None and time.monotonic() - _BEGAN >= float(limit):
        pytest.skip(f"the {limit} s of the slow suites are spent")


@pytest.fixture(scope="session")
def dagster_instance() -> Iterator[DagsterInstance]:
    """One ephemeral Dagster instance for all tests: making one costs more than most runs in it."""
    from dagster import DagsterInstance

    with DagsterInstance.ephemeral() as instance:
        yield instance


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """The folder of samples and golden files beside the repository, where there is one."""
    folder = ROOT.parent / "shared"
    if not folder.is_dir():
        pytest.skip(f"there is no folder of shared samples at ../{folder.name}")
    return folder
