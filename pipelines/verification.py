"""Full verification: every check over all history, every seal recomputed, the journals and the published copy compared.

Nothing is printed and nothing of the books is changed; what was found is appended to audit.verifications.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import duckdb

from billing_core.chain import GENESIS, Block, posting_head
from billing_core.errors import IntegrityError, TollbookError
from pipelines.books import clock
from pipelines.books.admin_journal import AdminJournal
from pipelines.books.config import load_config
from pipelines.books.lock import hold_books
from pipelines.books.objects import ObjectStore
from pipelines.books.posting_log import PostingLog
from pipelines.payments.proof import file_defects
from pipelines.recovery import catch_up
from pipelines.warehouse.checks import checks
from pipelines.warehouse.connection import open_warehouse, readable
from pipelines.warehouse.dated_versions import altered_versions
from pipelines.warehouse.hashed_columns import HASHED_COLUMNS
from pipelines.warehouse.hashes import HASH_VERSION, SEALED, posting_blocks
from pipelines.warehouse.migrations import migrate
from pipelines.warehouse.publish import GROWING, WHOLE
from pipelines.warehouse.quarantine import altered_raw_records
from pipelines.warehouse.script import insert_rows, rows, scalar
from pipelines.warehouse.view_texts import differing_views
from pipelines.warehouse.views import create_views
from reports.published import open_published, publication

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pipelines.books.config_models import BooksConfig
    from pipelines.books.folder import BooksFolder
    from pipelines.books.posting_log import LoggedIntent, PostingHistory

FIRST_ROWS = 5
"""Failing rows that are shown of each check."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One check: whether it passed, how many rows failed, the first of them (column name to text), and a sentence."""

    name: str
    meaning: str
    failing_rows: int
    first_rows: tuple[dict[str, str], ...] = ()
    detail: str | None = None

    @property
    def passed(self) -> bool:
        """Whether nothing was found."""
        return self.failing_rows == 0


@dataclass(frozen=True, kw_only=True)
class Verification:
    """All outcomes as of a posting."""

    posting_id: int
    head: str
    outcomes: tuple[Outcome, ...]

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return all(outcome.passed for outcome in self.outcomes)


def verify_books(
    folder: BooksFolder, *, env: str | None = None, on_check: Callable[[str], None] = lambda _name: None
) -> Verification:
    """Verify whole books; `on_check` hears the name of each check that is done.

    Raises ConfigurationError, BooksLockedError, or IntegrityError when the database cannot be opened at all.
    """
    config = load_config(folder, env)
    if not folder.database.is_file():
        raise IntegrityError(f"{folder.database} does not exist: there is nothing to verify. `tollbook run` makes it.")
    with (
        hold_books(folder.lock, "tollbook verify"),
        open_warehouse(
            folder.database, memory_limit=config.engine.memory_limit, threads=config.engine.threads
        ) as connection,
    ):
        migrate(connection, folder.database)
        create_views(connection, anew=True)
        try:
            outcomes = []
            for outcome in proofs(connection, folder, config):
                on_check(outcome.name)
                outcomes.append(outcome)
            posting_id = scalar(connection, "SELECT coalesce(max(posting_id), 0) FROM audit.postings")
            head = rows(connection, "SELECT coalesce(arg_max(head, posting_id), '') FROM audit.postings")[0][0]
            _record(connection, posting_id, outcomes)
        except duckdb.Error as error:
            raise readable(error, folder.database) from error
    return Verification(posting_id=posting_id, head=str(head), outcomes=tuple(outcomes))


def outcome_count() -> int:
    """How many outcomes a verification has: for a progress bar."""
    return len(checks()) + _OUTER_CHECKS


_OUTER_CHECKS = 10


def proofs(connection: duckdb.DuckDBPyConnection, folder: BooksFolder, config: BooksConfig) -> Iterator[Outcome]:
    """Every check of opened books, one after the other; nothing is written."""
    history, journal = _journal(connection, folder)
    yield journal
    yield _admin_journal(connection, folder)
    yield _kept_objects(folder, history)
    yield _dated_versions(connection, folder, config, history)
    yield _stripe_files(connection, folder)
    for check in checks():
        yield _view(connection, check.name, check.view, check.meaning)
    yield _seals(connection)
    yield _heads(connection, history)
    yield _published(connection, folder)
    yield _published_views(folder)
    yield _raw_quarantine(connection, folder, config.privacy.retention_days)


