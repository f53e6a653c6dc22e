"""The rules of token lots told a second time, one token at a time: slow, plain, and sharing no code with the first."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from billing_core.lot_types import Entry


@dataclass
class ModelLot:
    order: tuple[int, int, int, str]
    effective: int
    expires: int
    held: int
    expired: int = 0


@dataclass
class TokenModel:
    """One account: tape[i] is the lot that covers position i, "owed" or "dead"."""

    lots: dict[str, ModelLot] = field(default_factory=dict)
    tape: list[str] = field(default_factory=list)
    expiries: list[tuple[str, int, int | None]] = field(default_factory=list)  # lot, instant, before entry: per token
    revivals: list[tuple[str, int, int]] = field(default_factory=list)  # lot, instant, before entry: per token
    now: int = -(10**9)
    closed: int = -(10**9)

    def post(self, entry: Entry) -> None:
        self.expire(entry.occurred_us, entry.entry_id)
        self.now = entry.occurred_us
        getattr(self, entry.kind)(entry)

    def close(self, horizon: int) -> None:
        self.expire(horizon - 1, None)
        self.now, self.closed = -(10**9), horizon

    def expire(self, until: int, before: int | None) -> None:
        for name, lot in sorted(self.lots.items(), key=lambda item: (item[1].expires, item[0])):
            while lot.held and lot.expires <= until:
                lot.held -= 1
                lot.expired += 1
                self.expiries.append((name, max(lot.expires, self.now), before))

    def credit(self, entry: Entry) -> None:
        assert entry.lot_id is not None
        order = (entry.priority, entry.expires_us, entry.effective_us, entry.lot_id)
        lot = self.lots[entry.lot_id] = ModelLot(order, entry.effective_us, entry.expires_us, entry.tokens)
        while "owed" in self.tape and lot.held and lot.expires > max(lot.effective, entry.occurred_us):
            self.tape[self.tape.index("owed")] = entry.lot_id
            lot.held -= 1

    def debit(self, entry: Entry, tokens: int | None = None) -> None:
        for _ in range(entry.tokens if tokens is None else tokens):
            alive = [n for n, lot in self.lots.items() if lot.effective <= entry.occurred_us < lot.expires]
            alive.sort(key=lambda name: self.lots[name].order)
            holding = [name for name in alive if self.lots[name].held]
            lapsed = [name for name in alive if self.lots[name].expired]
            if not holding and lapsed:
                self.revive(lapsed[0], entry)
                holding = lapsed
            self.tape.append(holding[0] if holding else "owed")
            if holding:
                self.lots[holding[0]].held -= 1
        self.settle_debt()

    def take_back(self, entry: Entry) -> None:
        assert entry.lot_id is not None
        lot, tokens = self.lots[entry.lot_id], entry.tokens
        while tokens and (lot.held or lot.expired):
            if not lot.held:
                self.revive(entry.lot_id, entry)
            lot.held -= 1
            tokens -= 1
        self.debit(entry, tokens)

    def release(self, entry: Entry) -> None:
        tokens = entry.tokens
        for position in reversed(range(entry.interval_from, entry.interval_to)):
            if tokens and self.tape[position] != "dead":
                if self.tape[position] != "owed":
                    self.lots[self.tape[position]].held += 1
                self.tape[position] = "dead"
                tokens -= 1
        if tokens:
            assert entry.lot_id is not None
            self.lots[entry.lot_id].held += tokens
        self.settle_debt()

    def revive(self, name: str, entry: Entry) -> None:
        self.lots[name].expired -= 1
        self.lots[name].held += 1
        self.revivals.append((name, entry.occurred_us, entry.entry_id))

    def settle_debt(self) -> None:
        while "owed" in self.tape and (usable := self.usable()):
            name = min(usable, key=lambda name: (self.lots[name].effective, self.lots[name].order))
            self.tape[self.tape.index("owed")] = name
            self.lots[name].held -= 1

    def usable(self) -> list[str]:
        ended = max(self.now, self.closed)
        return [n for n, lot in self.lots.items() if lot.held and lot.expires > max(ended, lot.effective)]
