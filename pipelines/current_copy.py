"""The published copy for the commands that ask it questions of their own: it must be one that this version made."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from billing_core.errors import ConfigurationError
from pipelines.warehouse.sql import sql_names
from reports.published import open_published, publication

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import duckdb


@contextmanager
def open_current(published: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """The published copy, once it has the tables that this version asks for.

    Raises ConfigurationError when another version made it, and otherwise as `open_published` does.
    """
    with open_published(published) as connection:
        if not is_current(connection):
            found, wanted = publication(connection).schema_version, len(sql_names("migrations"))
            raise ConfigurationError(
                f"{published} was made by another version of Tollbook (schema {found}, this one's is {wanted}); "
                "run `tollbook run` first, which brings the books and the copy to this version"
            )
        yield connection


def is_current(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether an opened copy has this version's tables."""
    return publication(connection).schema_version == len(sql_names("migrations"))
