"""The four real and sampled traces, billed: what was received, what became of it, tokens and balances, as measured."""

from __future__ import annotations

import gzip
import importlib.util
import shutil
import sys
import tempfile
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from bench.inputs import EXAMPLES
from bench.measure import TRACES, measure

if TYPE_CHECKING:
    from types import ModuleType

_COLUMNS = ("received", "accepted", "duplicate", "quarantined")


def run(rows: int | None, repeats: int) -> None:
    """Bill each trace once and print one row of a Markdown table; `rows` and `repeats` have no meaning here."""
    del rows, repeats
    prepare = _prepare()
    print(
        "| Trace | Received | Accepted | Duplicate | Quarantined | Input tokens | Output tokens | Tokens billed |",
        end="",
    )
    print(" Sum of balances | CPU s |\n|---|---|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory(prefix="bench-traces-") as scratch:
        for name, (needed, lay_out, last) in prepare.LAYOUTS.items():
            if not (TRACES / needed).is_file():
                print(f"{name}: left out, ../shared/data/{needed} is not there")
                continue
            books = Path(scratch) / name
            shutil.copytree(EXAMPLES / name, books)
            lay_out(TRACES, books / "usage")
            if name == "aider":
                _zip(books, Path(scratch) / "zipped")
                _print_row("aider, gzip", Path(scratch) / "zipped", last)
            _print_row(name, books, last)
            shutil.rmtree(books)
    print()


def _prepare() -> ModuleType:
    spec = importlib.util.spec_from_file_location("real_logs_prepare", EXAMPLES / "prepare.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _zip(books: Path, zipped: Path) -> None:
    """The same files as gzip packs them, each with its own name in its header."""
    shutil.copytree(books, zipped)
    for path in (zipped / "usage").rglob("*.jsonl"):
        with path.with_suffix(".jsonl.gz").open("wb") as file, gzip.GzipFile(path.name, "wb", 1, file, 0) as packed:
            packed.write(path.read_bytes())
        path.unlink()


def _print_row(name: str, books: Path, last: str) -> None:
    with (books / "tollbook.toml").open("a", encoding="utf-8") as config:
        config.write("\n[intake]\nsettle_seconds = 0\n")
    measured = measure([sys.executable, "-m", "bench.billing_child", str(books), last])
    counts: dict[str, int] = measured.answer["counts"]
    figures: list[Any] = [counts[column] for column in _COLUMNS]
    with closing(duckdb.connect(measured.answer["published"], read_only=True)) as connection:
        figures += connection.execute(
            "SELECT sum(input_tokens)::BIGINT, sum(output_tokens)::BIGINT FROM books.token_usage"
        ).fetchall()[0]
        figures.append(counts["tokens_billed"])
        figures += connection.execute("SELECT sum(balance)::BIGINT FROM books.token_accounts").fetchall()[0]
    print(f"| {name} | {' | '.join(f'{figure:,}' for figure in figures)} | {measured.cpu:.1f} |", flush=True)
