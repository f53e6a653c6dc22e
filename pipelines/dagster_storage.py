"""Dagster's event log in SQLite, written in batches: the events of 92 billing dates cost what those of one did.

Dagster's own storage opens two databases anew for each event and compiles each statement again, 33 ms an event; a run
over a range of dates writes one event per asset and date when it is planned and one when it is done.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from dagster._core.events import ASSET_EVENTS
from dagster._core.events.log import EventLogEntry
from dagster._core.storage.event_log.schema import SqlEventLogStorageTable
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from dagster._serdes import ConfigurableClassData
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.pool import NullPool

BATCH_VARIABLE = "DAGSTER_EVENT_BATCH_SIZE"
"""Dagster's own variable: events that belong together are stored together, at most so many."""

BATCH_EVENTS = 500


class BatchedEventLog(SqliteEventLogStorage):
    """The same files as Dagster's SQLite event log, with one engine per file and one transaction per batch."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        self._engines: dict[str, Engine] = {}
        super().__init__(base_dir, inst_data)

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> "BatchedEventLog":
        """Make the storage that ``dagster.yaml`` names."""
        return cls(inst_data=inst_data, **config_value)

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        """A transaction on the file of a run, or of the index."""
        with self._db_lock:
            engine = self._engine(shard)
            if shard not in self._initialized_dbs:
                self._initdb(engine)
                self._initialized_dbs.add(shard)
            with engine.connect() as connection, connection.begin():
                yield connection

    def _engine(self, shard: str) -> Engine:
        """The engine of one file; it keeps compiled statements, not connections."""
        if shard not in self._engines:
            engine = create_engine(
                self.conn_string_for_shard(shard),
                poolclass=NullPool,
                connect_args={"timeout": SQLITE_BUSY_TIMEOUT_SECONDS},
            )
            event.listen(engine, "connect", _write_ahead)
            self._engines[shard] = engine
        return self._engines[shard]

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        """Store events that belong together: those of a run's assets at once, the others one by one."""
        together = [entry for entry in events if _concerns_asset(entry)]
        for run_id in {entry.run_id for entry in together}:
            self._store_at_once(run_id, [entry for entry in together if entry.run_id == run_id])
        super().store_event_batch([entry for entry in events if not _concerns_asset(entry)])

    def _store_at_once(self, run_id: str, events: Sequence[EventLogEntry]) -> None:
        """As ``store_event``, in one transaction of each of the two files."""
        rows = [self._event_to_row(entry) for entry in events]
        insert = SqlEventLogStorageTable.insert()
        with self.run_connection(run_id) as connection:
            connection.execute(insert, rows)
        with self.index_transaction() as connection:
            ids = [connection.execute(insert, row).lastrowid for row in rows]
            self._store_asset_event_tags(connection, events, ids)
            # The row of an asset names its last event: only the last of each asset counts.
            latest = {row["asset_key"]: place for place, row in enumerate(rows)}
            for place in latest.values():
                self._store_asset_event(connection, events[place], ids[place])


def _concerns_asset(entry: EventLogEntry) -> bool:
    return (
        entry.dagster_event is not None
        and entry.dagster_event_type in ASSET_EVENTS
        and entry.dagster_event.asset_key is not None
    )


def _write_ahead(connection: Any, _record: object) -> None:
    """Leave the waiting for the disk to the checkpoint: a history of runs may lose its last second in a power cut."""
    connection.execute("PRAGMA synchronous=NORMAL")
