"""Rebuilding the books from their inputs: the journal replayed over the files and objects that it names.

The rebuilt database stands in a scratch folder. Its hashes must equal those of the live one; if the live one is lost,
the rebuilt one can take its place. Nothing outside the books folder is asked.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from billing_core.errors import IntegrityError
from pipelines.billing import OpenBooks, configured_sources, posting_inputs
from pipelines.books import clock
from pipelines.books.admin_journal import AdminJournal
from pipelines.books.config import OVERRIDES_NAME, load_config, load_packages, load_prices
from pipelines.books.folder import CONFIG_NAME, BooksFolder
from pipelines.books.lock import hold_books
from pipelines.books.objects import ObjectStore
from pipelines.books.posting_log import PostingLog
from pipelines.intake.archives import split_member
from pipelines.intake.remote import StagedObjects, is_remote
from pipelines.payments.load import replay_objects
from pipelines.prices.book import load_provider_prices
from pipelines.warehouse.connection import open_warehouse
from pipelines.warehouse.hashes import content_hash, history_hash
from pipelines.warehouse.migrations import migrate
from pipelines.warehouse.posting import post
from pipelines.warehouse.quarantine import drop_expired
from pipelines.warehouse.views import create_views

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import duckdb

    from pipelines.books.posting_log import Intent, PostingHistory
    from pipelines.intake.found import FoundFile

_CHUNK_BYTES = 1 << 20
_QUARANTINE = "quarantine"


@dataclass(frozen=True, kw_only=True)
class RebuildResult:
    """What a rebuild found. ``live_*`` are None when there was no live database to compare with.

    ``first_difference`` names the first posting whose rebuilt head is not the journal's, None when all agree.
    """

    postings: int
    rebuilt_history: str
    rebuilt_content: str
    live_history: str | None
    live_content: str | None
    first_difference: int | None
    adopted: bool

    @property
    def history_equal(self) -> bool:
        """Whether every rebuilt head is the journal's and every column of the live database is what the inputs give."""
        return self.first_difference is None and self.live_history in (None, self.rebuilt_history)

    @property
    def content_equal(self) -> bool:
        """Whether the live database says the same of the business as its inputs."""
        return self.live_content in (None, self.rebuilt_content)


def rebuild(
    folder: BooksFolder, *, adopt: bool = False, on_posting: Callable[[int, int], None] | None = None
) -> RebuildResult:
    """Replay the posting log into a scratch database and compare it with the live one.

    With ``adopt`` it takes the live one's place if it agrees with the journal; the old one is kept beside it.

    ``on_posting(number, of)`` is told of each posting. Raises IntegrityError when an input that a posting took is
    missing or changed, or the journal is broken.
    """
    with hold_books(folder.lock, "tollbook verify --rebuild"):
        scratch = folder.warehouse / "rebuild"
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(parents=True)
        try:
            result = _rebuild(folder, scratch, on_posting or _quiet)
            if adopt and result.first_difference is None:
                _adopt(folder, scratch)
                result = replace(result, adopted=True)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    return result


def _quiet(number: int, of: int) -> None:
    """Tell nobody."""


def _rebuild(folder: BooksFolder, scratch: Path, on_posting: Callable[[int, int], None]) -> RebuildResult:
    history = PostingLog(folder.posting_log).read_all()
    live = _live_hashes(folder)
    first_difference: int | None = None
    with open_warehouse(scratch / "tollbook.duckdb") as connection:
        migrate(connection, scratch / "tollbook.duckdb")
        create_views(connection)
        for done in history.done:
            on_posting(done.posting_id, len(history.done))
            head = _replay(folder, scratch, connection, history, done.posting_id)
            if head != done.head and first_difference is None:
                first_difference = done.posting_id
        config = load_config(folder)
        replay_objects(connection, folder, config)
        drop_expired(connection, scratch / _QUARANTINE, clock.now(), config.privacy.retention_days)
        rebuilt_history, rebuilt_content = history_hash(connection), content_hash(connection)
    return RebuildResult(
        postings=len(history.done),
        rebuilt_history=rebuilt_history,
        rebuilt_content=rebuilt_content,
        live_history=live[0],
        live_content=live[1],
        first_difference=first_difference,
        adopted=False,
    )


def _live_hashes(folder: BooksFolder) -> tuple[str | None, str | None]:
    if not folder.database.exists():
        return None, None
    with open_warehouse(folder.database) as connection:
        if not connection.execute("SELECT 1 FROM duckdb_tables() WHERE table_name = 'postings'").fetchall():
            return None, None
        return history_hash(connection), content_hash(connection)


def _replay(
    folder: BooksFolder,
    scratch: Path,
    connection: duckdb.DuckDBPyConnection,
    history: PostingHistory,
    posting_id: int,
) -> str:
    """Post one intent again; returns the head it gives."""
    logged = history.intents[posting_id]
    with _as_posted(folder, scratch, connection, logged.intent) as books:
        inputs = posting_inputs(books, logged.intent, logged.hash, _inputs_of(folder, scratch, logged.intent))
        return post(connection, replace(inputs, quarantine=scratch / _QUARANTINE)).head


