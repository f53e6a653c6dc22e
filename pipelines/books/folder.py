"""Where the books are and what lies where in them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from billing_core.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

CONFIG_NAME = "tollbook.toml"
BOOKS_VARIABLE = "TOLLBOOK_BOOKS"
_HOW_TO = "make one with `tollbook init`, or name it with `tollbook --books DIR ...`"


@dataclass(frozen=True)
class BooksFolder:
    """The paths of one books folder; `root` is absolute and free of symbolic links."""

    root: Path

    @property
    def config(self) -> Path:
        """The configuration, tollbook.toml."""
        return self.root / CONFIG_NAME

    def overlay(self, env: str) -> Path:
        """Return the overlay of one environment, tollbook.<env>.toml."""
        return self.root / f"tollbook.{env}.toml"

    @property
    def rates(self) -> Path:
        """The settings and price rules where the configuration does not say otherwise."""
        return self.root / "rates.toml"

    @property
    def packages(self) -> Path:
        """The token packages where the configuration does not say otherwise."""
        return self.root / "packages.toml"

    @property
    def profiles(self) -> Path:
        """The user's own source profiles."""
        return self.root / "profiles"

    @property
    def journal(self) -> Path:
        """The append-only inputs that the books write themselves."""
        return self.root / "journal"

    @property
    def admin_journal(self) -> Path:
        """Grants, deductions, blocks and unblocks."""
        return self.journal / "admin.jsonl"

    @property
    def recon_journal(self) -> Path:
        """Overrides of breaks, and when each break was seen first."""
        return self.journal / "recon.jsonl"

    @property
    def posting_log(self) -> Path:
        """What each posting took, and its head."""
        return self.journal / "postings.jsonl"

    @property
    def stripe_log(self) -> Path:
        """Which files of Stripe objects were seen, how far and when."""
        return self.journal / "stripe.jsonl"

    @property
    def stripe(self) -> Path:
        """The raw extract of the sync, and how far it has come."""
        return self.root / "stripe"

    @property
    def objects(self) -> Path:
        """Configuration texts and small inputs by their sha256."""
        return self.journal / "objects"

    @property
    def warehouse(self) -> Path:
        """Everything generated; removing it loses nothing that a rebuild does not bring back."""
        return self.root / "warehouse"

    @property
    def database(self) -> Path:
        """The live database, opened by the one writer only."""
        # DuckDB names the catalog after the file: `books` would make books.token_usage ambiguous with the schema.
        return self.warehouse / "tollbook.duckdb"

    @property
    def published(self) -> Path:
        """The copy that readers open."""
        return self.warehouse / "published" / "tollbook.duckdb"

    @property
    def quarantine(self) -> Path:
        """Raw bytes of quarantined lines."""
        return self.warehouse / "quarantine"

    @property
    def reports(self) -> Path:
        """Rendered reports."""
        return self.warehouse / "reports"

    @property
    def dagster_home(self) -> Path:
        """The Dagster instance that `tollbook run` writes and `tollbook ui` shows."""
        return self.warehouse / "dagster"

    @property
    def file_hashes(self) -> Path:
        """A disposable cache of the hashes of input files."""
        return self.warehouse / "file_hashes.json"

    @property
    def staged(self) -> Path:
        """Copies of objects in stores; a cache."""
        return self.warehouse / "staged"

    @property
    def lock(self) -> Path:
        """The file lock of everything that writes. Outside warehouse/, which a user may remove."""
        return self.root / ".tollbook.lock"


def find_books(
    explicit: Path | str | None = None, environ: Mapping[str, str] | None = None, cwd: Path | None = None
) -> BooksFolder:
    """Find the books: the folder named, else TOLLBOOK_BOOKS, else the nearest tollbook.toml from `cwd` upwards.

    Raises ConfigurationError when there are none; a named folder is never searched upwards.
    """
    if explicit is not None:
        return open_books(Path(explicit), "--books")
    from_environment = (os.environ if environ is None else environ).get(BOOKS_VARIABLE)
    if from_environment:
        return open_books(Path(from_environment), BOOKS_VARIABLE)
    start = (cwd or Path.cwd()).resolve()
    for folder in (start, *start.parents):
        if (folder / CONFIG_NAME).is_file():
            return BooksFolder(folder)
    msg = f"no books folder: {start} and the folders above it hold no {CONFIG_NAME}; {_HOW_TO}"
    raise ConfigurationError(msg)


def open_books(folder: Path, said_by: str) -> BooksFolder:
    """Return the books in exactly this folder; `said_by` names the option or variable in the error."""
    root = folder.expanduser().resolve()
    if not root.is_dir():
        msg = f"{said_by}: {root} is not a folder; {_HOW_TO}"
        raise ConfigurationError(msg)
    if not (root / CONFIG_NAME).is_file():
        msg = f"{said_by}: {root} holds no {CONFIG_NAME}; {_HOW_TO}"
        raise ConfigurationError(msg)
    return BooksFolder(root)
