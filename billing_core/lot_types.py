"""What a settlement of token lots reads and writes: entries in; allocations, expiries and revivals out.

Times are epoch microseconds in UTC, tokens whole numbers, intervals half-open. Rules: docs/ledger.md, "Lots".
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from billing_core.tape import Piece

FOREVER = 2**63 - 1
"""The expiry of a lot that never expires."""


class Entry(NamedTuple):
    """One ledger entry of an account, or a run of consecutive debits with no lot starting or ending among them.

    kind: `credit` opens the lot lot_id; `debit` goes on the tape; `take_back` withdraws tokens of the lot lot_id;
    `release` gives back tokens of the row that debited [interval_from, interval_to), then of what that row took back
    from the lot lot_id. tokens is above zero and, for a run, the sum of its debits. entry_id, occurred_us: of the run's
    first debit; last_us: of its last. priority, effective_us and expires_us (after the last instant) are a credit's.
    named_entry_id: for a release of a row of this very posting, that row's entry_id, in place of an interval.
    other_intervals: for a release of a call that was raised before, where its raises stand: from, to, from, to ...
    """

    entry_id: int
    kind: str
    occurred_us: int
    last_us: int
    tokens: int
    lot_id: str | None = None
    priority: int = 0
    effective_us: int = 0
    expires_us: int = FOREVER
    interval_from: int = 0
    interval_to: int = 0
    first_row: int = 0
    rows: int = 1
    named_entry_id: int | None = None
    other_intervals: Sequence[int] | None = None


@dataclass(slots=True)
class Lot:
    """Tokens of one credit: `tokens` at first, `remaining` unspent, `expired` of them expired and not revived.

    expiry_count and revival_count number the lot's expiry rows and the corrections of them.
    """

    lot_id: str
    tokens: int
    priority: int
    effective_us: int
    expires_us: int
    remaining: int
    expired: int = 0
    expiry_count: int = 0
    revival_count: int = 0

    def burn_order(self) -> tuple[int, int, int, str]:
        """Which lot burns first: low priority number, earliest expiry, earliest start, lot_id."""
        return (self.priority, self.expires_us, self.effective_us, self.lot_id)


@dataclass(slots=True)
class AccountLots:
    """An account before a posting; `settle` changes it into the account after it.

    lots: all with remaining or expired tokens and all that a take_back or release concerns. debt: the uncovered pieces.
    coverage: which lot covers which piece, at least of the intervals that releases name; None if no entry is a release.
    """

    account_id: str
    lots: list[Lot] = field(default_factory=list)
    debt: list[Piece] = field(default_factory=list)
    tape_end: int = 0
    coverage: list[Piece] | None = None


class Allocation(NamedTuple):
    """A movement of a lot's tokens; take_back, expire, revive and the release of a take_back have no interval.

    A release without a lot is debt that was given back: its positions are dead, like those given back to a lot.
    entry_id: of the take_back that withdrew the tokens, which tells how much of its row is on the tape; else None.
    """

    account_id: str
    lot_id: str | None
    kind: str
    debit_from: int | None
    debit_to: int | None
    tokens: int
    allocated_us: int
    entry_id: int | None = None


class Expiry(NamedTuple):
    """The number-th expiry row of a lot, placed right before an entry of the posting, or after the last (None)."""

    account_id: str
    lot_id: str
    at_us: int
    tokens: int
    number: int
    before_entry_id: int | None


class Revival(NamedTuple):
    """The number-th correction of a lot's expiry rows, naming the expiry_number-th, right before an entry."""

    account_id: str
    lot_id: str
    at_us: int
    tokens: int
    number: int
    expiry_number: int
    before_entry_id: int


@dataclass(slots=True)
class Movements:
    """What settlements wrote, in ledger order per account."""

    allocations: list[Allocation] = field(default_factory=list)
    expiries: list[Expiry] = field(default_factory=list)
    revivals: list[Revival] = field(default_factory=list)