@contextmanager
def _as_posted(
    folder: BooksFolder, scratch: Path, connection: duckdb.DuckDBPyConnection, intent: Intent
) -> Iterator[OpenBooks]:
    """The books under the configuration texts that the posting ran under."""
    texts = _texts(folder, intent)
    then = BooksFolder(scratch / "configuration")
    shutil.rmtree(then.root, ignore_errors=True)
    for name, text in texts.items():
        (then.root / name).parent.mkdir(parents=True, exist_ok=True)
        (then.root / name).write_bytes(text)
    env = next((name[len("tollbook.") : -len(".toml")] for name in texts if _is_overlay(name)), None)
    config = load_config(then, env, _overrides(texts))
    yield OpenBooks(
        folder=folder,
        config=config,
        connection=connection,
        sources=configured_sources(then, config, with_secrets=False),
        prices=load_prices(then, config),
        packages=load_packages(then, config),
        provider_prices=load_provider_prices(then, config),
        texts=texts,
        log=PostingLog(folder.posting_log),
        admin=AdminJournal(folder.admin_journal),
    )


def _is_overlay(name: str) -> bool:
    return name.startswith("tollbook.") and name.endswith(".toml") and name != CONFIG_NAME


def _overrides(texts: Mapping[str, bytes]) -> dict[str, str]:
    return dict(json.loads(texts[OVERRIDES_NAME])) if OVERRIDES_NAME in texts else {}


def _texts(folder: BooksFolder, intent: Intent) -> dict[str, bytes]:
    """Configuration texts of the posting; the small inputs stand among the objects too and are left out."""
    store = ObjectStore(folder.objects)
    inputs = {file.path for file in intent.files}
    return {name: store.get(sha256) for name, sha256 in intent.objects.items() if name not in inputs}


def _inputs_of(folder: BooksFolder, scratch: Path, intent: Intent) -> dict[str, Path]:
    """Each taken file as it was when it was taken.

    It comes from the objects, the usage folder, or the first bytes of a file that has grown since.
    Raises IntegrityError when the bytes are no longer there.
    """
    paths: dict[str, Path] = {}
    shutil.rmtree(scratch / "inputs", ignore_errors=True)
    for file in intent.files:
        if file.outcome == "taken":
            paths[file.path] = _input(folder, scratch / "inputs" / file.path, file, intent.objects.get(file.path))
    return paths


def _input(folder: BooksFolder, copy: Path, file: FoundFile, kept: str | None) -> Path:
    stored = split_member(file.path)[0]
    origin = folder.root / stored
    if kept is not None:
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(ObjectStore(folder.objects).get(kept))
        return copy
    if is_remote(stored):
        objects = StagedObjects(folder.staged, 0, evicts=False)
        origin = objects.place(stored, file.e_tag or "", file.sha256, file.size_bytes, file.version)
    if not origin.is_file() or origin.stat().st_size < file.size_bytes:
        raise IntegrityError(_gone(file, "is missing or shorter"))
    is_whole = origin.stat().st_size == file.size_bytes
    if not is_whole:
        copy.parent.mkdir(parents=True, exist_ok=True)
    if _first_bytes(origin, file.size_bytes, None if is_whole else copy) != file.sha256:
        raise IntegrityError(_gone(file, "no longer holds the bytes"))
    return origin if is_whole else copy


def _first_bytes(origin: Path, size: int, copy: Path | None) -> str:
    """Sha256 of the first ``size`` bytes, copied on the way if asked."""
    digest = hashlib.sha256()
    with origin.open("rb") as source, (copy or Path("/dev/null")).open("wb") as target:
        while size > 0 and (chunk := source.read(min(size, _CHUNK_BYTES))):
            digest.update(chunk)
            size -= len(chunk)
            if copy is not None:
                target.write(chunk)
    return digest.hexdigest()


def _gone(file: FoundFile, what: str) -> str:
    return (
        f"{file.path} {what} that a posting took (sha256 {file.sha256[:12]}...). Put the file back as it was; "
        "a rebuild reads every usage file again."
    )


def _adopt(folder: BooksFolder, scratch: Path) -> None:
    """Give the rebuilt files the live names; the old database stays as tollbook.replaced.duckdb."""
    if folder.database.exists():
        folder.database.replace(folder.database.with_name("tollbook.replaced.duckdb"))
        folder.database.with_name(f"{folder.database.name}.wal").unlink(missing_ok=True)
    (scratch / "tollbook.duckdb").replace(folder.database)
    if (scratch / _QUARANTINE).is_dir():
        folder.quarantine.mkdir(parents=True, exist_ok=True, mode=0o700)
        for path in (scratch / _QUARANTINE).iterdir():
            path.replace(folder.quarantine / path.name)
