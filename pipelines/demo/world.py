"""Writes the demo's world into a folder and returns what the books must find there."""

from __future__ import annotations

import shutil
from importlib.resources import files
from typing import TYPE_CHECKING

from billing_core.errors import ConfigurationError
from pipelines.demo import faults as fault
from pipelines.demo.accounts import account_lines, roster
from pipelines.demo.calls import Callers
from pipelines.demo.credits import Treasury
from pipelines.demo.dates import FileSlot, file_slots
from pipelines.demo.dice import Dice
from pipelines.demo.folder import prepare_folder
from pipelines.demo.payments import Till
from pipelines.demo.tally import Tally
from pipelines.demo.usage_app import app_line
from pipelines.demo.usage_gateway import gateway_line
from pipelines.demo.writing import sign, write_lines

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pipelines.demo.accounts import Account
    from pipelines.demo.faults import Planted
    from pipelines.demo.plan import Plan

MAX_ROWS = 5_000_000
_TEMPLATES = ("tollbook.toml", "rates.toml", "packages.toml", "demo-secret.txt")
_SHARE = {"app": 6, "gateway": 4}


def write_world(folder: Path, seed: int = 1, rows: int = 5_000) -> Plan:
    """Write a whole books folder with `rows` usage lines, or as few as the planted ones allow, and return the plan.

    A demo that stands in `folder` is replaced. Usage is streamed: memory does not grow with `rows`.
    The secret in demo-secret.txt is public and the same in every demo; it shows signing, it protects nothing.
    Raises ConfigurationError for a folder that is not a demo, a negative seed, or rows outside 1 .. 5,000,000.
    """
    if not 0 < rows <= MAX_ROWS:
        message = f"--rows {rows}: must be between 1 and {MAX_ROWS}"
        raise ConfigurationError(message)
    if seed < 0:
        message = f"--seed {seed}: must be 0 or more"
        raise ConfigurationError(message)
    prepare_folder(folder)
    for name in _TEMPLATES:
        (folder / name).write_bytes(files("pipelines.demo").joinpath("templates", name).read_bytes())
    (folder / "demo-secret.txt").chmod(0o600)
    return _World(folder, seed, rows).write()


class _World:
    def __init__(self, folder: Path, seed: int, rows: int) -> None:
        self._folder, self._seed, self._rows = folder, seed, rows
        self._accounts = roster()
        regulars: tuple[Account, ...] = tuple(account for account in self._accounts if account.regular)
        self._callers = Callers(regulars, Dice(seed))
        self._faults = fault.Faults(self._accounts, self._callers)
        self._till = Till(seed, self._accounts)
        self._treasury = Treasury(self._accounts, self._till)
        self._tally = Tally(self._treasury)
        self._secret = (folder / "demo-secret.txt").read_bytes().strip()

    def write(self) -> Plan:
        first = 1
        for slot, count in self._shares():
            self._usage(slot, first, count)
            first += count
        self._resent()
        self._refused(fault.UNSIGNED[0], self._faults.refused)
        self._tally.file("unsigned", fault.UNSIGNED[1])
        sign(self._refused(fault.FORGED[0], self._faults.forged), b"not the secret of these books")
        self._tally.file("forged", fault.FORGED[1])
        write_lines(self._folder / "accounts/accounts.jsonl", account_lines(self._accounts))
        for path, lines in self._treasury.files().items():
            write_lines(self._folder / path, lines)
        self._till.close(self._folder / "stripe")
        return self._tally.plan(self._seed, self._rows, dict(sorted(self._till.planted.items())))

    def _shares(self) -> Iterator[tuple[FileSlot, int]]:
        # One ordinary call a file, so that no two files are equal, and the others by the hours that a file covers.
        # Rounding down the running total loses none.
        slots = file_slots()
        spare = max(self._rows - self._faults.count() - len(slots), 0)
        weights = [(slot.to_ms - slot.from_ms) * _SHARE[slot.stream] for slot in slots]
        total, done = sum(weights), 0
        for slot, weight in zip(slots, weights, strict=True):
            yield slot, 1 + spare * (done + weight) // total - spare * done // total
            done += weight

    def _usage(self, slot: FileSlot, first: int, count: int) -> None:
        path = self._folder / slot.path
        write_lines(
            path,
            self._lines(slot, first, count),
            bom=slot.path == fault.BOM_FILE,
            newline=b"\r\n" if slot.path == fault.CRLF_FILE else b"\n",
            closed=slot.path != fault.OPEN_ENDED_FILE,
        )
        if slot.stream == "app":
            sign(path, self._secret)
        self._tally.file("taken", slot.day)

    def _lines(self, slot: FileSlot, first: int, count: int) -> Iterator[bytes]:
        # Planted lines stand evenly among the ordinary ones, which run in time order.
        waiting = list(self._faults.lines.get(slot.path, ()))
        gap, width = count // (len(waiting) + 1) + 1, slot.to_ms - slot.from_ms
        line = app_line if slot.stream == "app" else gateway_line
        for index in range(count):
            if index % gap == gap - 1 and waiting:
                yield self._planted(waiting.pop(0), slot)
            begin = slot.from_ms + width * index // count
            call = self._callers.ordinary(first + index, begin, slot.from_ms + width * (index + 1) // count)
            self._tally.call(call, slot.day)
            yield line(call)
        for rest in waiting:
            yield self._planted(rest, slot)

    def _planted(self, planted: Planted, slot: FileSlot) -> bytes:
        self._tally.planted(planted, slot.day)
        return planted.raw

    def _resent(self) -> None:
        original, copy, day = fault.REDELIVERED
        target = self._folder / copy
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(self._folder / original, target)
        sign(target, self._secret)
        self._tally.file("duplicate", day)
        self._tally.resent(target.read_bytes().count(b"\n"))

    def _refused(self, path: str, lines: list[bytes]) -> Path:
        write_lines(self._folder / path, lines)
        return self._folder / path
