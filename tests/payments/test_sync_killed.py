"""SIGKILL at any point, bursts of 429, 500 and lost connections: the tables are those of an undisturbed sync."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING

import pytest

from pipelines.stripe_double.faults import Faults
from pipelines.stripe_double.server import serve
from pipelines.stripe_double.service import Service
from tests.payments.killed_sync import KilledSync, shop, size_of

if TYPE_CHECKING:
    from pathlib import Path

    from pipelines.stripe_double.world import World


def assert_whole(sync: KilledSync, world: World) -> None:
    """No object of the world is missing in the books, none is there twice."""
    tables = sync.tables()
    for kind in ("payment_intent", "charge", "refund", "dispute", "balance_transaction", "payout", "customer", "event"):
        found = sorted(row[0] for row in tables[f"{kind}s"])
        assert found == sorted(thing["id"] for thing in world.objects(kind)), kind
    items = [row[:2] for row in tables["payout_items"]]
    assert items == sorted((po, item) for po, wanted in world.payout_items.items() for item in wanted)


@pytest.mark.slow
def test_killed_sync_ends_in_the_same_tables(tmp_path: Path) -> None:
    """A small account, disturbed and killed twice: while it fetches and while it loads."""
    world = shop(60)
    service = Service(world, Faults(seed=4, chance={"429": 40, "500": 40, "drop": 40, "cut": 40}))
    with serve(service) as url:
        sync = KilledSync(tmp_path / "books", url, service)
        sync.prepare()
        sync.kill_after_requests(9)
        sync.kill_while_loading(0.05)
        sync.finish()
    assert sync.kills == 2
    assert_whole(sync, world)


@pytest.mark.large
@pytest.mark.parametrize("is_disturbed", [False, True], ids=["quiet", "disturbed"])
def test_hundred_thousand_objects_killed_twenty_times(tmp_path: Path, is_disturbed: bool) -> None:  # noqa: FBT001 a parameter of the test
    """At full size: killed at 20 random points, quiet and through bursts of 429, 500 and lost connections."""
    dice = random.Random(20)
    world = shop(16_500)
    assert size_of(world) >= 100_000
    service = Service(world)
    with serve(service) as url:
        clean = KilledSync(tmp_path / "clean", url, service)
        clean.prepare()
        begun = time.monotonic()
        clean.finish()
        seconds = time.monotonic() - begun
        requests = service.requests
        rate, cpu = size_of(world) / seconds, clean.cpu_seconds
        print(f"{size_of(world):,} objects: {rate:,.0f}/s, {cpu:.1f} CPU s, {requests:,} requests")  # noqa: T201
        if is_disturbed:
            service.faults.chance = {"429": 15, "500": 15, "drop": 15, "cut": 15}
        killed = KilledSync(tmp_path / "killed", url, service)
        killed.prepare()
        while killed.kills < 17:
            killed.kill_after_requests(dice.randrange(1, requests // 17))
        while killed.kills < 20:
            killed.kill_while_loading(dice.uniform(0.1, 5))
        killed.finish()
        print(f"disturbed: {service.faults.happened}; {killed.cpu_seconds:.1f} CPU s over {len(killed.outputs)} runs")  # noqa: T201
    assert_whole(killed, world)
    assert killed.tables() == clean.tables()
