"""One measurement, one process: CPU seconds and peak memory of a child, as the kernel accounts for them."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).resolve().parent.parent
TRACES = ROOT.parent / "shared" / "data"
"""Where real traces lie, where there are any."""
_LIBRARIES = ("tollbook", "duckdb", "polars", "pyarrow", "narwhals", "dagster")


class MeasuredProcessError(RuntimeError):
    """A measured process failed; its output says why."""


@dataclass(frozen=True)
class Measured:
    """CPU seconds (user and system, children that ended included), wall seconds, peak bytes, and the child's answer."""

    cpu: float
    wall: float
    peak_bytes: int
    answer: Any


def measure(command: Sequence[str]) -> Measured:
    """Run a command; its last line of output is its answer as JSON, where it is JSON.

    Raises MeasuredProcessError when it does not exit with 0.
    """
    began = time.perf_counter()
    with subprocess.Popen(  # noqa: S603 our own commands
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as child:
        assert child.stdout is not None
        output = child.stdout.read()
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    wall = time.perf_counter() - began
    if child.returncode:
        raise MeasuredProcessError(f"{' '.join(command)} exited with {child.returncode}:\n{output}")
    unit = 1 if sys.platform == "darwin" else 1024
    return Measured(usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss * unit, _answer(output))


def _answer(output: str) -> Any:
    try:
        return json.loads(output.splitlines()[-1])
    except (IndexError, json.JSONDecodeError):
        return None


def median(values: Sequence[float]) -> float:
    """The middle one."""
    return statistics.median(values)


def print_machine() -> None:
    """What was measured on."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    print(f"{platform.system()} {platform.machine()}, {_processor()}, {os.cpu_count()} CPUs, {memory:.0f} GiB")
    libraries = ", ".join(f"{name} {version(name)}" for name in _LIBRARIES)
    print(f"Python {platform.python_version()}, {libraries}")
    print(f"load average at the start: {os.getloadavg()[0]:.1f}")
    print("beside other work CPU seconds grow by up to a third here, wall seconds by far more\n")


def _processor() -> str:
    described = Path("/proc/cpuinfo")
    if described.is_file():
        for line in described.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown processor"