def _view(connection: duckdb.DuckDBPyConnection, name: str, view: str, meaning: str) -> Outcome:
    """A check that is a view: its failing rows, counted, and the first of them as text."""
    count = scalar(connection, f"SELECT count(*) FROM {view}")  # noqa: S608 our own views
    first: tuple[dict[str, str], ...] = ()
    if count:
        cursor = connection.execute(f"SELECT COLUMNS(*)::VARCHAR FROM {view} LIMIT {FIRST_ROWS}")  # noqa: S608 as above
        names = [column[0] for column in cursor.description or ()]
        first = tuple(
            {column: "-" if value is None else str(value) for column, value in zip(names, row, strict=True)}
            for row in cursor.fetchall()
        )
    return Outcome(name=name, meaning=meaning, failing_rows=count, first_rows=first)


def _journal(connection: duckdb.DuckDBPyConnection, folder: BooksFolder) -> tuple[PostingHistory | None, Outcome]:
    """The chain of journal/postings.jsonl, and that the database is in step with it."""
    meaning = "The posting journal is an unbroken chain of hashes and the database stands where it ends."
    try:
        log = PostingLog(folder.posting_log)
        catch_up(connection, log, folder.database)
        history = log.read_all()
    except TollbookError as error:
        return None, Outcome(name="posting_journal", meaning=meaning, failing_rows=1, detail=str(error))
    return history, Outcome(name="posting_journal", meaning=meaning, failing_rows=0)


def _admin_journal(connection: duckdb.DuckDBPyConnection, folder: BooksFolder) -> Outcome:
    """The chain of journal/admin.jsonl, and that each entry the books read still says the same."""
    meaning = "The admin journal is an unbroken chain of hashes and says what the books read in it."
    try:
        entries = {entry.seq: entry.hash for entry in AdminJournal(folder.admin_journal).read()}
    except TollbookError as error:
        return Outcome(name="admin_journal", meaning=meaning, failing_rows=1, detail=str(error))
    read = rows(connection, "SELECT seq, entry_hash FROM audit.admin_actions ORDER BY seq")
    wrong = [{"seq": str(seq)} for seq, found in read if entries.get(int(str(seq))) != found]
    return _from_rows("admin_journal", meaning, wrong)


def _stripe_files(connection: duckdb.DuckDBPyConnection, folder: BooksFolder) -> Outcome:
    """The chain of journal/stripe.jsonl, and that the files it names are there, unchanged and loaded."""
    meaning = "The files of Stripe objects are those that their journal names, and the tables stand where they end."
    try:
        return _from_rows("stripe_files", meaning, file_defects(connection, folder))
    except TollbookError as error:
        return Outcome(name="stripe_files", meaning=meaning, failing_rows=1, detail=str(error))


def _kept_objects(folder: BooksFolder, history: PostingHistory | None) -> Outcome:
    """Every configuration text and small input that a posting names is kept and hashes to its name."""
    meaning = "Every configuration text and small input that a posting names is kept, unchanged."
    store = ObjectStore(folder.objects)
    named = sorted(
        {sha for logged in (history.intents.values() if history else ()) for sha in logged.intent.objects.values()}
    )
    wrong: list[dict[str, str]] = []
    for sha256 in named:
        try:
            store.get(sha256)
        except (IntegrityError, OSError) as error:
            wrong.append({"object": sha256, "defect": str(error)})
    return _from_rows("kept_objects", meaning, wrong)


def _dated_versions(
    connection: duckdb.DuckDBPyConnection, folder: BooksFolder, config: BooksConfig, history: PostingHistory | None
) -> Outcome:
    """Settings and packages, hashed anew and compared with the kept texts."""
    meaning = "Every version of settings and packages hashes to its name, and each that was read is in the books."
    store, done = ObjectStore(folder.objects), len(history.done) if history else 0
    kept = [logged.intent.objects for number, logged in (history.intents if history else {}).items() if number <= done]
    texts = {
        path: [store.get(sha256) for sha256 in sorted({objects[path] for objects in kept if path in objects})]
        for path in (config.rates.path, config.packages.path)
    }
    wrong = altered_versions(connection, texts[config.rates.path], texts[config.packages.path])
    return _from_rows("dated_versions", meaning, wrong)


