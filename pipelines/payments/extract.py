"""The raw extract: every new look of an object, appended to a file of its sync, and how far the sync has come.

Only whole lines count, and a page is passed once the cursor behind it is on the disk. After a crash a page may be asked
for again; what it shows has been written then and is not written twice.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from billing_core.errors import IntegrityError
from pipelines.books import clock
from pipelines.books.objects import fsync_folder
from pipelines.payments.sightings import PINNED_VERSION

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime
    from pathlib import Path

_OWNER_ONLY = 0o600


@dataclass
class SyncState:
    """A sync under way. Instants are Unix seconds; `after` is where its present step has come to."""

    sync_id: str
    file: str
    started_at: int
    window_end: int
    is_full: bool
    requests: int = 0
    objects: int = 0
    step: str = ""
    after: str | None = None
    done: list[str] = field(default_factory=list)


@dataclass
class Cursor:
    """What is remembered between syncs of one account and mode: the end of the last window, and a sync under way."""

    path: Path
    last_window_end: int | None = None
    current: SyncState | None = None

    @classmethod
    def load(cls, path: Path) -> Cursor:
        """Read the cursor; a new one remembers nothing. Raises IntegrityError for a file that is not one."""
        try:
            document = json.loads(path.read_bytes())
            current = document["current"]
            return cls(path, document["last_window_end"], SyncState(**current) if current is not None else None)
        except FileNotFoundError:
            return cls(path)
        except (ValueError, KeyError, TypeError):
            raise IntegrityError(
                f"{path} is not a cursor of the Stripe sync; remove it: the next sync then lists everything anew"
            ) from None

    def save(self) -> None:
        """Replace the file and wait for the disk."""
        document = {
            "last_window_end": self.last_window_end,
            "current": asdict(self.current) if self.current is not None else None,
        }
        fresh = self.path.with_name(f".{self.path.name}.new")
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _OWNER_ONLY)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(document, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self.path)
        fsync_folder(self.path.parent)


class Extract:
    """The file of one sync."""

    def __init__(self, path: Path, account: str, *, livemode: bool) -> None:
        """Open the file for appending; a last line that a crash cut off is cut away."""
        self._tail = f'"stripe_account":"{account}","livemode":{str(livemode).lower()},"data":'
        self._path = path
        is_new = not path.exists()
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        self._handle = os.open(path, flags, _OWNER_ONLY)
        if is_new:
            fsync_folder(path.parent)
        else:
            self._cut_torn_line()

    def append(self, texts: Iterable[str], at: datetime) -> None:
        """Append objects, each as the text that Stripe sent, and wait for the disk."""
        head = f'{{"fetched_at":"{clock.iso_micros(at)}","api_version":"{PINNED_VERSION}",{self._tail}'
        content = "".join(f"{head}{text}}}\n" for text in texts).encode()
        written = 0
        while written < len(content):
            written += os.write(self._handle, content[written:])
        if content:
            os.fsync(self._handle)

    def things(self) -> Iterator[dict[str, Any]]:
        """What the sync has written so far, parsed with decimals as texts."""
        with self._path.open("rb") as file:
            for line in file:
                yield json.loads(line, parse_float=str)["data"]

    def close(self) -> None:
        """Let the file go."""
        os.close(self._handle)

    def _cut_torn_line(self) -> None:
        keep = 0
        with self._path.open("rb") as file:
            for line in file:
                keep += len(line) if line.endswith(b"\n") else 0
        os.ftruncate(self._handle, keep)
