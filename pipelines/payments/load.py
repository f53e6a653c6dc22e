"""Loading files of Stripe objects: those of the user, those that the sync wrote, and archived webhooks.

First the journal notes what is new in the files, then the tables are brought to what the journal says. A rebuild does
the second half alone. Loading twice changes nothing.
"""

from __future__ import annotations

import hashlib
import re
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from billing_core.errors import ConfigurationError, IntegrityError
from pipelines.books import clock
from pipelines.intake.walk import walk
from pipelines.payments.file_log import EXTRACT_PREFIX, Entry, FileLog, lines_of, opened, prefix_digest
from pipelines.payments.sightings import Rejected, Row, Scope, placed, read_line
from pipelines.payments.webhooks import read_delivery, signing_secrets
from pipelines.warehouse.stripe import LoadedFile, clear, forget_file, loaded_files, scope_of, write_run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime
    from pathlib import Path

    import duckdb

    from pipelines.books.config_models import BooksConfig
    from pipelines.books.folder import BooksFolder

LINES_PER_RUN = 20_000
UNSPECIFIED = "unspecified"
_MODE = re.compile(rb'"livemode"\s*:\s*(true|false)')
_ACCOUNT = re.compile(rb'"stripe_account"\s*:\s*"(acct_\w+)"')


@dataclass(frozen=True, slots=True)
class _Source:
    """A glob of files, as the walk asks for it."""

    name: str
    kind: str
    pattern: str
    secret: bytes | None = None
    member: str | None = None


@dataclass
class Loaded:
    """What a load did; `notices` name files that wait or were refused, with the reason."""

    files: int = 0
    objects: int = 0
    rejected: int = 0
    notices: list[str] = field(default_factory=list)


def load_objects(
    connection: duckdb.DuckDBPyConnection,
    folder: BooksFolder,
    config: BooksConfig,
    *,
    now: Callable[[], datetime] = clock.now,
    on_lines: Callable[[int], None] = lambda _count: None,
) -> Loaded:
    """Bring the tables to what the files say. Raises ConfigurationError for a configured secret that is not set."""
    result, kinds = Loaded(), {}
    found = walk(folder.root, _sources(config))
    result.notices += found.notices
    has_secrets = bool(signing_secrets(config))
    for path, source in found.sources.items():
        if source.kind == "webhooks" and not has_secrets:
            result.notices.append(f"{path}: not read: [stripe] webhook_secret_env is not set")
        elif _is_unsettled(folder.root, path, config.intake.settle_seconds):
            result.notices.append(f"{path}: waits: it changed less than {config.intake.settle_seconds} seconds ago")
        else:
            kinds[path] = source.kind
    changed = FileLog(folder.stripe_log, now).observe(folder.root, kinds)
    result.notices += [f"{path}: changed since it was loaded; read from its beginning" for path in changed]
    replay_objects(connection, folder, config, result=result, on_lines=on_lines)
    return result


def replay_objects(
    connection: duckdb.DuckDBPyConnection,
    folder: BooksFolder,
    config: BooksConfig,
    *,
    result: Loaded | None = None,
    on_lines: Callable[[int], None] = lambda _count: None,
) -> Loaded:
    """Bring the tables to what the journal says, from the files that it names; nothing is asked of Stripe."""
    result = result or Loaded()
    entries = FileLog(folder.stripe_log).entries()
    scope = _scope(connection, folder.root, config, list(entries))
    secrets = _secrets_at_hand(config, entries, result)
    known = loaded_files(connection)
    for path in sorted(entries):
        if not (folder.root / path).is_file():
            result.notices.append(f"{path}: gone; what it said stays until the tables are loaded anew")
            continue
        reader = _Reader(folder.root, scope, secrets)
        done = _resumed(folder.root, known.get(path), entries[path])
        if done is None:
            forget_file(connection, path)
        at = done or LoadedFile(path, entries[path][0].kind, 0, 0, hashlib.sha256().hexdigest(), 0, 0)
        for run in _runs(reader, entries[path], at):
            write_run(connection, run.by_table(), run.rejected, run.after)
            result.objects += run.objects
            result.rejected += len(run.rejected)
            on_lines(run.lines)
        result.files += 1
    return result


def _secrets_at_hand(config: BooksConfig, entries: dict[str, list[Entry]], result: Loaded) -> tuple[str, ...]:
    """The endpoint's secrets. Where they are not set, archives are left out and named: a rebuild may lack secrets."""
    archives = [path for path, ranges in entries.items() if ranges[0].kind == "webhooks"]
    try:
        secrets = signing_secrets(config) if archives else ()
    except ConfigurationError:
        secrets = ()
    if not secrets:
        for path in archives:
            del entries[path]
            result.notices.append(f"{path}: not read: the endpoint's signing secret is not set")
    return secrets


def _sources(config: BooksConfig) -> list[_Source]:
    patterns = {"stripe": ("objects", config.stripe.path), "webhooks": ("webhooks", config.stripe.webhooks)}
    if config.stripe.path != "stripe/*.jsonl":
        patterns["extract"] = ("objects", f"{EXTRACT_PREFIX}*.jsonl")
    return [_Source(name, kind, pattern) for name, (kind, pattern) in patterns.items()]


