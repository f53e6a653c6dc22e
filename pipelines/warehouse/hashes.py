"""Hashes over posted rows: sealed blocks of each posting, and two hashes over whole books.

A row's pre-image is a fixed list of columns; text is prefixed with its length in bytes, so that no two rows share one.
Rows are read in a fixed order and hashed as they stream by, posting by posting, never held.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, NamedTuple

from billing_core.chain import BLOCK_ROWS, Block
from pipelines.parsed_sql import run, statements
from pipelines.warehouse.hashed_columns import HASHED_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import duckdb
    import pyarrow as pa

HASH_VERSION = 1
"""Of new postings; raised when a sealed table gains a column. See HASHED_COLUMNS."""


class Sealed(NamedTuple):
    """A table whose rows are sealed, their order inside a posting, and which of them; see also checks/13_seals.sql."""

    table: str
    order: str
    where: str = "true"


_DELIVERY = frozenset({"recorded_at", "updated_at", "posting_id", "file_id", "line_no", "record_no", "billing_date"})
_RUNNING = frozenset({"account_seq", "balance_before", "balance_after"})

SEALED: tuple[Sealed, ...] = (
    Sealed("books.token_usage", "file_id, line_no, record_no"),
    Sealed("books.usage_revisions", "file_id, line_no, record_no"),
    Sealed("books.token_transactions", "account_id, account_seq"),
    Sealed(
        "finance.lot_allocations",
        "account_id, lot_id, debit_from, kind, tokens, allocated_at, transaction_id",
    ),
    Sealed("finance.credit_lots", "lot_id"),
    Sealed("books.credits", "transaction_id"),
    Sealed("books.account_versions", "account_id, file_id, line_no"),
    Sealed("books.provider_usage", "file_id, line_no, record_no"),
    Sealed("books.provider_models", "provider, model, kind"),
    Sealed(
        "books.provider_prices",
        "price_version, unit, tier_start, image_size, image_quality, variant, effective_from, day_second_from",
    ),
    Sealed("audit.usage_files", "file_id"),
    Sealed("audit.quarantine", "file_id, line_no, record_no"),
    # A record that was simply accepted is in the books, and sealed there.
    Sealed(
        "audit.line_dispositions",
        "file_id, line_no, record_no, previous_disposition",
        "(disposition <> 'accepted' OR previous_disposition IS NOT NULL)",
    ),
    Sealed("audit.admin_actions", "seq"),
    Sealed("books.rates", "rate_id, rate_version, book_sha256"),
    Sealed("books.rate_states", "rate_id, rate_version"),
    Sealed("books.tier_positions", "account_id, rate_id, period, position, usage_id"),
    Sealed("books.usage_versions", "event_key, version"),
)

CONTENT: Mapping[str, str] = {
    "books.token_usage": "usage_id",
    "books.usage_revisions": "usage_id, revision_no",
    "books.token_transactions": "transaction_id",
    "books.token_accounts": "account_id",
}
"""What content_hash covers, in key order: what is true of the business, however it was delivered."""

HISTORY: Mapping[str, str] = {
    "audit.postings": "posting_id",
    "audit.blocks": "posting_id, table_name, block_no",
    "audit.usage_files": "file_id",
    "audit.line_dispositions": "posting_id, file_id, line_no, record_no",
    "audit.quarantine": "posting_id, file_id, line_no, record_no",
    "audit.admin_actions": "seq",
    "books.account_heads": "account_id",
    "books.account_versions": "posting_id, file_id, line_no, account_id",
    "books.credits": "transaction_id",
    "books.credits_waiting": "transaction_id",
    "books.provider_usage": "file_id, line_no, record_no",
    "books.provider_models": "posting_id, provider, model, kind",
    "books.provider_prices": "price_version, unit, tier_start, image_size, image_quality, variant, effective_from,"
    " day_second_from",
    "books.rates": "rate_id, rate_version, book_sha256",
    "books.rate_states": "posting_id, rate_id, rate_version",
    "books.system_settings": "settings_version, effective_from",
    "books.tier_positions": "account_id, rate_id, period, position, usage_id",
    "books.token_accounts": "account_id",
    "books.token_pricing": "package_id, package_version",
    "books.token_transactions": "account_id, account_seq",
    "books.token_usage": "file_id, line_no, record_no",
    "books.usage_revisions": "usage_id, revision_no",
    "books.usage_versions": "event_key, version",
    "finance.credit_lots": "lot_id",
    "finance.lot_allocations": "posting_id, account_id, lot_id, debit_from, kind, tokens, allocated_at, transaction_id",
    "finance.open_debt": "account_id, debit_from",
}
"""What history_hash covers: every column of every table that a rebuild must bring back."""


_WRITTEN = " UNION ALL ".join(
    f"SELECT '{sealed.table}' WHERE EXISTS (FROM {sealed.table} WHERE posting_id = $posting_id AND {sealed.where})"
    for sealed in SEALED
)
"""The sealed tables in which a posting has rows: to ask each table by itself would be planned as often."""


def posting_blocks(
    connection: duckdb.DuckDBPyConnection, posting_id: int, hash_version: int = HASH_VERSION
) -> list[Block]:
    """The block hashes of one posting, recomputed from the rows that stand in the tables now.

    ``hash_version`` is the one that the posting was sealed with.
    """
    blocks: list[Block] = []
    tables = _columns(connection)
    written = {row[0] for row in run(connection, _WRITTEN, {"posting_id": posting_id}).fetchall()}
    for sealed in SEALED:
        if sealed.table not in written:
            continue
        mine = f"posting_id = $posting_id AND {sealed.where}"
        kinds = dict(tables[sealed.table])
        columns = [(column, kinds[column]) for column in HASHED_COLUMNS[hash_version][sealed.table].split()]
        texts = _preimages(sealed.table, columns)
        query = f"{texts} WHERE {mine} ORDER BY {sealed.order}"
        hashed = _block_hashes(_stream(connection, query, {"posting_id": posting_id}))
        blocks += [
            Block(sealed.table, number, count, hash_version, digest)
            for number, (count, digest) in enumerate(hashed, start=1)
        ]
    return blocks


def history_hash(connection: duckdb.DuckDBPyConnection) -> str:
    """One hash over every column of the books; equal after a rebuild from the journal."""
    return _whole(connection, HISTORY, frozenset())


def content_hash(connection: duckdb.DuckDBPyConnection) -> str:
    """One hash over what is true of the business; equal however the inputs were delivered."""
    return _whole(connection, CONTENT, _DELIVERY | _RUNNING)


def _whole(connection: duckdb.DuckDBPyConnection, tables: Mapping[str, str], without: frozenset[str]) -> str:
    digest, columns_of = hashlib.sha256(), _columns(connection)
    for table, order in tables.items():
        digest.update(f"{table}\n".encode())
        columns = [(column, kind) for column, kind in columns_of[table] if column not in without]
        for _, block in _block_hashes(_stream(connection, f"{_preimages(table, columns)} ORDER BY {order}", {})):
            digest.update(block.encode())
    return digest.hexdigest()


def _preimages(table: str, columns: Sequence[tuple[str, str]]) -> str:
    """A SELECT of one text per row: each column's text, prefixed with its length where it could hold a comma."""
    texts = [_column_text(column, kind) for column, kind in columns]
    return f"SELECT concat({', '.join(texts)}, chr(10)) AS preimage FROM {table}"


