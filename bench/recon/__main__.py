"""`python -m bench.recon write|run|score`: worlds with labelled breaks, our findings in them, anybody's score."""

from __future__ import annotations

import argparse
import csv
import json
import sys
import tempfile
from pathlib import Path

import polars as pl

from bench.recon.build import broken_world, clean_world
from bench.recon.engine import engine_terms, findings, run
from bench.recon.score import read_findings, read_labels, score
from bench.recon.tables import load_files, write_world
from pipelines.warehouse.connection import open_warehouse
from pipelines.warehouse.migrations import migrate
from pipelines.warehouse.views import create_views


def write(folder: Path, seed: int, stories: int, times: int) -> None:
    """Write a world; none of each fault makes a clean one."""
    write_world(broken_world(seed, stories, times) if times else clean_world(seed, stories), folder)
    print(f"{folder}: {len(read_labels(folder / 'labels.csv'))} labelled breaks")


def reconcile(folder: Path, output: Path) -> None:
    """Our engine's findings in a world, as the scorer reads them."""
    terms = json.loads((folder / "world.json").read_text(encoding="utf-8"))
    bank = folder / "bank.parquet"
    lines = pl.read_parquet(bank).to_dicts() if bank.is_file() else []
    with tempfile.TemporaryDirectory(prefix="bench-recon-") as scratch:
        path = Path(scratch) / "tollbook.duckdb"
        with open_warehouse(path) as connection:
            migrate(connection, path)
            create_views(connection)
            load_files(connection, folder)
            result = run(connection, engine_terms(terms, lines))
            found = findings(connection)
    with output.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("code", "subject"), *found])
    print(f"{output}: {len(found)} findings, {result.residual_lines} bridges with a residual")


def judge(labels: Path, found: Path) -> int:
    """Print the score per code; 1 unless all are perfect."""
    scores = score(read_labels(labels), read_findings(found))
    print(f"{'code':30s}{'planted':>8s}{'found':>8s}{'missed':>8s}{'made up':>8s}{'precision':>11s}{'recall':>8s}")
    for item in scores:
        counts = (item.planted, item.found, len(item.missed), len(item.made_up))
        print(
            f"{item.code:30s}" + "".join(f"{count:8d}" for count in counts) + f"{item.precision:>11s}{item.recall:>8s}"
        )
    return 0 if all(item.is_perfect for item in scores) else 1


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m bench.recon", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    writing = verbs.add_parser("write", help="write a world")
    writing.add_argument("folder", type=Path)
    writing.add_argument("--seed", type=int, default=1)
    writing.add_argument("--stories", type=int, default=200, help="ordinary events beside the faults")
    writing.add_argument("--times", type=int, default=3, help="how often each fault is planted; 0: a clean world")
    running = verbs.add_parser("run", help="our engine on a world")
    running.add_argument("folder", type=Path)
    running.add_argument("--output", type=Path, default=Path("found.csv"))
    scoring = verbs.add_parser("score", help="precision and recall per code")
    scoring.add_argument("labels", type=Path)
    scoring.add_argument("found", type=Path)
    given = parser.parse_args()
    if given.verb == "write":
        write(given.folder, given.seed, given.stories, given.times)
    elif given.verb == "run":
        reconcile(given.folder, given.output)
    else:
        return judge(given.labels, given.found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
