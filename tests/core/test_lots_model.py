"""Settlement of lots against a model that moves one token at a time."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing_core import tape
from billing_core.lot_postings import LotPosting, LotState, settle_postings
from billing_core.lot_types import FOREVER, AccountLots, Entry, Movements
from billing_core.lots import settle
from tests.core.lot_frames import DEBT_IN, HEADS_IN, entry_frame, frame_of_lots
from tests.core.token_model import TokenModel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from billing_core.tape import Piece

DAY = 20


class Draft(NamedTuple):
    """An entry before its tape interval, lot and id are known; picks choose among what then exists."""

    kind: str
    at: int
    late: bool
    tokens: int
    priority: int
    starts_in: int
    lasts: int | None
    pick: int


drafts = st.builds(
    Draft,
    kind=st.sampled_from(["credit", "credit", "debit", "debit", "debit", "take_back", "release"]),
    at=st.integers(0, DAY - 1),
    late=st.booleans(),
    tokens=st.integers(1, 12),
    priority=st.integers(1, 2),
    starts_in=st.sampled_from([-15, -3, 0, 0, 0, 4, 12]),
    lasts=st.sampled_from([None, None, 0, 3, 8, 25]),
    pick=st.integers(0, 100),
)
days = st.lists(st.lists(drafts, max_size=9), min_size=1, max_size=4)
RANK = {"credit": 0, "release": 0, "debit": 1, "take_back": 1}


def write(day: int, plan: Sequence[Draft], first_id: int, opened: list[str]) -> list[Entry]:
    """One day's drafts as entries in ledger order; releases are filled in by `Books`, which knows the tape."""
    entries = []
    for number, draft in enumerate(plan):
        lot = None
        at = day * DAY + draft.at - (DAY * (1 + draft.pick % 2) if draft.late else 0)
        starts = at + draft.starts_in
        if draft.kind == "credit":
            lot = f"lot-{first_id + number:03}"
        elif draft.kind == "take_back":
            if not opened:
                continue
            lot = opened[draft.pick % len(opened)]
        entries.append(
            Entry(
                first_id + number, draft.kind, at, at, draft.tokens, lot, draft.priority, starts,
                FOREVER if draft.lasts is None else starts + draft.lasts, interval_from=draft.pick,
            )
        )  # fmt: skip
    ordered = sorted(entries, key=lambda entry: (entry.occurred_us, RANK[entry.kind], entry.entry_id))
    opened.extend(entry.lot_id for entry in ordered if entry.kind == "credit" and entry.lot_id)
    return ordered


class Books:
    """The settlement under test and the model, fed with the same postings."""

    def __init__(self) -> None:
        self.account = AccountLots("acme", coverage=[])
        self.model = TokenModel()
        self.history = Movements()
        self.horizon = -FOREVER
        self.rows: list[tuple[int, int, str | None, int]] = []  # tape interval, lot and tokens of each debiting row
        self.given_back: Counter[int] = Counter()

    def post(self, plan: Sequence[Entry], horizon: int) -> list[Entry]:
        entries = []
        for entry in plan:
            ready = self._named(entry)
            if ready is None:
                continue
            before = len(self.model.tape)
            self.model.post(ready)
            if ready.kind in ("debit", "take_back"):
                self.rows.append((before, len(self.model.tape), ready.lot_id, ready.tokens))
            entries.append(ready)
        self.model.close(horizon)
        settle(self.account, entries, horizon, posted_until_us=self.horizon, movements=self.history)
        self.horizon = horizon
        return entries

    def _named(self, entry: Entry) -> Entry | None:
        """A release of part of an earlier row that has something left; any other entry as it is."""
        if entry.kind != "release":
            return entry
        open_rows = [number for number, row in enumerate(self.rows) if row[3] > self.given_back[number]]
        if not open_rows:
            return None
        number = open_rows[entry.interval_from % len(open_rows)]
        start, end, lot, tokens = self.rows[number]
        count = min(entry.tokens, tokens - self.given_back[number])
        self.given_back[number] += count
        return entry._replace(tokens=count, lot_id=lot, interval_from=start, interval_to=end)


