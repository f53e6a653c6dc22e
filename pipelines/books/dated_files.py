"""Changes of rates.toml and packages.toml by command: proved by the real loader, journalled, then put in place at once.

The order on disk is the new text beside the old one, the journal entry, the rename. A crash leaves either nothing, or
an entry whose `sha256_after` the file does not have: the change was announced and did not happen. The same command then
puts in place what the entry announced, without a second one; any other says that it did not happen.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from billing_core.errors import ConfigurationError, TollbookError
from billing_core.instants import epoch_us
from pipelines.books.admin_journal import AdminJournal, require_signed
from pipelines.books.config import load_packages, load_prices
from pipelines.books.objects import ObjectStore, fsync_folder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from billing_core.packages import Package
    from billing_core.price_book import PriceBook
    from pipelines.books.admin_journal import AdminEntry, ChangeAction, FileChange
    from pipelines.books.config_models import BooksConfig
    from pipelines.books.folder import BooksFolder

_MODE = 0o644


@dataclass(frozen=True)
class DatedFile:
    """One of the two files as it is now; `text` is the seed's where there is none (`before` is None then)."""

    action: ChangeAction
    path: Path
    name: str
    before: bytes | None
    text: str


@dataclass(frozen=True)
class Draft:
    """A change that is not in place yet: the new text of a file, and what it changes in one line."""

    file: DatedFile
    after: str
    what: str


@dataclass(frozen=True)
class Placed:
    """A change that is in place: its entry, and the one that a command announced before and was stopped at, if any.

    The two are the same where the command only finished what was announced.
    """

    entry: AdminEntry
    announced: AdminEntry | None = None


def rates_file(folder: BooksFolder, config: BooksConfig) -> DatedFile:
    """The file of settings and price rules. Raises ConfigurationError when it cannot be read."""
    return _dated_file("settings", folder, folder.root / config.rates.path, folder.rates)


def packages_file(folder: BooksFolder, config: BooksConfig) -> DatedFile:
    """The file of packages. Raises ConfigurationError when it cannot be read."""
    return _dated_file("packages", folder, folder.root / config.packages.path, folder.packages)


def prices_of(folder: BooksFolder, config: BooksConfig, text: str, name: str = "rates.toml") -> PriceBook:
    """The prices that a text of rates.toml gives, by the very loader of a run. Raises ConfigurationError."""
    with tempfile.TemporaryDirectory(prefix="tollbook-") as scratch:
        path = _scratch(scratch, name, text)
        rates = config.rates.model_copy(update={"path": str(path)})
        return load_prices(folder, config.model_copy(update={"rates": rates}))


def packages_of(folder: BooksFolder, config: BooksConfig, text: str, name: str = "packages.toml") -> Sequence[Package]:
    """The packages that a text of packages.toml gives; as `prices_of`."""
    with tempfile.TemporaryDirectory(prefix="tollbook-") as scratch:
        path = _scratch(scratch, name, text)
        packages = config.packages.model_copy(update={"path": str(path)})
        return load_packages(folder, config.model_copy(update={"packages": packages}))


def last_change(folder: BooksFolder, file: DatedFile) -> AdminEntry | None:
    """The last change of a file by command; None before the first. Raises IntegrityError for a broken journal."""
    entries = AdminJournal(folder.admin_journal).read()
    mine = [entry for entry in entries if entry.change is not None and entry.change["file"] == file.name]
    return mine[-1] if mine else None


def put_in_place(folder: BooksFolder, draft: Draft, *, actor: str, reason: str) -> Placed:
    """Keep both texts, journal the change and replace the file; the caller holds the lock and has proved the text.

    Raises ConfigurationError when the file is no longer what the draft began with, or the actor or reason cannot
    stand; TollbookError when the disk refuses. The file is untouched then.
    """
    require_signed(actor, reason)
    file = draft.file
    if _content(file.path) != file.before:
        raise ConfigurationError(f"{file.name} was changed by somebody else just now; run the command again")
    store = ObjectStore(folder.objects)
    before = None if file.before is None else store.put(file.before)
    after = store.put(draft.after.encode())
    try:
        fresh = _written_beside(file.path, draft.after.encode())
    except OSError as error:
        raise TollbookError(f"{file.path.parent}: cannot be written ({error.strerror}); nothing was changed") from None
    change: FileChange = {"file": file.name, "what": draft.what, "sha256_before": before, "sha256_after": after}
    try:
        announced = _announced(folder, file, before)
        is_the_same = announced is not None and (announced.change, announced.actor, announced.reason) == (
            change, actor, reason,
        )  # fmt: skip
        if announced is not None and is_the_same:
            entry = announced
        else:
            journal = AdminJournal(folder.admin_journal)
            entry = journal.append_change(actor=actor, action=file.action, reason=reason, change=change)
        fresh.replace(file.path)
    finally:
        fresh.unlink(missing_ok=True)
    fsync_folder(file.path.parent)
    return Placed(entry, announced)


def _announced(folder: BooksFolder, file: DatedFile, before: str | None) -> AdminEntry | None:
    """The change that a command was stopped at, after its entry and before its file: it began with the text of now."""
    last = last_change(folder, file)
    if last is None or last.change is None or last.change["sha256_before"] != before:
        return None
    return last if last.change["sha256_after"] != before else None


def start_us(start: date | datetime) -> int:
    """A day, from its midnight in UTC, or an instant, as epoch microseconds."""
    return epoch_us(start if isinstance(start, datetime) else datetime.combine(start, time(), UTC))


def sha256_of(path: Path) -> str | None:
    """Hash of a file's bytes, None where there is no file."""
    content = _content(path)
    return None if content is None else hashlib.sha256(content).hexdigest()


def _dated_file(action: ChangeAction, folder: BooksFolder, path: Path, default: Path) -> DatedFile:
    name = str(path.relative_to(folder.root))
    path = path.resolve()  # a link stays a link: the file it leads to is replaced
    before = _content(path)
    if before is None and path != default.resolve():
        raise ConfigurationError(f"{path}: no such file; tollbook.toml names it")
    if before is None:
        text = files("pipelines.books").joinpath("templates", default.name).read_text("utf-8")
        return DatedFile(action, path, name, None, text)
    try:
        return DatedFile(action, path, name, before, before.decode())
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{name}: not UTF-8 text at byte {error.start}; save it as UTF-8") from None


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read ({error.strerror})") from None


def _scratch(folder: str, name: str, text: str) -> Path:
    path = Path(folder) / Path(name).name
    path.write_bytes(text.encode())
    return path


def _written_beside(path: Path, content: bytes) -> Path:
    """A durable new file in the folder of `path`, with the mode of the file it will replace.

    The caller holds the lock, so one that lies there was left behind by a command that was stopped.
    """
    prefix = f".new-{path.name}-"
    for stale in path.parent.glob(f"{prefix}*"):
        stale.unlink(missing_ok=True)
    with tempfile.NamedTemporaryFile(prefix=prefix, dir=path.parent, delete=False) as file:
        try:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            Path(file.name).chmod(path.stat().st_mode & 0o777 if path.exists() else _MODE)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise
    return Path(file.name)
