"""The files of a posting: their numbers, and what of each was refused, read or seen before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.intake.found import DUPLICATE, REFUSED, TAKEN, KnownFile
from pipelines.intake.signatures import UNSIGNED
from pipelines.parsed_sql import run
from pipelines.warehouse.script import insert_rows, rows, scalar

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    import duckdb

    from pipelines.intake.errors import UnreadableFileError
    from pipelines.intake.found import Discovery, FoundFile
    from pipelines.intake.sources import Source

_POSTING_FILES = """
CREATE OR REPLACE TEMP TABLE posting_files (
    file_id BIGINT, source VARCHAR, kind VARCHAR, path VARCHAR, sha256 VARCHAR, size_bytes BIGINT, byte_from BIGINT,
    continues_file_id BIGINT, profile VARCHAR, profile_sha256 VARCHAR, file_date DATE, outcome VARCHAR, reason VARCHAR,
    first_line BIGINT, received BIGINT DEFAULT 0)
"""


def number_files(
    connection: duckdb.DuckDBPyConnection, files: Sequence[FoundFile], sources: Mapping[str, Source]
) -> dict[tuple[str, str], int]:
    """Give each file of the posting the next file_id, in their order; returns the id by (source, path)."""
    first = scalar(connection, "SELECT coalesce(max(file_id), 0) + 1 FROM audit.usage_files")
    run(connection, _POSTING_FILES)
    values = [
        [
            file_id,
            file.source,
            file.kind,
            file.path,
            file.sha256,
            file.size_bytes,
            file.byte_from,
            file.continues_file_id,
            sources[file.source].profile_name,
            sources[file.source].profile_sha256,
            file.file_date,
            file.outcome,
            file.reason,
            file.first_line,
        ]
        for file_id, file in enumerate(files, start=first)
    ]
    if values:
        insert_rows(connection, "posting_files", [[*row, 0] for row in values])
    return {(file.source, file.path): file_id for file_id, file in enumerate(files, start=first)}


def note_received(
    connection: duckdb.DuckDBPyConnection, received: Mapping[int, int], unreadable: Mapping[int, UnreadableFileError]
) -> None:
    """Note how many records were framed of each file, and which files could not be read at all."""
    for file_id, count in received.items():
        run(
            connection,
            "UPDATE posting_files SET received = $count WHERE file_id = $file_id",
            {"count": count, "file_id": file_id},
        )
    for file_id, error in unreadable.items():
        run(
            connection,
            "UPDATE posting_files SET outcome = 'refused', reason = $reason, received = 0 WHERE file_id = $file_id",
            {"file_id": file_id, "reason": error.reason.value},
        )


def known_files(connection: duckdb.DuckDBPyConnection) -> list[KnownFile]:
    """Every file that the books have taken, seen again or refused."""
    found = rows(
        connection,
        "SELECT file_id, source, path, sha256, size_bytes, outcome, reason FROM audit.usage_files ORDER BY file_id",
    )
    return [KnownFile(*row) for row in found]  # type: ignore[arg-type]


def not_yet_posted(connection: duckdb.DuckDBPyConnection, files: Sequence[FoundFile]) -> list[FoundFile]:
    """Files of a survey that no posting has dealt with; one refused for its signature is new once it may be taken."""
    known = rows(connection, "SELECT source, sha256, path, outcome, reason FROM audit.usage_files")
    taken = {row[:2] for row in known if row[3] == TAKEN}
    unread = {row[:3] for row in known if row[3] == REFUSED and row[4] not in UNSIGNED}
    noted = set(known)

    def is_new(file: FoundFile) -> bool:
        place = (file.source, file.sha256, file.path)
        if file.outcome == TAKEN:
            return place[:2] not in taken and place not in unread
        return (*place, file.outcome, file.reason) not in noted

    return [file for file in files if is_new(file)]


def without_changed(discovery: Discovery, files: Sequence[FoundFile], changed: Collection[str]) -> list[FoundFile]:
    """The files less those that changed under the reader and the repeats of these: nothing is there to be repeated."""
    lost = {(file.source, file.sha256) for file in discovery.files if file.outcome == TAKEN and file.path in changed}
    return [
        file
        for file in files
        if file.path not in changed and not (file.outcome == DUPLICATE and (file.source, file.sha256) in lost)
    ]
