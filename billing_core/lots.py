"""Settlement of an account's token lots for one posting.

Credits open lots and repay the oldest debt; debits burn usable lots by priority, earliest expiry (never last), earliest
start and lot_id; what is left at a lot's expiry expires, before credits and debits of that instant. A late debit may
revive expired tokens of a lot that was alive at its instant. What nothing covers is debt, and debt never stands
beside usable tokens: a lot that started after the debit repays it at once. Rules: docs/ledger.md, "Lots".

Debits between two lot events arrive as one run, so an account costs O(lot events), however many debits it has.
"""

from __future__ import annotations

from bisect import insort
from typing import TYPE_CHECKING

from billing_core import tape
from billing_core.errors import IntegrityError
from billing_core.lot_types import FOREVER, AccountLots, Allocation, Entry, Expiry, Lot, Movements, Revival

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    SplitRun = Callable[[Entry], Sequence[Entry]]


def settle(
    account: AccountLots,
    entries: Sequence[Entry],
    horizon_us: int,
    *,
    posted_until_us: int = -FOREVER,
    split: SplitRun | None = None,
    movements: Movements | None = None,
) -> Movements:
    """Settle one posting's entries of one account and change `account` into its state afterwards.

    entries: in ledger order, occurred_us never falling. horizon_us: end of the posting's billing date, exclusive; lots
    that expire before it expire now. posted_until_us: the horizon of the posting before; a lot that ended by then
    repays no debt of a late debit. split: the single debits of a run; needed only if entries hold runs.
    Returns `movements` (a new one by default) with this account's movements appended.
    Raises IntegrityError if an entry names an unknown lot, opens a known one, or gives back more than was taken.
    """
    sink = movements if movements is not None else Movements()
    settler = _Settler(account, posted_until_us, split, sink)
    for entry in entries:
        settler.post(entry)
    settler.finish(horizon_us)
    return sink


