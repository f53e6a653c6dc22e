"""A sample file read through a profile into empty books in memory: what would become of each record. Writes nothing."""

from __future__ import annotations

import hashlib
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import duckdb

from billing_core.errors import ConfigurationError
from pipelines.intake import archives
from pipelines.intake.profiles import built_in_profiles, load_profile, own_profiles
from pipelines.intake.reading import read_posting
from pipelines.intake.sources import FileToRead, ReadContext, Source
from pipelines.intake.walk import fits
from pipelines.warehouse.sql import sql_names, sql_text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pipelines.books.config_models import BooksConfig
    from pipelines.intake.profiles import Profile

_READ = ("accepted", "superseded", "ignored")
EARLIEST = date(2015, 1, 1)
_PLACE = "line_no, record_no, disposition, reason, detail"
SHOWN = {
    "usage": (
        "account_id, user_id, workspace_id, project_id, content_piece_id, operation_type, provider, model, "
        "input_tokens, output_tokens, cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens, "
        "reasoning_tokens, audio_input_tokens, audio_output_tokens, image_input_tokens, image_output_tokens, "
        "image_count, image_size, image_quality, service_tier, success, gateway_cache_hit, cancelled, error_message, "
        "reported_billable_tokens, "
        "reported_cost_nanousd, request_metadata::VARCHAR AS request_metadata, occurred_at"
    ),
    "provider_usage": (
        "provider, report, model, bucket_start, bucket_end, input_tokens, output_tokens, cache_read_tokens, "
        "cache_write_tokens, image_count, requests, cost_nanousd"
    ),
    "credits": "credit_id, account_id, transaction_type, token_amount, amount_cents, currency, is_welcome, occurred_at",
    "accounts": "account_id, user_id, workspace_id, plan, currency, status, reported_balance, created_at, updated_at",
}
"""The columns of a classified record, by kind."""


@dataclass(frozen=True)
class Sample:
    """What became of a file: one mapping per record, in order, and how many of each disposition."""

    profile: str
    kind: str
    records: list[dict[str, Any]]
    counts: dict[str, int]

    @property
    def understood(self) -> int:
        """Records that the profile could read, whatever became of them."""
        read = [record for record in self.records if record["disposition"] in _READ]
        known = [record for record in read if record["disposition"] != "ignored" or record["reason"] == "aggregate"]
        return len(read) if known else 0

    @property
    def told(self) -> int:
        """How many values it found in them: of two profiles that read a file the one that finds more fits better."""
        read = [record for record in self.records if record["disposition"] in _READ]
        return sum(value not in (None, 0, "") for record in read for value in record.values())


def read_sample(path: Path, name: str, profile: Profile, billing_date: date, keys: tuple[str, ...] = ()) -> Sample:
    """Read a file by a profile, as a first posting on `billing_date` would; any account is taken for known.

    Raises UnreadableFileError when the file is damaged or of no known format.
    """
    with _empty_books() as con:
        return _read(con, path, name, profile, billing_date, keys)


@contextmanager
def _empty_books() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as con:
        con.execute("SET TimeZone = 'UTC'")
        for script in (*sql_names("migrations"), *sql_names("views")):
            con.execute(sql_text(script))
        yield con


def _read(
    con: duckdb.DuckDBPyConnection,
    path: Path,
    name: str,
    profile: Profile,
    billing_date: date,
    keys: tuple[str, ...] = (),
) -> Sample:
    """The sample, read into books that are as empty afterwards as before: the next profile may have them."""
    with path.open("rb") as stream:
        sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
    is_archive = path.name.endswith(archives.SUFFIX)
    if is_archive and profile.member is None:
        raise ConfigurationError(f"{path.name} is a zip, and profile {name} names no `member` of it to read")
    member = profile.member if is_archive else None
    relative = f"{path.name}/{member}" if member else path.name
    file = FileToRead(1, path, relative, 0, 1, sha256, member)
    context = ReadContext(billing_date, EARLIEST, auto_create=True, books_welcome=False, metadata_keys=keys)
    con.begin()
    try:
        result = read_posting(con, [(file, Source(name, profile.kind, "*", profile))], context)
        if result.unreadable:
            raise result.unreadable[1]
        found = con.execute(
            f"SELECT {_PLACE}, {SHOWN[profile.kind]} FROM classified_{profile.kind} ORDER BY row_id"  # noqa: S608 fixed names
        )
        names = [column[0] for column in found.description or ()]
        records = [dict(zip(names, row, strict=True)) for row in found.fetchall()]
    finally:
        con.rollback()
    return Sample(name, profile.kind, records, dict(sorted(Counter(row["disposition"] for row in records).items())))


def configured_profile(path: Path, root: Path, config: BooksConfig) -> str | None:
    """The profile by which the books read a file of theirs; None for any other file."""
    try:
        relative = path.resolve().relative_to(root).as_posix()
    except ValueError:
        return None
    patterns = {block.path: block.profile for block in config.usage}
    patterns |= {config.credits.path: "credits"} | ({config.accounts.path: "accounts"} if config.accounts.path else {})
    return next((profile for pattern, profile in patterns.items() if fits(relative, pattern)), None)


def best_profile(path: Path, books_folder: Path | None, billing_date: date) -> list[Sample]:
    """Every profile that can read at least one record of a file, the one that reads most of them first.

    Usage comes before credits, credits before accounts: nearly any record with an id and a time looks like an account.
    """
    names = dict.fromkeys([*own_profiles(books_folder), *built_in_profiles()])
    profiles = {name: load_profile(name, books_folder) for name in names}
    if path.name.endswith(archives.SUFFIX):
        profiles = {name: profile for name, profile in profiles.items() if profile.member is not None}
    with _empty_books() as con:
        samples = [_read(con, path, name, profile, billing_date) for name, profile in profiles.items()]
    kinds = list(SHOWN)
    readable = [item for item in samples if item.understood]
    return sorted(readable, key=lambda item: (kinds.index(item.kind), -item.understood, -item.told))