def covered(history: Movements) -> list[Piece]:
    """What lots cover according to the allocations alone."""
    pieces: list[Piece] = []
    rows = [row for row in history.allocations if row.debit_from is not None and row.debit_to is not None]
    for row in rows:
        if row.kind in ("burn", "repay"):
            assert row.debit_from is not None
            assert row.debit_to is not None
            assert not tape.overlaps(pieces, row.debit_from, row.debit_to), "a position is covered twice"
            tape.insert(pieces, (row.debit_from, row.debit_to, row.lot_id))
        elif row.kind == "release" and row.debit_from is not None and row.debit_to is not None:
            tape.cut(pieces, row.debit_from, row.debit_to)
    return pieces


def laid_out(history: Movements, account: AccountLots) -> list[str]:
    """The tape position by position, from allocations and debt."""
    positions = ["dead"] * account.tape_end
    for start, end, owner in [*covered(history), *account.debt]:
        for position in range(start, end):
            assert positions[position] == "dead", "covered and owed at once"
            positions[position] = "owed" if owner is None else owner
    return positions


def dead_positions(history: Movements) -> set[int]:
    """The positions that releases gave back."""
    return {
        position
        for row in history.allocations
        if row.kind == "release" and row.debit_from is not None and row.debit_to is not None
        for position in range(row.debit_from, row.debit_to)
    }


def spread(rows: Sequence[tuple[str, int, int, int | None]]) -> list[tuple[str, int, int | None]]:
    """Rows of (lot, instant, tokens, before entry) token by token."""
    return sorted(((lot, at, before) for lot, at, tokens, before in rows for _ in range(tokens)), key=repr)


def run(plan: list[list[Draft]]) -> Books:
    """Every day of a plan, posted."""
    books = Books()
    opened: list[str] = []
    for day, drafted in enumerate(plan):
        books.post(write(day, drafted, day * 100, opened), (day + 1) * DAY)
    return books


@settings(max_examples=400, deadline=None)
@given(days)
def test_settlement_agrees_with_a_model_of_single_tokens(plan: list[list[Draft]]) -> None:
    """Coverage, remainders, debt, expiries and revivals are those of the token-by-token model."""
    books = run(plan)
    assert laid_out(books.history, books.account) == books.model.tape
    assert {lot.lot_id: (lot.remaining, lot.expired) for lot in books.account.lots} == {
        name: (lot.held, lot.expired) for name, lot in books.model.lots.items()
    }
    expiries = [(row.lot_id, row.at_us, row.tokens, row.before_entry_id) for row in books.history.expiries]
    revivals = [(row.lot_id, row.at_us, row.tokens, row.before_entry_id) for row in books.history.revivals]
    assert spread(expiries) == sorted(books.model.expiries, key=repr)
    assert spread(revivals) == sorted(books.model.revivals, key=repr)


@settings(max_examples=200, deadline=None)
@given(days)
def test_allocations_alone_explain_every_lot_and_every_position(plan: list[list[Draft]]) -> None:
    """Remainders follow from allocations; covered, owed and released positions tile the tape."""
    books = run(plan)
    history, account = books.history, books.account
    sums: Counter[tuple[str | None, str]] = Counter()
    for row in history.allocations:
        sums[row.lot_id, row.kind] += row.tokens
    for lot in account.lots:
        out = sum(sums[lot.lot_id, kind] for kind in ("burn", "repay", "take_back", "expire"))
        back = sums[lot.lot_id, "release"] + sums[lot.lot_id, "revive"]
        assert lot.remaining == lot.tokens - out + back >= 0
        assert lot.expired == sums[lot.lot_id, "expire"] - sums[lot.lot_id, "revive"] >= 0
        assert lot.expiry_count == sum(row.lot_id == lot.lot_id for row in history.expiries)
    assert all(row.tokens > 0 for row in history.allocations)
    dead = {position for position, owner in enumerate(laid_out(history, account)) if owner == "dead"}
    assert dead == dead_positions(history)


@settings(max_examples=200, deadline=None)
@given(days)
def test_burns_lie_within_their_lots_lifetimes(plan: list[list[Draft]]) -> None:
    """No burn before a lot starts nor from its end on; a revived lot too was alive when the debit occurred."""
    books = run(plan)
    lots = {lot.lot_id: lot for lot in books.account.lots}
    for row in books.history.allocations:
        if row.kind == "burn" and row.lot_id is not None:
            assert lots[row.lot_id].effective_us <= row.allocated_us < lots[row.lot_id].expires_us