def _seals(connection: duckdb.DuckDBPyConnection) -> Outcome:
    """The block hashes of every posting, recomputed from the rows that stand in the tables now."""
    meaning = "The rows of every posting hash to the blocks that were sealed when it was posted."
    sealed = _sealed_blocks(connection)
    wrong = []
    for posting_id in _posting_ids(connection):
        kept = set(sealed.get(posting_id, ()))
        version = min((block.hash_version for block in kept), default=HASH_VERSION)
        found = set(posting_blocks(connection, posting_id, version if version in HASHED_COLUMNS else HASH_VERSION))
        tables = sorted({block.table_name for block in found ^ kept})
        defect = "rows are not what was sealed"
        wrong += [{"posting_id": str(posting_id), "table": table, "defect": defect} for table in tables]
    return _from_rows("block_hashes", meaning, wrong)


def _heads(connection: duckdb.DuckDBPyConnection, history: PostingHistory | None) -> Outcome:
    """Each head recomputed from the sealed blocks, and compared with the row and with the journal's own record."""
    meaning = (
        "Each posting's head follows from the one before, its figures and its blocks, and is what the journal says."
    )
    sealed, previous, wrong = _sealed_blocks(connection), GENESIS, []
    done = {item.posting_id: item for item in history.done} if history else {}
    for row in _posting_rows(connection):
        posting_id = int(row["posting_id"])
        counts = {name: int(value) for name, value in row.items() if name in _COUNTED}
        head = posting_head(previous, posting_id, str(row["intent_hash"]), counts, sealed.get(posting_id, []))
        said = done.get(posting_id)
        logged = history.intents.get(posting_id) if history else None
        if head != row["head"]:
            wrong.append({"posting_id": str(posting_id), "defect": "head does not follow"})
        if history and (said is None or said.head != row["head"] or logged is None or not _is_intended(row, logged)):
            wrong.append({"posting_id": str(posting_id), "defect": "not what the journal says"})
        previous = str(row["head"])
    return _from_rows("chain_of_heads", meaning, wrong)


def _is_intended(row: dict[str, Any], logged: LoggedIntent) -> bool:
    """Whether a posting's row says what its line in the journal says."""
    intent = logged.intent
    said = (logged.hash, intent.billing_date, intent.kind, intent.admin_seq, intent.code_version)
    recorded_us = (datetime.fromisoformat(intent.recorded_at) - _EPOCH) // timedelta(microseconds=1)
    return (*said, recorded_us) == tuple(row[name] for name in (*_INTENDED, "recorded_us"))


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_INTENDED = ("intent_hash", "billing_date", "kind", "admin_seq", "code_version")
_COUNTED = (
    *("files", "received", "accepted", "duplicate", "superseded", "conflict", "ignored", "quarantined", "blank"),
    *("usage_rows", "ledger_rows", "held_rows", "tokens_billed", "tokens_credited"),
)


