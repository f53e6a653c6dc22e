"""Syncs of real processes with a double over HTTP, killed at chosen points and started again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pipelines.payments.extract import Cursor
from pipelines.stripe_double import actions as do
from pipelines.stripe_double.service import TEST_KEY
from pipelines.stripe_double.world import World
from pipelines.warehouse.connection import open_warehouse
from tests.empty_warehouse import place_warehouse
from tests.payments.stripe_books import CONFIG, everything

if TYPE_CHECKING:
    from pathlib import Path

    from pipelines.stripe_double.service import Service

DAY = 86_400
POLL_SECONDS = 0.002


def shop(payments: int, seed: int = 1) -> World:
    """A month of sales with daily payouts: about six objects a payment, events among them."""
    world = World(seed=seed, now=int(time.time()))
    begin = world.now - 28 * DAY
    customers = [do.customer(world, at=begin) for _ in range(max(1, payments // 20))]
    for index in range(payments):
        at = begin + index * 27 * DAY // payments
        paid = do.pay(world, amount=1000 + index % 977, customer=customers[index % len(customers)], at=at)
        if index % 40 == 0:
            do.refund(world, str(paid.charge), amount=500, at=at + 3600)
        if index % 400 == 0:
            do.dispute(world, str(paid.charge), at=at + 7200)
    for day in range(3, 26):
        payout = do.payout(world, at=begin + day * DAY)
        if payout is not None:
            do.arrive(world, payout, at=begin + (day + 2) * DAY)
    return world


def size_of(world: World) -> int:
    """How many objects a sync of the world brings, payout items apart."""
    return sum(len(world.shelf(kind).order) for kind in ("payment_intent", "charge", "refund", "dispute")) + sum(
        len(world.shelf(kind).order) for kind in ("balance_transaction", "payout", "customer", "event")
    )


@dataclass
class KilledSync:
    """A books folder whose sync runs in processes of its own."""

    root: Path
    url: str
    service: Service
    cpu_seconds: float = 0.0
    kills: int = 0
    outputs: list[str] = field(default_factory=list)

    def prepare(self) -> None:
        """Write the configuration."""
        self.root.mkdir()
        more = f'api_base = "{self.url}"\nrequests_per_second = 100'
        (self.root / "tollbook.toml").write_text(CONFIG.format(mode="api", more=more), encoding="utf-8")
        place_warehouse(self.root / "warehouse" / "tollbook.duckdb")

    def start(self) -> subprocess.Popen[str]:
        """Start `tollbook stripe sync`."""
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("STRIPE", "TOLLBOOK"))},
            "STRIPE_API_KEY": TEST_KEY,
        }
        command = [sys.executable, "-m", "pipelines.cli", "--books", str(self.root), "--json", "stripe", "sync"]
        return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def kill_after_requests(self, count: int) -> None:
        """Kill the process once it has sent so many requests; if it ends before, it has ended."""
        goal = self.service.requests + count
        self._kill_when(lambda: self.service.requests >= goal)

    def kill_while_loading(self, seconds: float) -> None:
        """Kill the process some time after its last page, while it loads or publishes."""
        until: list[float] = []

        def is_time() -> bool:
            if not until and self._is_fetched():
                until.append(time.monotonic() + seconds)
            return bool(until) and time.monotonic() >= until[0]

        self._kill_when(is_time)

    def _is_fetched(self) -> bool:
        paths = list((self.root / "stripe").glob("cursor-*.json"))
        return bool(paths) and Cursor.load(paths[0]).current is None

    def _kill_when(self, is_time: Any) -> None:
        process = self.start()
        while not _has_ended(process) and not is_time():
            time.sleep(POLL_SECONDS)
        if not _has_ended(process):
            os.kill(process.pid, signal.SIGKILL)
            self.kills += 1
        self._reap(process)

    def finish(self) -> None:
        """Let the sync end well. Raises AssertionError with its output otherwise."""
        process = self.start()
        code = self._reap(process)
        assert code == 0, self.outputs[-1]

    def _reap(self, process: subprocess.Popen[str]) -> int:
        assert process.stdout is not None
        self.outputs.append(process.stdout.read())
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        process.stdout.close()
        self.cpu_seconds += usage.ru_utime + usage.ru_stime
        return int(process.returncode)

    def tables(self) -> dict[str, list[tuple[Any, ...]]]:
        """What the books say in the end, but for snapshots of the balance."""
        with open_warehouse(self.root / "warehouse" / "tollbook.duckdb") as connection:
            return {name: rows for name, rows in everything(connection).items() if name != "balances"}


def _has_ended(process: subprocess.Popen[str]) -> bool:
    """Whether the process has ended, without taking its last word: the CPU time is read with it."""
    return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