class _Settler:
    """One account's settlement: lots with tokens left in burn order, expired ones apart."""

    __slots__ = (
        "account",
        "balance",
        "coverage",
        "gone",
        "live",
        "lots",
        "next_expiry",
        "now_us",
        "posted_until_us",
        "revivable_until",
        "sink",
        "spans",
        "split",
    )

    def __init__(self, account: AccountLots, posted_until_us: int, split: SplitRun | None, sink: Movements) -> None:
        self.account = account
        self.posted_until_us = posted_until_us
        self.split = split
        self.sink = sink
        self.coverage = account.coverage
        self.now_us = -FOREVER
        self.lots: dict[str, Lot] = {}
        self.live: list[Lot] = []  # in burn order
        self.gone: dict[str, Lot] = {}
        self.next_expiry = FOREVER
        self.revivable_until = -FOREVER
        for lot in account.lots:
            self.lots[lot.lot_id] = lot
            if lot.remaining:
                self._wake(lot)
            if lot.expired:
                self._retire(lot)
        self.spans: dict[int, tuple[int, int]] = {}
        self.balance = self._balance()

    def post(self, entry: Entry) -> None:
        """One entry, or one run of debits, after the expiries due by then."""
        if entry.occurred_us < self.now_us:
            raise IntegrityError(self._says(entry, "occurs before the entry ahead of it; order entries by time"))
        self._expire(entry.occurred_us, entry.entry_id)
        if entry.kind == "debit":
            self._debit(entry, entry.tokens)
        elif entry.kind == "credit":
            self._credit(entry)
        elif entry.kind == "take_back":
            self._take_back(entry)
        elif entry.kind == "release":
            self._release(entry)
        else:
            raise IntegrityError(self._says(entry, "has an unknown kind; use credit, debit, take_back or release"))
        self.now_us = entry.last_us

    def finish(self, horizon_us: int) -> None:
        """Expire what ends before the horizon, and prove what must hold of every account."""
        self._expire(max(horizon_us - 1, self.now_us), None)
        self.account.lots = list(self.lots.values())
        assert all(0 <= lot.remaining <= lot.tokens - lot.expired and lot.expired >= 0 for lot in self.account.lots)
        assert self._balance() == self.balance, "lot remainders less debt are the balance"
        assert not self.account.debt or not any(self._usable(lot) for lot in self.live), "no debt beside usable tokens"

    # credits

    def _credit(self, entry: Entry) -> None:
        if entry.lot_id is None or entry.lot_id in self.lots:
            raise IntegrityError(self._says(entry, "opens a lot that exists already; post each credit once"))
        lot = Lot(entry.lot_id, entry.tokens, entry.priority, entry.effective_us, entry.expires_us, entry.tokens)
        self.lots[lot.lot_id] = lot
        self.balance += entry.tokens
        if self.account.debt and lot.expires_us > max(lot.effective_us, entry.occurred_us):
            self._repay(lot, entry.occurred_us)
        if lot.remaining:
            self._wake(lot)

    def _repay(self, lot: Lot, at_us: int) -> None:
        """Cover the oldest debt from a lot, not before the lot starts."""
        at_us = max(at_us, lot.effective_us)
        for start, end, _ in tape.take_front(self.account.debt, lot.remaining):
            lot.remaining -= end - start
            self._allocate(lot.lot_id, "repay", start, end, end - start, at_us)
            if self.coverage is not None:
                tape.insert(self.coverage, (start, end, lot.lot_id))

    def _repay_from_usable(self, at_us: int) -> None:
        """Cover debt from every lot that is not over, the one that starts first ahead."""
        usable = [lot for lot in self.live if self._usable(lot, at_us)]
        for lot in sorted(usable, key=lambda lot: lot.effective_us):
            self._repay(lot, at_us)
        if usable:
            self.live = [lot for lot in self.live if lot.remaining]

    # debits

    def _debit(self, entry: Entry, tokens: int) -> None:
        self.balance -= tokens
        start = self.account.tape_end
        end = self.account.tape_end = start + tokens
        if entry.rows == 1:
            self.spans[entry.entry_id] = (start, end)
        start = self._burn(entry, start, end)
        if start < end and entry.occurred_us < self.revivable_until:
            start = self._burn_expired(entry, start, end)
        if start < end:
            tape.append(self.account.debt, (start, end, None))
            if self.live:
                self._repay_from_usable(entry.occurred_us)

    def _burn(self, entry: Entry, start: int, end: int) -> int:
        """Cover [start, end) from usable lots; returns where they ran out."""
        index = 0
        while start < end and index < len(self.live):
            lot = self.live[index]
            if lot.effective_us <= entry.occurred_us < lot.expires_us:
                start = self._cover(lot, start, min(end, start + lot.remaining), entry.last_us)
            if lot.remaining:
                index += 1
            else:
                del self.live[index]
        return start

    def _cover(self, lot: Lot, start: int, end: int, at_us: int) -> int:
        lot.remaining -= end - start
        self._allocate(lot.lot_id, "burn", start, end, end - start, at_us)
        if self.coverage is not None:
            tape.append(self.coverage, (start, end, lot.lot_id))
        return end

    def _burn_expired(self, entry: Entry, start: int, end: int) -> int:
        """Cover [start, end), the end of a late debit or run, by reviving expired tokens, one correction per debit."""
        at_us = entry.occurred_us
        gone = (lot for lot in self.gone.values() if lot.effective_us <= at_us < lot.expires_us and lot.expired)
        lots = sorted(gone, key=Lot.burn_order)
        if not lots:
            return start
        stop = end - entry.tokens
        for debit in self._singles(entry):
            stop += debit.tokens
            for lot in lots:
                if start < stop and lot.expired:
                    tokens = min(lot.expired, stop - start)
                    self._revive(lot, tokens, debit)
                    start = self._cover(lot, start, start + tokens, debit.occurred_us)
            if start < stop:
                break
        return start

    def _singles(self, entry: Entry) -> Sequence[Entry]:
        if entry.rows == 1:
            return [entry]
        if self.split is None:
            raise IntegrityError(self._says(entry, "is a run of debits that must be split; pass `split`"))
        return self.split(entry)

    def _revive(self, lot: Lot, tokens: int, entry: Entry) -> None:
        lot.expired -= tokens
        lot.remaining += tokens
        lot.revival_count += 1
        self.balance += tokens
        account_id, at_us = self.account.account_id, entry.occurred_us
        self._allocate(lot.lot_id, "revive", None, None, tokens, at_us)
        self.sink.revivals.append(
            Revival(account_id, lot.lot_id, at_us, tokens, lot.revival_count, lot.expiry_count, entry.entry_id)
        )

    # refunds, chargebacks, corrections

    def _take_back(self, entry: Entry) -> None:
        """Withdraw a purchase: its unspent tokens, then its expired ones, then as an ordinary debit."""
        lot = self._known(entry, entry.lot_id)
        unspent = min(lot.remaining, entry.tokens)
        revived = min(lot.expired, entry.tokens - unspent)
        if revived:
            self._revive(lot, revived, entry)
        if unspent + revived:
            lot.remaining -= unspent + revived
            self.balance -= unspent + revived
            self._allocate(lot.lot_id, "take_back", None, None, unspent + revived, entry.occurred_us, entry.entry_id)
            self.live = [other for other in self.live if other.remaining]
        if unspent + revived < entry.tokens:
            self._debit(entry, entry.tokens - unspent - revived)

    def _release(self, entry: Entry) -> None:
        """Give back the newest live tokens of an interval, then of what its row took back from its lot."""
        coverage = self.coverage
        if coverage is None:
            raise IntegrityError(self._says(entry, "is settled without the account's coverage; pass what lots cover"))
        a, b = entry.interval_from, entry.interval_to
        if entry.named_entry_id is not None:
            a, b = self.spans.get(entry.named_entry_id, (a, b))
        others = entry.other_intervals or ()
        found: list[tape.Piece] = []
        for left, right in [(a, b), *zip(others[::2], others[1::2], strict=True)]:
            found += tape.overlaps(coverage, left, right) + tape.overlaps(self.account.debt, left, right)
        pieces = tape.newest(found, entry.tokens)
        for start, end, owner in pieces:
            tape.cut(self.account.debt if owner is None else coverage, start, end)
            self._allocate(owner, "release", start, end, end - start, entry.occurred_us)
            if owner is not None:
                self._give_back(entry, self._known(entry, owner), end - start)
        rest = entry.tokens - tape.length(pieces)
        if rest and entry.lot_id is None:
            raise IntegrityError(self._says(entry, f"gives back {rest} tokens more than [{a}, {b}) still holds"))
        if rest:
            lot = self._known(entry, entry.lot_id)
            self._allocate(lot.lot_id, "release", None, None, rest, entry.occurred_us)
            self._give_back(entry, lot, rest)
        self.balance += entry.tokens
        if self.account.debt:
            self._repay_from_usable(entry.occurred_us)

    def _give_back(self, entry: Entry, lot: Lot, tokens: int) -> None:
        asleep = not lot.remaining
        lot.remaining += tokens
        if lot.remaining + lot.expired > lot.tokens:
            raise IntegrityError(self._says(entry, f"gives back more tokens than were taken from lot {lot.lot_id}"))
        if asleep:
            self._wake(lot)

    # expiry

    def _expire(self, until_us: int, before_entry_id: int | None) -> None:
        """Expire what lots that ended by then still hold, in the order of their ends.

        Tokens that came into a lot after its end expire at the instant at which they came.
        """
        if until_us < self.next_expiry:
            return
        due = [lot for lot in self.live if lot.expires_us <= until_us]
        self.live = [lot for lot in self.live if lot.expires_us > until_us]
        self.next_expiry = min((lot.expires_us for lot in self.live), default=FOREVER)
        for lot in sorted(due, key=lambda lot: (lot.expires_us, lot.lot_id)):
            self._expire_lot(lot, max(lot.expires_us, self.now_us), before_entry_id)

    def _expire_lot(self, lot: Lot, at_us: int, before_entry_id: int | None) -> None:
        tokens, lot.remaining = lot.remaining, 0
        self._retire(lot)
        lot.expired += tokens
        lot.expiry_count += 1
        self.balance -= tokens
        account_id = self.account.account_id
        self._allocate(lot.lot_id, "expire", None, None, tokens, at_us)
        self.sink.expiries.append(Expiry(account_id, lot.lot_id, at_us, tokens, lot.expiry_count, before_entry_id))

    # helpers

    def _wake(self, lot: Lot) -> None:
        insort(self.live, lot, key=Lot.burn_order)
        self.next_expiry = min(self.next_expiry, lot.expires_us)

    def _retire(self, lot: Lot) -> None:
        self.gone[lot.lot_id] = lot
        self.revivable_until = max(self.revivable_until, lot.expires_us)

    def _usable(self, lot: Lot, at_us: int | None = None) -> bool:
        """Whether a lot's tokens can still be spent: it neither ended by now nor before the last posting's horizon."""
        now_us = self.now_us if at_us is None else at_us
        return lot.expires_us > max(now_us, self.posted_until_us, lot.effective_us)

    def _allocate(
        self,
        lot_id: str | None,
        kind: str,
        start: int | None,
        end: int | None,
        tokens: int,
        at_us: int,
        entry_id: int | None = None,
    ) -> None:
        account_id = self.account.account_id
        self.sink.allocations.append(Allocation(account_id, lot_id, kind, start, end, tokens, at_us, entry_id))

    def _known(self, entry: Entry, lot_id: str | None) -> Lot:
        lot = self.lots.get(lot_id) if lot_id is not None else None
        if lot is None:
            raise IntegrityError(self._says(entry, f"concerns the lot {lot_id}, which the account was given without"))
        return lot

    def _balance(self) -> int:
        return sum(lot.remaining for lot in self.lots.values()) - tape.length(self.account.debt)

    def _says(self, entry: Entry, what: str) -> str:
        return f"account {self.account.account_id}: entry {entry.entry_id} ({entry.kind}) {what}"


__all__ = ["FOREVER", "AccountLots", "Allocation", "Entry", "Expiry", "Lot", "Movements", "Revival", "settle"]
