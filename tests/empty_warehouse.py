"""An empty database of the newest schema, made once in a process and copied: making one costs as much as a posting."""

from __future__ import annotations

import shutil
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from pipelines.warehouse.connection import OWNER_ONLY, open_warehouse
from pipelines.warehouse.migrations import migrate
from pipelines.warehouse.views import create_views


def place_warehouse(path: Path) -> None:
    """Put the database at ``path``, as the first opening of books would."""
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(Path(_made().name) / "tollbook.duckdb", path)
    path.chmod(OWNER_ONLY)


@cache
def _made() -> TemporaryDirectory[str]:
    """The folder of the one that is copied; it goes when the process ends."""
    folder = TemporaryDirectory(prefix="tollbook-empty-", ignore_cleanup_errors=True)
    path = Path(folder.name) / "tollbook.duckdb"
    with open_warehouse(path) as connection:
        migrate(connection, path)
        create_views(connection)
    return folder
