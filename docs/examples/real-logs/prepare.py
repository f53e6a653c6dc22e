"""Lay published LLM traces out as four books folders: `python prepare.py TRACES BOOKS`.

TRACES is a folder with the Parquet files that README.md lists; those that are absent are left out. BOOKS is made.
Afterwards `tollbook --books BOOKS/aider run --through DATE` (azure, mooncake, servegen) bills them.
"""

# ruff: noqa: INP001, S608, T201  -- a script that says what it does and writes SQL against its own files
from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = Path(__file__).resolve().parent
# One column, written as it is: no quotes, no escapes, and a delimiter that no JSON text holds.
_AS_LINES = "(FORMAT csv, HEADER false, QUOTE '', ESCAPE '', DELIMITER E'\\x01')"
_START = "TIMESTAMP '2026-09-01 00:00:00'"


def aider(traces: Path, usage: Path) -> None:
    """One file per export, in a folder of the day it was committed."""
    rows = duckdb.sql(
        f"""SELECT strftime(to_timestamp(min(snapshot_commit_time)) AT TIME ZONE 'UTC', '%Y-%m-%d'), snapshot_blob,
            list(raw_json ORDER BY line_no)
        FROM '{traces}/aider_message_send_raw_overlapping.parquet' GROUP BY snapshot_blob"""
    ).fetchall()
    for day, blob, lines in rows:
        (usage / day).mkdir(parents=True, exist_ok=True)
        (usage / day / f"{blob}.jsonl").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def azure(traces: Path, usage: Path) -> None:
    """The two Parquet files as they are, in a folder of their day."""
    (usage / "2023-11-16").mkdir(parents=True)
    for name in ("azure_llm_2023_conv.parquet", "azure_llm_2023_code.parquet"):
        shutil.copyfile(traces / name, usage / "2023-11-16" / name)


def mooncake(traces: Path, usage: Path) -> None:
    """One file of JSON lines; the trace's milliseconds are counted from 2026-09-01."""
    usage.mkdir(parents=True)
    duckdb.sql(
        f"""COPY (SELECT to_json({{'timestamp': epoch_ms({_START}) + timestamp, 'input_length': input_length,
                'output_length': output_length, 'hash_ids': hash_ids}})::VARCHAR
            FROM '{traces}/mooncake_fast25_conversation.parquet')
        TO '{usage}/2026-09-01.jsonl' {_AS_LINES}"""
    )


def servegen(traces: Path, usage: Path, where: str = "true") -> None:
    """One file of JSON lines; the sample's seconds are counted from 2026-09-01. `where` chooses requests."""
    usage.mkdir(parents=True)
    duckdb.sql(
        f"""COPY (SELECT to_json({{'request_no': request_no, 'model': model, 'client': 'c' || client,
                't': strftime({_START} + to_microseconds((t_s * 1e6)::BIGINT), '%Y-%m-%dT%H:%M:%S.%fZ'),
                'input_tokens': input_tokens, 'output_tokens': output_tokens, 'reasoning_tokens': reasoning_tokens,
                'image_count': image_count}})::VARCHAR
            FROM '{traces}/servegen_sampled_requests.parquet' WHERE {where})
        TO '{usage}/2026-09-14.jsonl' {_AS_LINES}"""
    )


LAYOUTS: dict[str, tuple[str, Callable[[Path, Path], None], str]] = {
    "aider": ("aider_message_send_raw_overlapping.parquet", aider, "2026-04-25"),
    "azure": ("azure_llm_2023_conv.parquet", azure, "2023-11-16"),
    "mooncake": ("mooncake_fast25_conversation.parquet", mooncake, "2026-09-01"),
    "servegen": ("servegen_sampled_requests.parquet", servegen, "2026-09-14"),
}
"""By name: the file it is made from, what lays it out, and the date of its last file."""


def main(traces: Path, books: Path) -> None:
    """Make a books folder for every trace that is there."""
    for name, (needed, lay_out, last) in LAYOUTS.items():
        if not (traces / needed).is_file():
            print(f"{name}: left out, {traces / needed} does not exist")
            continue
        shutil.copytree(HERE / name, books / name)
        lay_out(traces, books / name / "usage")
        print(f"{name}: tollbook --books {books / name} run --from {last} --through {last}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