def _columns(connection: duckdb.DuckDBPyConnection) -> dict[str, list[tuple[str, str]]]:
    """Name and type of each column of every table, in order: asked once, for each asking costs as much as a hash."""
    found = run(
        connection,
        "SELECT schema_name || '.' || table_name, column_name, data_type FROM duckdb_columns()"
        " WHERE database_name = current_database() ORDER BY column_index",
    ).fetchall()
    columns: dict[str, list[tuple[str, str]]] = {}
    for table, column, kind in found:
        columns.setdefault(str(table), []).append((str(column), str(kind)))
    return columns


def _column_text(column: str, kind: str) -> str:
    if kind in {"VARCHAR", "JSON"}:
        return f"coalesce(strlen({column}) || ':' || {column}, '-'), ','"
    if kind == "TIMESTAMP WITH TIME ZONE":
        return f"coalesce(epoch_us({column})::VARCHAR, '-'), ','"
    if kind == "BLOB":
        return f"coalesce(hex({column}), '-'), ','"
    return f"coalesce({column}::VARCHAR, '-'), ','"


def _stream(
    connection: duckdb.DuckDBPyConnection, query: str, parameters: Mapping[str, object]
) -> Iterator[tuple[memoryview, Sequence[int]]]:
    """The texts of a query as (bytes, offsets) runs straight from Arrow memory."""
    parsed = statements(query)[0]
    relation = connection.sql(parsed, params=dict(parameters)) if parameters else connection.sql(parsed)
    for batch in relation.to_arrow_reader(BLOCK_ROWS):
        yield from _runs(batch.column(0))


def _runs(column: pa.StringArray) -> Iterator[tuple[memoryview, Sequence[int]]]:
    if len(column) == 0:
        return
    _, offsets_buffer, data = column.buffers()
    offsets = memoryview(offsets_buffer).cast("i")[column.offset : column.offset + len(column) + 1]
    yield memoryview(data), offsets


def _block_hashes(runs: Iterator[tuple[memoryview, Sequence[int]]]) -> Iterator[tuple[int, str]]:
    """(rows, sha256) of each run of BLOCK_ROWS rows, in order."""
    digest, held = hashlib.sha256(), 0
    for data, offsets in runs:
        position, count = 0, len(offsets) - 1
        while position < count:
            take = min(BLOCK_ROWS - held, count - position)
            digest.update(data[offsets[position] : offsets[position + take]])
            held, position = held + take, position + take
            if held == BLOCK_ROWS:
                yield held, digest.hexdigest()
                digest, held = hashlib.sha256(), 0
    if held:
        yield held, digest.hexdigest()
