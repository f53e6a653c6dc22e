"""Which framer reads a file, by its name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.intake.archives import member_blocks
from pipelines.intake.csv_framing import csv_batches
from pipelines.intake.errors import UnreadableFileError
from pipelines.intake.framing import Batch, bare_name, byte_blocks, jsonl_batches, make_batch, split_lines
from pipelines.intake.parquet_framing import parquet_batches

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pipelines.intake.sources import FileToRead, RetriedRecord


def is_csv(path: str) -> bool:
    """Whether the values of a file are texts."""
    return bare_name(path)[0].endswith(".csv")


def batches(file: FileToRead) -> Iterator[Batch]:
    """The records of a file in batches; UnreadableFileError if it is damaged or of no known format."""
    name = bare_name(file.relative_path)[0]
    if name.endswith((".jsonl", ".ndjson")):
        stored = byte_blocks(file.path, file.byte_from, file.byte_to)
        return jsonl_batches(member_blocks(file.path, file.member) if file.member else stored, file.first_line)
    if file.member:
        raise UnreadableFileError(file.relative_path, "is read from a zip, of which only JSON lines can be")
    if name.endswith(".csv"):
        return csv_batches(file.path, file.byte_from, file.byte_to, file.first_line)
    if name.endswith(".parquet"):
        return parquet_batches(file.path)
    raise UnreadableFileError(
        file.relative_path, "is of no known format (.jsonl, .ndjson, .csv, .parquet, plain, .gz, .zst, or .zip)"
    )


def retried_batch(retried: Sequence[RetriedRecord]) -> Batch:
    """A batch of kept raw records, in the order given."""
    lines = [split_lines(record.raw, first=False)[0] if record.raw else "" for record in retried]
    return make_batch(lines, [record.line_no for record in retried], [record.record_no for record in retried])
