"""That the tables of Stripe stand where their files do: the journal is whole, the files are those that were seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.payments.file_log import FileLog, prefix_digest
from pipelines.warehouse.stripe import loaded_files

if TYPE_CHECKING:
    import duckdb

    from pipelines.books.folder import BooksFolder


def file_defects(connection: duckdb.DuckDBPyConnection, folder: BooksFolder) -> list[dict[str, str]]:
    """Files of Stripe objects that are gone, changed or not loaded as far as seen. Raises for an edited journal."""
    loaded = loaded_files(connection)
    found = []
    for path, entries in FileLog(folder.stripe_log).entries().items():
        last, file = entries[-1], folder.root / path
        at = loaded.get(path)
        if not file.is_file():
            found.append({"file": path, "defect": "gone: a rebuild cannot see what it said"})
        elif prefix_digest(file, last.byte_to).hexdigest() != last.sha256:
            found.append({"file": path, "defect": "changed since it was seen; `tollbook stripe sync` reads it anew"})
        elif at is None or (at.bytes_read, at.sha256) != (last.byte_to, last.sha256):
            found.append({"file": path, "defect": "not loaded as far as it was seen; run `tollbook stripe sync`"})
    return found