def _posting_rows(connection: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    names = ("posting_id", "head", *_INTENDED, *_COUNTED, "recorded_us")
    query = f"SELECT {', '.join(names[:-1])}, epoch_us(recorded_at) FROM audit.postings ORDER BY posting_id"  # noqa: S608 fixed names
    found = rows(connection, query)
    return [dict(zip(names, row, strict=True)) for row in found]


def _posting_ids(connection: duckdb.DuckDBPyConnection) -> list[int]:
    return [int(row["posting_id"]) for row in _posting_rows(connection)]


def _sealed_blocks(connection: duckdb.DuckDBPyConnection) -> dict[int, list[Block]]:
    """The sealed blocks of each posting, in the order in which its head was made of them."""
    found = rows(
        connection, "SELECT posting_id, table_name, block_no, row_count, hash_version, sha256 FROM audit.blocks"
    )
    blocks: defaultdict[int, list[Block]] = defaultdict(list)
    for posting_id, *block in found:
        blocks[int(str(posting_id))].append(Block(*block))  # type: ignore[arg-type]
    order = {sealed.table: place for place, sealed in enumerate(SEALED)}
    for own in blocks.values():
        own.sort(key=lambda block: (order.get(block.table_name, len(order)), block.block_no))
    return blocks


def _published(connection: duckdb.DuckDBPyConnection, folder: BooksFolder) -> Outcome:
    """The published copy is the live books as of one posting: no table has more, less or other postings."""
    meaning = "The published copy is one whole posting: what readers see is the books as of its head."
    try:
        with open_published(folder.published) as reader:
            state = publication(reader)
            copy = {table: _fingerprint(reader, table, None) for table in GROWING}
            small = {table: _fingerprint(reader, table, None, by_posting=False) for table in _REPLACED}
    except (TollbookError, duckdb.Error) as error:
        return Outcome(name="published_copy", meaning=meaning, failing_rows=1, detail=str(error))
    wrong = []
    live = rows(connection, "SELECT head FROM audit.postings WHERE posting_id = $id", {"id": state.posting_id})
    if state.posting_id and (not live or live[0][0] != state.head):
        wrong.append({"table": "audit.publication", "defect": "its head is not one of these books"})
    defect = f"not the rows of postings 1 to {state.posting_id}"
    differing = [table for table in GROWING if copy[table] != _fingerprint(connection, table, state.posting_id)]
    if state.posting_id == scalar(connection, "SELECT coalesce(max(posting_id), 0) FROM audit.postings"):
        differing += [
            table for table in _REPLACED if small[table] != _fingerprint(connection, table, None, by_posting=False)
        ]
    wrong += [{"table": table, "defect": defect} for table in differing]
    return _from_rows("published_copy", meaning, wrong)


def _published_views(folder: BooksFolder) -> Outcome:
    """The views that an auditor selects from in the copy are those that this version ships."""
    meaning = "The check views and other views of the published copy are, word for word, those of this version."
    try:
        with open_published(folder.published) as reader:
            wrong = [{"view": name, "defect": defect} for name, defect in differing_views(reader).items()]
    except (TollbookError, duckdb.Error) as error:
        return Outcome(name="published_views", meaning=meaning, failing_rows=1, detail=str(error))
    return _from_rows("published_views", meaning, wrong)


def _raw_quarantine(connection: duckdb.DuckDBPyConnection, folder: BooksFolder, retention_days: int) -> Outcome:
    """The raw bytes in warehouse/quarantine/ are those that were held."""
    meaning = "The raw bytes of quarantined records are kept until their retention is over, and hash to what was held."
    wrong = altered_raw_records(connection, folder.quarantine, clock.now(), retention_days)
    return _from_rows("raw_quarantine", meaning, wrong)


# Copied whole by each publication, so comparable only as of the last posting; verifications grow between publications.
_REPLACED = tuple(table for table in WHOLE if table != "audit.verifications")


def _fingerprint(
    connection: duckdb.DuckDBPyConnection, table: str, last: int | None, *, by_posting: bool = True
) -> list[tuple[object, ...]]:
    """Rows (per posting, up to a posting) and a hash of them that does not depend on their order."""
    cut = "" if last is None else f"WHERE posting_id <= {last:d}"
    group = "posting_id" if by_posting else "0"
    return rows(
        connection,
        f"SELECT posting_id, count(*), bit_xor(hash(row_text)) FROM"  # noqa: S608 fixed names and one whole number
        f" (SELECT {group} AS posting_id, to_json(held)::VARCHAR AS row_text FROM {table} AS held {cut}) AS texts"
        " GROUP BY posting_id ORDER BY posting_id",
    )


def _from_rows(name: str, meaning: str, wrong: list[dict[str, str]]) -> Outcome:
    return Outcome(name=name, meaning=meaning, failing_rows=len(wrong), first_rows=tuple(wrong[:FIRST_ROWS]))


def _record(connection: duckdb.DuckDBPyConnection, posting_id: int, outcomes: list[Outcome]) -> None:
    """Append the outcomes to audit.verifications."""
    at = clock.iso_micros(clock.now())
    insert_rows(
        connection,
        "audit.verifications",
        [[at, posting_id, item.name, item.passed, item.failing_rows, item.detail] for item in outcomes],
    )
