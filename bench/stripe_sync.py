"""Objects per CPU second of a sync over HTTP, beside the SDK's iteration over the same lists, which keeps nothing."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

from bench.measure import Measured, measure, median
from pipelines.stripe_double import actions as do
from pipelines.stripe_double.server import serve
from pipelines.stripe_double.service import TEST_KEY, Service
from pipelines.stripe_double.world import World

OBJECTS_PER_PAYMENT = 6  # intent, charge, movement, three events
DEFAULT_OBJECTS = 30_000
DAY = 86_400
_CONFIG = """
[books]
start = 2026-09-01
[stripe]
mode = "api"
api_base = "{url}"
requests_per_second = 100
"""
_SDK = """
import sys, stripe
client = stripe.StripeClient(sys.argv[2], base_addresses={"api": sys.argv[1]})
services = client.v1
lists = (services.payment_intents, services.charges, services.refunds, services.disputes, services.events,
         services.balance_transactions, services.payouts, services.customers)
print(sum(1 for service in lists for _ in service.list({"limit": 100}).auto_paging_iter()))
"""
_IDLE = "import duckdb, stripe; from pipelines.payments import mirror"


def run(rows: int | None, repeats: int) -> None:
    """Measure `repeats` times, alternating, and print medians."""
    world = _world((rows or DEFAULT_OBJECTS) // OBJECTS_PER_PAYMENT)
    count = sum(len(world.shelf(kind).order) for kind in ("payment_intent", "charge", "balance_transaction", "event"))
    print(f"stripe_sync: {count:,} objects of a double over HTTP on this machine, whose CPU is not counted")
    os.environ["STRIPE_API_KEY"] = TEST_KEY
    whole: list[Measured] = []
    iterated: list[Measured] = []
    with serve(Service(world)) as url, tempfile.TemporaryDirectory(prefix="bench-stripe-") as scratch:
        for attempt in range(repeats):
            books = Path(scratch) / f"books-{attempt}"
            books.mkdir()
            (books / "tollbook.toml").write_text(_CONFIG.format(url=url), encoding="utf-8")
            whole.append(
                measure([sys.executable, "-m", "pipelines.cli", "--books", str(books), "-q", "stripe", "sync"])
            )
            iterated.append(measure([sys.executable, "-c", _SDK, url, TEST_KEY]))
    start = measure([sys.executable, "-c", _IDLE])
    _print(count, whole, iterated, start)


def _world(payments: int) -> World:
    world = World(seed=1, now=int(time.time()))  # events are kept for thirty days
    begin = world.now - 28 * DAY
    for index in range(payments):
        do.pay(world, amount=1000 + index % 977, at=begin + index * 27 * DAY // payments)
    return world


def _print(count: int, whole: list[Measured], iterated: list[Measured], start: Measured) -> None:
    sync, sdk = median([each.cpu for each in whole]), median([each.cpu for each in iterated])
    peak = max(each.peak_bytes for each in whole) / 2**20
    print(f"  sync, load, publish   {sync:6.1f} CPU s  {count / sync:8,.0f} objects/CPU s  peak {peak:,.0f} MiB")
    print(f"  the SDK's iteration   {sdk:6.1f} CPU s  {count / sdk:8,.0f} objects/CPU s")
    print(f"  of that only starting {start.cpu:6.1f} CPU s; sync / iteration = {sync / sdk:.2f}\n")
