"""journal/recon.jsonl: what reconciliations must remember: the words of people, and when each break was seen first."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from billing_core.errors import IntegrityError
from pipelines.books import clock
from pipelines.books.admin_journal import require_signed
from pipelines.books.journal import HashChainedLog

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

_BREAKS_A_LINE = 500


@dataclass(frozen=True, slots=True)
class OverrideEntry:
    """A person's word about one break; `expires_at` None: it holds for good."""

    seq: int
    break_id: str
    actor: str
    reason: str
    made_at: datetime
    expires_at: datetime | None


@dataclass(frozen=True)
class ReconMemory:
    """The journal, read: overrides in order, and the as-of instant at which each break was seen first."""

    overrides: tuple[OverrideEntry, ...]
    first_seen: Mapping[str, datetime]


class ReconJournal:
    """The journal of one books folder."""

    def __init__(self, path: Path, now: Callable[[], datetime] = clock.now) -> None:
        """Use the journal at `path`; the first line makes it."""
        self.log = HashChainedLog(path, now)

    def override(self, break_id: str, *, actor: str, reason: str, expires_at: datetime | None) -> OverrideEntry:
        """Append an override, durable when this returns. Raises ConfigurationError when a field cannot stand."""
        require_signed(actor, reason)
        until = None if expires_at is None else clock.iso_micros(expires_at)
        line = self.log.append(
            {"kind": "override", "break_id": break_id, "actor": actor, "reason": reason, "expires_at": until}
        )
        return OverrideEntry(line.seq, break_id, actor, reason, datetime.fromisoformat(line.at), expires_at)

    def remember(self, break_ids: Sequence[str], as_of: datetime) -> None:
        """Append that these breaks were seen first at an as-of instant."""
        for start in range(0, len(break_ids), _BREAKS_A_LINE):
            part = list(break_ids[start : start + _BREAKS_A_LINE])
            self.log.append({"kind": "seen", "as_of": clock.iso_micros(as_of), "breaks": part})

    def read(self) -> ReconMemory:
        """Read and verify the journal. Raises TornLineError, or IntegrityError for a line of a newer version."""
        overrides: list[OverrideEntry] = []
        seen: dict[str, datetime] = {}
        for line in self.log.read():
            try:
                if line.payload["kind"] == "override":
                    said = dict(line.payload)
                    until = said["expires_at"]
                    overrides.append(
                        OverrideEntry(
                            seq=line.seq,
                            break_id=said["break_id"],
                            actor=said["actor"],
                            reason=said["reason"],
                            made_at=datetime.fromisoformat(line.at),
                            expires_at=None if until is None else datetime.fromisoformat(until),
                        )
                    )
                elif line.payload["kind"] == "seen":
                    as_of = datetime.fromisoformat(line.payload["as_of"])
                    for break_id in line.payload["breaks"]:
                        seen.setdefault(break_id, as_of)
                else:
                    raise ValueError  # noqa: TRY301 reported with its place below
            except (KeyError, TypeError, ValueError):
                msg = f"{self.log.path}, line {line.seq}: not a line that this version knows; use a newer version"
                raise IntegrityError(msg) from None
        return ReconMemory(tuple(overrides), seen)
