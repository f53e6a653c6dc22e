"""Whole worlds: every planted break is found, nothing else is, and nothing is left over."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bench.recon.build import broken_world, clean_world
from bench.recon.engine import findings, run
from bench.recon.score import score
from billing_core.breaks import BREAKS
from pipelines.warehouse.checks import checks, failing_rows
from tests.reconciliation.conftest import recon_content

if TYPE_CHECKING:
    import duckdb

    from tests.reconciliation.conftest import OpenWorld

EVERY_CODE = {item.code for item in BREAKS}
_OF_NOBODY = "SELECT code, subject FROM recon.breaks WHERE charge_id IS NOT NULL AND account_id IS NULL"
"""Breaks that name a charge and do not say whose it is, though a world's payments state it or belong to a customer."""
OF_RECONCILIATION = {"reconciliation_residual", "match_groups", "returned_money"}


def _failing(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    found = {check.name: failing_rows(connection, check) for check in checks() if check.name in OF_RECONCILIATION}
    return {name: count for name, count in found.items() if count}


def _require_clean(open_world: OpenWorld, seed: int, stories: int) -> None:
    with open_world(clean_world(seed, stories)) as (connection, terms):
        result = run(connection, terms)
        assert findings(connection) == []
        assert (result.open_breaks, result.residual_lines) == (0, 0)
        assert _failing(connection) == {}


def _require_found(open_world: OpenWorld, seed: int, times: int) -> None:
    world = broken_world(seed, times=times)
    with open_world(world) as (connection, terms):
        result = run(connection, terms)
        scores = score(world.labels, findings(connection))
        assert {item.code for item in scores} == EVERY_CODE
        assert [item for item in scores if not item.is_perfect] == []
        assert result.residual_lines == 0
        assert _failing(connection) == {}
        assert connection.execute(_OF_NOBODY).fetchall() == []


def test_clean_world_has_no_break(open_world: OpenWorld) -> None:
    """Refunds, disputes, partial captures, conversions and corrections that are in order are no findings."""
    _require_clean(open_world, 101, 80)


def test_every_planted_break_is_found_and_no_other(open_world: OpenWorld) -> None:
    """All 45 codes, three of each: precision and recall 1, residual 0."""
    _require_found(open_world, 102, 3)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 25))
def test_many_seeds(open_world: OpenWorld, seed: int) -> None:
    """The same over many worlds, each clean and broken, with up to six of each fault."""
    _require_clean(open_world, seed, 200)
    _require_found(open_world, seed, 3 + seed % 4)


def test_running_again_changes_nothing(open_world: OpenWorld) -> None:
    """The same tables give the same breaks, lines and matches, whatever order their rows are in."""
    world = broken_world(103, 30, 2)
    with open_world(world) as (connection, terms):
        run(connection, terms)
        before = recon_content(connection)
        connection.execute("CREATE TABLE shuffled AS FROM stripe.charges ORDER BY hash(charge_id)")
        connection.execute("DELETE FROM stripe.charges")
        connection.execute("INSERT INTO stripe.charges FROM shuffled")
        second = run(connection, terms)
        assert recon_content(connection) == before
        assert second.run_id == 2
