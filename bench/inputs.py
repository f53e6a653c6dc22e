"""What is measured on: the ServeGen trace where it lies beside the repository, else seeded lines of the same shape."""

from __future__ import annotations

import random
import shutil
from typing import TYPE_CHECKING

import duckdb

from bench.measure import ROOT, TRACES

if TYPE_CHECKING:
    from pathlib import Path

EXAMPLES = ROOT / "docs" / "examples" / "real-logs"
TRACE_ROWS = 2_078_078
DAY = "2026-09-14"
_LINES = "(FORMAT csv, HEADER false, QUOTE '', ESCAPE '', DELIMITER E'\\x01')"
_LINE = """to_json({'request_no': request_no, 'model': model, 'client': 'c' || client,
    't': strftime(TIMESTAMP '2026-09-01 00:00:00' + to_microseconds((t_s * 1e6)::BIGINT), '%Y-%m-%dT%H:%M:%S.%fZ'),
    'input_tokens': input_tokens, 'output_tokens': output_tokens, 'reasoning_tokens': reasoning_tokens,
    'image_count': image_count})::VARCHAR"""
# Arithmetic on the number instead of random(): the same lines on every machine and with any number of threads.
_SYNTHETIC = """SELECT i AS request_no, 'model-' || (hash(i, 1) % 5) AS model,
    (sqrt(hash(i, 2) % 24025))::INTEGER AS client, i * 1209600.0 / {rows} AS t_s,
    (hash(i, 3) % 4000)::BIGINT AS input_tokens, (200 + hash(i, 4) % 2000)::BIGINT AS output_tokens,
    (hash(i, 5) % 200)::BIGINT AS reasoning_tokens, 0 AS image_count FROM range({rows}) AS numbers(i)"""


def lay_out(books: Path, rows: int | None) -> tuple[int, str]:
    """Books with one file of JSON lines; returns the number of lines and what they are.

    `rows`: that many lines; None: the whole trace, or 2,078,078 made-up lines where there is none.
    """
    shutil.copytree(EXAMPLES / "servegen", books)
    with (books / "tollbook.toml").open("a", encoding="utf-8") as config:
        config.write("\n[intake]\nsettle_seconds = 0\n")
    (books / "usage").mkdir()
    trace = TRACES / "servegen_sampled_requests.parquet"
    count = rows or TRACE_ROWS
    is_real = trace.is_file() and count <= TRACE_ROWS
    source = f"'{trace}' WHERE request_no < {count}" if is_real else f"({_SYNTHETIC.format(rows=count)})"
    with duckdb.connect() as connection:
        connection.execute(f"COPY (SELECT {_LINE} FROM {source}) TO '{books}/usage/{DAY}.jsonl' {_LINES}")  # noqa: S608
    return count, "requests sampled with ServeGen" if is_real else "made-up requests (no trace in ../shared/data)"


def reorder(books: Path, other: Path) -> None:
    """The same lines in seeded random order, in four files."""
    shutil.copytree(books, other, ignore=shutil.ignore_patterns("usage", "warehouse", "journal", "*.jsonl"))
    lines = (books / "usage" / f"{DAY}.jsonl").read_bytes().splitlines(keepends=True)
    random.Random(DAY).shuffle(lines)
    (other / "usage").mkdir(exist_ok=True)
    size = -(-len(lines) // 4)
    for part in range(4):
        piece = b"".join(lines[part * size : (part + 1) * size])
        (other / "usage" / f"{DAY}-{part}.jsonl").write_bytes(piece)
