"""What was done by hand: grants, deductions, blocks, credits booked for a break, changes of rates.toml, packages.toml.

An input of the books, never rewritten.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypedDict, get_args

from billing_core.errors import ConfigurationError, IntegrityError
from pipelines.books import clock
from pipelines.books.journal import ChainedLine, HashChainedLog

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

AdminAction = Literal["grant", "deduct", "block", "unblock"]
ADMIN_ACTIONS: tuple[AdminAction, ...] = get_args(AdminAction)
ChangeAction = Literal["settings", "packages"]
BookAction = Literal["book"]
TOKENS_MAX = 10**15
TEXT_LENGTH_MAX = 512


class FileChange(TypedDict):
    """A change of a configuration file: its name in the books folder, what was changed, its sha256 before and after.

    `sha256_before` is None where the file was made by the change.
    """

    file: str
    what: str
    sha256_before: str | None
    sha256_after: str


class BookedCredit(TypedDict):
    """A credit record that was booked to settle a break; the next posting takes it like one of the app's.

    Money in signed minor units, `occurred_at` UTC text; `source_credit_id` is the record that it names.
    """

    break_id: str
    credit_id: str
    transaction_type: str
    token_amount: int
    amount_cents: int | None
    currency: str | None
    package_id: str | None
    stripe_payment_intent_id: str | None
    stripe_charge_id: str | None
    stripe_refund_id: str | None
    source_credit_id: str | None
    occurred_at: str


@dataclass(frozen=True, slots=True)
class AdminEntry:
    """One entry. `token_amount` is above zero for grant and deduct (the action is the sign), None for the others.

    `at` is UTC text with microseconds; `hash` is the entry's hash in the chain. A change of a file has no account and
    moves nothing in the ledger; only it has a `change`. A booked `credit` says all that its ledger row will say.
    """

    seq: int
    id: str
    at: str
    actor: str
    action: AdminAction | ChangeAction | BookAction
    account_id: str | None
    token_amount: int | None
    reason: str
    hash: str
    change: FileChange | None = None
    credit: BookedCredit | None = None


class AdminJournal:
    """journal/admin.jsonl."""

    def __init__(self, path: Path, now: Callable[[], datetime] = clock.now) -> None:
        """Use the journal at `path`; the first entry makes it."""
        self.log = HashChainedLog(path, now)

    def append(
        self,
        *,
        actor: str,
        action: AdminAction,
        account_id: str,
        reason: str,
        token_amount: int | None = None,
        entry_id: str | None = None,
    ) -> AdminEntry:
        """Append an entry, durable when this returns. Raises ConfigurationError when a field cannot stand."""
        require_signed(actor, reason)
        _require_text("account", account_id)
        _require_tokens(action, token_amount)
        payload: dict[str, Any] = {"actor": actor, "action": action, "account_id": account_id, "reason": reason}
        payload["token_amount"] = token_amount
        return self._entry(self.log.append(payload, entry_id))

    def append_change(self, *, actor: str, action: ChangeAction, reason: str, change: FileChange) -> AdminEntry:
        """Append an entry for a change of a configuration file; as `append`."""
        require_signed(actor, reason)
        payload: dict[str, Any] = {"actor": actor, "action": action, "account_id": None, "reason": reason}
        return self._entry(self.log.append({**payload, "token_amount": None, "change": dict(change)}))

    def append_credit(self, *, actor: str, account_id: str, reason: str, credit: BookedCredit) -> AdminEntry:
        """Append an entry for a credit that settles a break; as `append`."""
        require_signed(actor, reason)
        _require_text("account", account_id)
        payload: dict[str, Any] = {"actor": actor, "action": "book", "account_id": account_id, "reason": reason}
        return self._entry(self.log.append({**payload, "token_amount": None, "credit": dict(credit)}))

    def read(self, up_to_seq: int | None = None) -> tuple[AdminEntry, ...]:
        """Return the entries in order, or those up to a seq, after the whole chain was verified."""
        return tuple(self._entry(line) for line in self.log.read(up_to_seq))

    def head_seq(self) -> int:
        """Return the seq of the last entry, 0 when there is none."""
        head = self.log.head()
        return head.seq if head else 0

    def _entry(self, line: ChainedLine) -> AdminEntry:
        fields = dict(line.payload)
        try:
            return AdminEntry(seq=line.seq, id=line.id, at=line.at, hash=line.hash, **fields)
        except TypeError:
            msg = f"{self.log.path}, line {line.seq}: not an entry that this version knows; use a newer version"
            raise IntegrityError(msg) from None


def require_signed(actor: str, reason: str) -> None:
    """Refuse an actor or a reason that cannot stand in the journal. Raises ConfigurationError."""
    _require_text("actor", actor)
    _require_text("reason", reason)


def _require_text(name: str, text: str) -> None:
    if not text.strip() or len(text) > TEXT_LENGTH_MAX or any(unicodedata.category(char) in "CcCs" for char in text):
        msg = f"{name}: expected 1 to {TEXT_LENGTH_MAX} printable characters on one line"
        raise ConfigurationError(msg)


def _require_tokens(action: AdminAction, token_amount: int | None) -> None:
    if action not in ADMIN_ACTIONS:
        msg = f"action: got {action!r}, expected one of {', '.join(ADMIN_ACTIONS)}"
        raise ConfigurationError(msg)
    if action in ("block", "unblock"):
        if token_amount is not None:
            msg = f"tokens: a {action} moves no tokens, got {token_amount}"
            raise ConfigurationError(msg)
    elif type(token_amount) is not int or not 1 <= token_amount <= TOKENS_MAX:
        msg = f"tokens: got {token_amount}, expected a whole number from 1 to {TOKENS_MAX}; the action is the sign"
        raise ConfigurationError(msg)
