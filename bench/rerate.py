"""Re-rating stored events: CPU seconds against a bare scan-and-sum of the same columns plus writing the same result."""

from __future__ import annotations

import sys
import tempfile

from bench.measure import measure, median

_ROWS = 20_000_000
_LIMIT = 2.0


def run(rows: int | None, repeats: int) -> None:
    """Print both, and their ratio, for a book of settings alone and for one with rules of several kinds."""
    count = rows or _ROWS
    print(f"rerate: {count:,} stored events in DuckDB, CPU seconds, median of {repeats}")
    for book in ("settings", "rules"):
        figures = []
        for _ in range(repeats):
            with tempfile.TemporaryDirectory(prefix="tollbook-bench-") as folder:
                command = [sys.executable, "-m", "bench.rerate_child", folder, str(count), book]
                figures.append(measure(command).answer)
        rerate, scan, write = (median([one[name] for one in figures]) for name in ("rerate", "scan", "write"))
        print(
            f"  {book:10s} re-rate and write {rerate:7.2f}   scan and sum {scan:6.2f} + write {write:6.2f}"
            f"   ratio {rerate / (scan + write):5.2f} (at most {_LIMIT})"
        )
    print()
