"""CPU seconds until the command answers."""

from __future__ import annotations

import sys

from bench.measure import measure, median

_COMMANDS = {
    "python -c pass": ["-c", "pass"],
    "tollbook --help": ["-m", "pipelines.cli", "--help"],
    "tollbook --version": ["-m", "pipelines.cli", "--version"],
    "tollbook run --help": ["-m", "pipelines.cli", "run", "--help"],
}


def run(rows: int | None, repeats: int) -> None:
    """Print the median of at least five runs of each; `rows` has no meaning here."""
    del rows
    print("startup: CPU seconds, median")
    for name, arguments in _COMMANDS.items():
        runs = [measure([sys.executable, *arguments]) for _ in range(max(5, repeats))]
        print(f"  {name:22s}{median([one.cpu for one in runs]):8.3f}   wall {median([one.wall for one in runs]):.3f}")
    print()
