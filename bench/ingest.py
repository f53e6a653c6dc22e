"""Lines per CPU second of a whole run, beside DuckDB's own typed read of the same file into a table."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from bench.inputs import DAY, lay_out, reorder
from bench.measure import Measured, measure, median

_FLOOR = """
import sys, duckdb
with duckdb.connect(sys.argv[2]) as connection:
    connection.execute('''CREATE TABLE lines AS SELECT * FROM read_json($path, format = 'newline_delimited', columns = {
        request_no: 'BIGINT', model: 'VARCHAR', client: 'VARCHAR', t: 'TIMESTAMP', input_tokens: 'BIGINT',
        output_tokens: 'BIGINT', reasoning_tokens: 'BIGINT', image_count: 'BIGINT'})''', {'path': sys.argv[1]})
    connection.execute('CHECKPOINT')
"""
_IDLE = "import duckdb, polars; from pipelines import billing"


def run(rows: int | None, repeats: int) -> None:
    """Measure `repeats` times, alternating, and print medians."""
    with tempfile.TemporaryDirectory(prefix="bench-ingest-") as scratch:
        folder = Path(scratch)
        count, what = lay_out(folder / "lines", rows)
        file = folder / "lines" / "usage" / f"{DAY}.jsonl"
        print(f"ingest: {count:,} JSON lines, {file.stat().st_size / 1e6:.0f} MB: {what}")
        whole: list[Measured] = []
        floor: list[Measured] = []
        for attempt in range(repeats):
            whole.append(_whole(folder, attempt, hashed=attempt == 0))
            floor.append(measure([sys.executable, "-c", _FLOOR, str(file), str(folder / f"floor-{attempt}.duckdb")]))
        start = measure([sys.executable, "-c", _IDLE])
        _print(count, whole, floor, start)
        _print_order(folder, str(whole[0].answer["content"]))


def _whole(folder: Path, attempt: int, *, hashed: bool) -> Measured:
    books = folder / f"books-{attempt}"
    _linked_copy(folder / "lines", books)
    flags = ["--hash"] if hashed else []
    return measure([sys.executable, "-m", "bench.billing_child", str(books), DAY, *flags])


def _linked_copy(lines: Path, books: Path) -> None:
    for path in lines.rglob("*"):
        target = books / path.relative_to(lines)
        if path.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            os.link(path, target)


def _print(count: int, whole: list[Measured], floor: list[Measured], start: Measured) -> None:
    # The first run also computes content_hash, which no run needs: a run is its phases and its start.
    totals = [sum(run.answer["cpu"].values()) + start.cpu for run in whole]
    ours, bare = median(totals), median([run.cpu for run in floor])
    print(f"  {'':34s}{'CPU s':>9s}{'lines per CPU s':>18s}{'peak GB':>10s}")
    for name, cpu, runs in (
        ("whole run, read to published copy", ours, whole),
        ("DuckDB read_json, typed, to a table", bare, floor),
    ):
        peak = max(run.peak_bytes for run in runs) / 1e9
        print(f"  {name:35s}{cpu:8.2f}{count / cpu:18,.0f}{peak:10.2f}")
    print(f"  the whole run costs {ours / bare:.1f} times the bare read")
    print(f"  both rows include their start; importing Python's libraries alone costs {start.cpu:.2f}")
    print("  no file takes another path than the exact one (fast path: 0 % of the files)")
    for phase in whole[0].answer["cpu"]:
        print(f"    {phase:22s}{median([run.answer['cpu'][phase] for run in whole]):8.2f}")


def _print_order(folder: Path, content: str) -> None:
    reorder(folder / "lines", folder / "reordered")
    again = measure([sys.executable, "-m", "bench.billing_child", str(folder / "reordered"), DAY, "--hash"])
    same = "the same content_hash" if again.answer["content"] == content else "ANOTHER content_hash: a bug"
    print(f"  the same lines shuffled, in four files: {same} ({content[:16]}...)\n")
