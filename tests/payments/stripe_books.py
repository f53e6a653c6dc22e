"""Books whose payment side talks to a double: one open database, syncs without the rest of the command."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pipelines.books.config import load_config
from pipelines.books.folder import BooksFolder
from pipelines.payments.client import StripeApi
from pipelines.payments.keys import ApiKey
from pipelines.payments.load import Loaded, load_objects
from pipelines.payments.mirror import known_objects
from pipelines.payments.options import SyncOptions
from pipelines.payments.sync import run_sync
from pipelines.stripe_double.service import TEST_KEY, Service
from pipelines.stripe_double.transport import InProcessClient
from pipelines.warehouse.stripe import KEYS

if TYPE_CHECKING:
    from pathlib import Path

    import duckdb

    from pipelines.payments.extract import SyncState

CONFIG = '[books]\nstart = 2026-09-01\n[stripe]\nmode = "{mode}"\n{more}\n[intake]\nsettle_seconds = 0\n'
WHEN_AND_WHERE = ("fetched_at", "first_fetched_at", "taken_at", "source_file", "source_line")


@dataclass
class StripeBooks:
    """A books folder and its open database."""

    folder: BooksFolder
    connection: duckdb.DuckDBPyConnection
    service: Service
    slept: list[float] = field(default_factory=list)

    @classmethod
    def make(cls, root: Path, connection: duckdb.DuckDBPyConnection, service: Service, more: str = "") -> StripeBooks:
        """Write the configuration; `more` are further keys of [stripe]."""
        root.mkdir(exist_ok=True)
        (root / "tollbook.toml").write_text(CONFIG.format(mode="api", more=more), encoding="utf-8")
        (root / "stripe").mkdir(exist_ok=True)
        return cls(BooksFolder(root), connection, service)

    def now(self) -> datetime:
        """The clock of the double's world."""
        return datetime.fromtimestamp(self.service.world.now, UTC)

    def api(self, key: str = TEST_KEY) -> StripeApi:
        """A client without pauses: what it would have slept is in `slept`."""
        return StripeApi(
            ApiKey(key, livemode=False),
            "STRIPE_API_KEY",
            requests_per_second=100_000,
            http_client=InProcessClient(self.service),
            sleep=self.slept.append,
        )

    def fetch(self, *, full: bool = False) -> SyncState:
        """Fetch what is new, a minute after everything that has happened so far."""
        world = self.service.world
        config = load_config(self.folder, environ={})
        known = known_objects(self.connection, world.account, livemode=False, now=self.now())
        options = SyncOptions(full=full, now=self.now)
        return run_sync(self.api(), config.stripe, self.folder.root, world.account, known, options)

    def load(self) -> Loaded:
        """Load what is new in the files."""
        config = load_config(self.folder, environ={})
        return load_objects(self.connection, self.folder, config, now=self.now)

    def sync(self, *, full: bool = False) -> SyncState:
        """Fetch and load."""
        state = self.fetch(full=full)
        self.load()
        return state

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Ask the database."""
        return self.connection.execute(query).fetchall()

    def ids(self, table: str) -> list[str]:
        """The ids of a table, sorted."""
        key = KEYS[table][0]
        return [identity for (identity,) in self.rows(f"SELECT {key} FROM stripe.{table} ORDER BY 1")]

    def tables(self) -> dict[str, list[tuple[Any, ...]]]:
        """Everything that the tables say of Stripe, but not when and where it was read."""
        return everything(self.connection)


def everything(connection: duckdb.DuckDBPyConnection) -> dict[str, list[tuple[Any, ...]]]:
    """The rows of each table in order, without instants and places of reading; without the marks of syncs."""
    found = {}
    for table in KEYS:
        if table == "syncs":
            continue
        known = [name for (name, *_) in connection.execute(f"DESCRIBE stripe.{table}").fetchall()]
        columns = ", ".join(name for name in known if name not in WHEN_AND_WHERE)
        found[table] = connection.execute(f"SELECT {columns} FROM stripe.{table} ORDER BY ALL").fetchall()
    return found