def _is_unsettled(root: Path, path: str, seconds: int) -> bool:
    return not path.startswith(EXTRACT_PREFIX) and time.time() - (root / path).stat().st_mtime < seconds


def _scope(connection: duckdb.DuckDBPyConnection, root: Path, config: BooksConfig, paths: list[str]) -> Scope:
    """Whose objects the books keep: as configured, else as before, else as the first file says.

    When the configuration names another account or mode than the tables hold, they are loaded anew.
    """
    before = scope_of(connection)
    account, livemode = config.stripe.account, config.stripe.livemode
    if before is not None:
        account = account if account is not None else before[0]
        livemode = livemode if livemode is not None else before[1]
        if (account, livemode) != before:
            clear(connection)
    if account is None or livemode is None:
        said_account, said_mode = _said(root, paths)
        account = said_account if account is None else account
        livemode = said_mode if livemode is None else livemode
    return Scope(account or UNSPECIFIED, bool(livemode))


def _said(root: Path, paths: list[str]) -> tuple[str | None, bool | None]:
    """The account that the first line of a file names, and the first mode that any line does."""
    account: str | None = None
    livemode: bool | None = None
    for path in sorted(path for path in paths if (root / path).is_file()):
        with opened(root / path) as stream:
            for number, line in enumerate(stream):
                if account is None and number == 0 and (named := _ACCOUNT.search(line)):
                    account = named[1].decode()
                if livemode is None and (said := _MODE.search(line)):
                    livemode = said[1] == b"true"
                if livemode is not None:
                    break
    return account, livemode


def _resumed(root: Path, known: LoadedFile | None, entries: list[Entry]) -> LoadedFile | None:
    """How far the present generation of a file has been loaded; None if not at all, or if another one was."""
    if known is None or known.kind != entries[0].kind:
        return None
    last = entries[-1]
    if (known.bytes_read, known.sha256) == (last.byte_to, last.sha256):
        return known
    return known if prefix_digest(root / known.source_file, known.bytes_read).hexdigest() == known.sha256 else None


@dataclass(frozen=True)
class _Reader:
    """How the lines of a file are read."""

    root: Path
    scope: Scope
    secrets: tuple[str, ...]

    def rows(self, entry: Entry, line: bytes) -> list[Row] | Rejected:
        """The rows of a line."""
        if entry.kind == "webhooks":
            return read_delivery(line, self.scope, self.secrets)
        return read_line(line, self.scope, seen_at=entry.seen_at)


@dataclass
class _Run:
    """Some lines of a file, and how far it is loaded after them."""

    after: LoadedFile
    rows: list[Row] = field(default_factory=list)
    rejected: list[dict[str, Any]] = field(default_factory=list)
    objects: int = 0
    lines: int = 0

    def by_table(self) -> dict[str, list[tuple[dict[str, Any], int]]]:
        """The rows by table."""
        tables: dict[str, list[tuple[dict[str, Any], int]]] = {}
        for row in self.rows:
            tables.setdefault(row.table, []).append((row.values, row.rank))
        return tables

    def take(self, found: list[Row] | Rejected, text: bytes) -> None:
        """Add what a line gave."""
        path, number = self.after.source_file, self.after.lines_read + self.lines + 1
        if isinstance(found, Rejected):
            place = {"source_file": path, "source_line": number, "line_sha256": hashlib.sha256(text).hexdigest()}
            names = ("object_type", "object_id", "reason", "detail")
            self.rejected.append({**place, **{name: getattr(found, name) for name in names}})
        else:
            self.objects += 1
            self.rows += [placed(row, path, number) for row in found]


def _runs(reader: _Reader, entries: list[Entry], at: LoadedFile) -> Iterator[_Run]:
    """The lines after a point, in runs that are loaded whole. Raises IntegrityError if they are not those seen."""
    file = reader.root / at.source_file
    digest = prefix_digest(file, at.bytes_read)
    for entry in entries:
        if entry.byte_to <= at.bytes_read:
            continue
        run, position = _Run(at), at.bytes_read
        for line in lines_of(file, at.bytes_read, entry.byte_to):
            digest.update(line)
            position += len(line)
            if text := line.strip():
                run.take(reader.rows(entry, text), text)
            run.lines += 1
            if run.lines == LINES_PER_RUN and position < entry.byte_to:
                at = _closed(run, position, digest.hexdigest())
                yield run
                run = _Run(at)
        if position != entry.byte_to or digest.hexdigest() != entry.sha256:
            raise IntegrityError(
                f"{file}: it no longer begins with what was seen at {entry.seen_at}; put it back, or run "
                "`tollbook stripe sync` to take it as a new file"
            )
        at = _closed(run, position, digest.hexdigest())
        yield run


def _closed(run: _Run, position: int, digest: str) -> LoadedFile:
    before = run.after
    run.after = replace(
        before,
        bytes_read=position,
        lines_read=before.lines_read + run.lines,
        sha256=digest,
        objects=before.objects + run.objects,
        rejected=before.rejected + len(run.rejected),
    )
    return run.after