@settings(max_examples=200, deadline=None)
@given(days)
def test_postings_may_be_joined_when_nothing_is_late(plan: list[list[Draft]]) -> None:
    """Entries in order of time, settled in one posting or several, end in the same coverage, lots and expiries."""
    daily = Books()
    opened: list[str] = []
    posted: list[Entry] = []
    for day, drafted in enumerate(plan):
        timely = [draft._replace(late=False, starts_in=0) for draft in drafted]
        posted.extend(daily.post(write(day, timely, day * 100, opened), (day + 1) * DAY))
    at_once, history = AccountLots("acme", coverage=[]), Movements()
    settle(at_once, posted, len(plan) * DAY, movements=history)
    assert laid_out(history, at_once) == laid_out(daily.history, daily.account)
    assert sorted(map(repr, at_once.lots)) == sorted(map(repr, daily.account.lots))
    assert [row[:5] for row in history.expiries] == [row[:5] for row in daily.history.expiries]


def moved(posting: LotPosting) -> tuple[list[tuple[object, ...]], ...]:
    """Rows of a settlement, touching pieces joined; burns without time: a run has its newest debit's."""
    pieces: list[tuple[object, ...]] = []
    for _, lot, kind, start, end, tokens, at, _ in posting.allocations.rows():
        when = None if kind == "burn" else at
        last = pieces[-1] if pieces else None
        if last and kind in ("burn", "repay") and last[0:2] == (lot, kind) and last[3:] == (start, when):
            pieces[-1] = (lot, kind, last[2], end, when)
        else:
            pieces.append((lot, kind, start, end if start is not None else tokens, when))
    frames = (posting.expiries, posting.revivals, posting.debt, posting.heads)
    return (pieces, *(frame.rows() for frame in frames))


@settings(max_examples=200, deadline=None)
@given(days, st.lists(drafts, min_size=1, max_size=25))
@pytest.mark.slow
def test_frames_of_runs_settle_like_single_entries(plan: list[list[Draft]], last: list[Draft]) -> None:
    """Gathering debits into runs changes no allocation, expiry or revival."""
    opened: list[str] = []
    books = Books()
    for day, drafted in enumerate(plan):
        books.post(write(day, drafted, day * 100, opened), (day + 1) * DAY)
    before = [replace(lot) for lot in books.account.lots]
    debt, tape_end, known = list(books.account.debt), books.account.tape_end, len(books.history.allocations)
    expired, revived = len(books.history.expiries), len(books.history.revivals)
    history = frame_of_history(books.history)
    horizon, until = (len(plan) + 1) * DAY, books.horizon
    entries = books.post(write(len(plan), last, 9000, opened), horizon)
    frames = settle_postings(
        entry_frame(entries, "acme"),
        LotState(
            frame_of_lots(before, "acme"),
            pl.DataFrame([("acme", *piece[:2]) for piece in debt], schema=DEBT_IN, orient="row"),
            pl.DataFrame([("acme", tape_end)], schema=HEADS_IN, orient="row"),
            history,
        ),
        horizon,
        posted_until_us=until,
    )
    books.history.allocations[:known] = []
    books.history.expiries[:expired] = []
    books.history.revivals[:revived] = []
    single = LotPosting(
        allocations=pl.DataFrame(books.history.allocations, schema=frames.allocations.schema, orient="row"),
        expiries=pl.DataFrame(books.history.expiries, schema=frames.expiries.schema, orient="row"),
        revivals=pl.DataFrame(books.history.revivals, schema=frames.revivals.schema, orient="row"),
        debt=pl.DataFrame(
            [("acme", *piece[:2]) for piece in books.account.debt], schema=frames.debt.schema, orient="row"
        ),
        heads=pl.DataFrame(
            [("acme", books.account.tape_end, tape.length(books.account.debt))],
            schema=frames.heads.schema,
            orient="row",
        ),
    )
    assert moved(frames) == moved(single)


def frame_of_history(history: Movements) -> pl.DataFrame:
    """Allocations with an interval, as a caller reads them back."""
    rows = [("acme", row.lot_id, row.kind, row.debit_from, row.debit_to) for row in history.allocations]
    names = {
        "account_id": pl.String,
        "lot_id": pl.String,
        "kind": pl.String,
        "debit_from": pl.Int64,
        "debit_to": pl.Int64,
    }
    return pl.DataFrame(rows, schema=names, orient="row")
