"""Bringing journal and database back in step after a crash, and refusing books that do not belong together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from billing_core.errors import ConfigurationError, IntegrityError
from pipelines.books.objects import ObjectStore
from pipelines.books.posting_log import Done
from pipelines.warehouse.script import rows

if TYPE_CHECKING:
    from pathlib import Path

    import duckdb

    from pipelines.books.config_models import BooksConfig
    from pipelines.books.folder import BooksFolder
    from pipelines.books.posting_log import PostingHistory, PostingLog

_NOT_COUNTS = frozenset(
    {
        "posting_id",
        "billing_date",
        "recorded_at",
        "intent_hash",
        "kind",
        "admin_seq",
        "code_version",
        "previous_head",
        "head",
    }
)


def catch_up(connection: duckdb.DuckDBPyConnection, log: PostingLog, database: Path) -> None:
    """Write the done line that a crash after COMMIT left out.

    Raises IntegrityError when the database is not exactly where the journal says, or one posting ahead of it.
    """
    history = log.read_all()
    posted = _heads(connection)
    done = len(history.done)
    if len(posted) == done + 1:
        _require_open_intent(connection, history, database)
        log.append_done(_done_from(connection, done + 1))
        return
    if len(posted) != done:
        raise IntegrityError(_out_of_step(database, len(posted), done))
    if history.last_done is not None and posted[-1] != history.last_done.head:
        raise IntegrityError(
            f"{database}: posting {done} does not have the head that {log.log.path} recorded. The database or the "
            "journal was edited or replaced. Restore both from one backup, or rebuild with `tollbook verify --rebuild`."
        )


def refuse_lost_prices(history: PostingHistory, folder: BooksFolder, config: BooksConfig) -> None:
    """Raise ConfigurationError where a price file that the last posting ran under is gone.

    Without a file the defaults hold, which is right for new books and never what is meant once others were in force.
    """
    if not history.done:
        return
    last = history.intents[len(history.done)].intent
    for name in (config.rates.path, config.packages.path):
        kept = last.objects.get(name)
        if kept is not None and not (folder.root / name).exists():
            raise ConfigurationError(
                f"{folder.root / name}: no such file, but posting {last.posting_id} ran under one, and the built-in "
                f"prices would take its place. Put it back: {ObjectStore(folder.objects).path_of(kept)} holds its bytes"
            )


def _heads(connection: duckdb.DuckDBPyConnection) -> list[str]:
    return [str(head) for (head,) in rows(connection, "SELECT head FROM audit.postings ORDER BY posting_id")]


def _require_open_intent(connection: duckdb.DuckDBPyConnection, history: PostingHistory, database: Path) -> None:
    """The posting ahead must be the one that the journal's last intent announced."""
    intent_hash = rows(connection, "SELECT intent_hash FROM audit.postings ORDER BY posting_id DESC LIMIT 1")[0][0]
    if history.open_intent is None or history.open_intent.hash != intent_hash:
        raise IntegrityError(
            f"{database}: its last posting was never announced in the journal, which was edited, cut or restored from "
            "an older copy. Restore the journal folder, or rebuild with `tollbook verify --rebuild`."
        )


def _out_of_step(database: Path, posted: int, done: int) -> str:
    what = "was restored from an older copy or cut" if posted < done else "knows more than the journal, which was cut"
    return (
        f"{database} holds {posted} postings, the journal {done}: it {what}. Nothing was changed. Restore both "
        "from one backup, or rebuild the database from the journal with `tollbook verify --rebuild --adopt`."
    )


def _done_from(connection: duckdb.DuckDBPyConnection, posting_id: int) -> Done:
    """The done line of a committed posting, from its row."""
    cursor = connection.execute(
        "SELECT * EXCLUDE (recorded_at) FROM audit.postings WHERE posting_id = $id", {"id": posting_id}
    )
    names = [column[0] for column in cursor.description or ()]
    row = dict(zip(names, cursor.fetchall()[0], strict=True))
    counts = {name: int(value) for name, value in row.items() if name not in _NOT_COUNTS}
    return Done(posting_id, str(row["head"]), counts)
