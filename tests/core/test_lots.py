"""Settlement of token lots, rule by rule."""

from __future__ import annotations

import polars as pl
import pytest

from billing_core.errors import IntegrityError
from billing_core.lot_postings import LotState, settle_postings
from billing_core.lot_types import FOREVER, AccountLots, Entry, Lot
from billing_core.lots import settle
from tests.core.lot_frames import DEBT_IN, HEADS_IN, entry_frame, frame_of_lots


def credit(number: int, at: int, tokens: int, **lot: int) -> Entry:
    """A credit that opens lot-<number>."""
    return Entry(
        number, "credit", at, at, tokens, f"lot-{number}", lot.get("priority", 1), lot.get("start", at),
        lot.get("end", FOREVER),
    )  # fmt: skip


def debit(number: int, at: int, tokens: int) -> Entry:
    """One call."""
    return Entry(number, "debit", at, at, tokens)


def rows(account: AccountLots, *entries: Entry, horizon: int = 100) -> list[tuple[object, ...]]:
    """(lot, kind, from, to, tokens, at) of each allocation."""
    return [row[1:7] for row in settle(account, entries, horizon).allocations]


def test_a_debit_at_the_instant_of_expiry_does_not_burn() -> None:
    """Expiry is exclusive and comes before debits of the same instant."""
    account = AccountLots("acme")
    assert rows(account, credit(1, 0, 5, end=10), debit(2, 10, 3)) == [("lot-1", "expire", None, None, 5, 10)]
    assert account.debt == [(0, 3, None)]


def test_a_lot_that_ends_at_the_horizon_waits_for_the_next_posting() -> None:
    """The horizon is exclusive too."""
    account = AccountLots("acme")
    assert rows(account, credit(1, 0, 5, end=100)) == []
    assert rows(account, horizon=101) == [("lot-1", "expire", None, None, 5, 100)]


def test_the_oldest_debt_is_repaid_first() -> None:
    """A credit covers debt from the front of the tape and keeps the rest."""
    account = AccountLots("acme")
    moved = rows(account, debit(1, 0, 4), debit(2, 1, 4), credit(3, 2, 5), credit(4, 3, 9))
    assert moved == [("lot-3", "repay", 0, 5, 5, 2), ("lot-4", "repay", 5, 8, 3, 3)]
    assert account.lots[1].remaining == 6


def test_a_late_debit_revives_expired_tokens_of_its_time() -> None:
    """The correction stands before the late debit and names the expiry; the debit then burns that lot."""
    account = AccountLots("acme", [Lot("spring", 10, 1, 0, 50, 0, expired=10, expiry_count=1)])
    moved = settle(account, [debit(7, 49, 4), debit(8, 50, 1)], 200, posted_until_us=100)
    assert moved.revivals == [("acme", "spring", 49, 4, 1, 1, 7)]
    assert [row[1:7] for row in moved.allocations] == [
        ("spring", "revive", None, None, 4, 49),
        ("spring", "burn", 0, 4, 4, 49),
    ]
    assert account.debt == [(4, 5, None)]


def test_a_late_debit_is_repaid_at_once_by_a_later_lot() -> None:
    """Debt never stands beside usable tokens."""
    account = AccountLots("acme", [Lot("later", 10, 1, 60, FOREVER, 10)])
    assert rows(account, debit(1, 40, 4)) == [("later", "repay", 0, 4, 4, 60)]


def test_a_refund_takes_unspent_then_expired_then_spent_tokens() -> None:
    """What the purchase's lot no longer has becomes a debit."""
    account = AccountLots("acme", [Lot("bought", 10, 1, 0, 50, 0, expired=3, expiry_count=1)], tape_end=7)
    moved = rows(account, Entry(1, "take_back", 60, 60, 10, "bought"))
    assert moved == [("bought", "revive", None, None, 3, 60), ("bought", "take_back", None, None, 3, 60)]
    assert account.debt == [(7, 14, None)]


def test_a_release_gives_back_the_newest_tokens_and_repays_debt() -> None:
    """Covered positions return to their lot, whose tokens then cover older debt."""
    account = AccountLots(
        "acme", [Lot("bought", 10, 1, 0, FOREVER, 0)], debt=[(10, 12, None)], tape_end=12, coverage=[(0, 10, "bought")]
    )
    moved = rows(account, Entry(1, "release", 60, 60, 6, interval_from=4, interval_to=12))
    assert moved == [(None, "release", 10, 12, 2, 60), ("bought", "release", 6, 10, 4, 60)]
    assert account.lots[0].remaining == 4
    assert account.debt == []


def test_a_reversed_refund_returns_unspent_tokens_to_their_lot() -> None:
    """A refund that took only unspent tokens has no interval; its reversal names the lot."""
    account = AccountLots("acme", coverage=[])
    reversal = Entry(3, "release", 20, 20, 10, "lot-1")
    moved = rows(account, credit(1, 0, 10, end=30), Entry(2, "take_back", 5, 5, 10, "lot-1"), reversal)
    assert moved[1:] == [("lot-1", "release", None, None, 10, 20), ("lot-1", "expire", None, None, 10, 30)]


def test_an_empty_interval_inside_debt_gives_nothing_back() -> None:
    """The row of an unspent refund debited nothing, even if debt surrounds its place on the tape."""
    account = AccountLots("acme", [Lot("bought", 5, 1, 0, FOREVER, 0)], [(0, 8, None)], 8, coverage=[])
    moved = rows(account, Entry(1, "release", 9, 9, 2, "bought", interval_from=4, interval_to=4))
    assert moved == [("bought", "release", None, None, 2, 9), ("bought", "repay", 0, 2, 2, 9)]
    assert account.debt == [(2, 8, None)]


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        (Entry(9, "take_back", 5, 5, 1, "unknown"), "unknown"),
        (Entry(9, "release", 5, 5, 1), "more than"),
        (Entry(9, "gift", 5, 5, 1), "unknown kind"),
        (credit(1, 5, 1), "exists already"),
        (debit(9, -1, 1), "order entries by time"),
    ],
)
def test_entries_that_make_no_sense_are_refused(entry: Entry, says: str) -> None:
    """The message names the account, the entry and what is wrong with it."""
    with pytest.raises(IntegrityError, match=rf"account acme: entry {entry.entry_id} .*{says}"):
        settle(AccountLots("acme", coverage=[]), [credit(1, 0, 1), entry], 100)


def test_frames_part_runs_at_cuts_and_list_every_account() -> None:
    """A burn never spans a cut; an account without entries still expires its lots."""
    lots = pl.concat(
        [frame_of_lots([Lot("a", 9, 1, 0, FOREVER, 9)], "acme"), frame_of_lots([Lot("b", 2, 1, 0, 5, 2)], "idle")]
    )
    state = LotState(lots, pl.DataFrame(schema=DEBT_IN), pl.DataFrame([("owing", 3)], schema=HEADS_IN, orient="row"))
    entries = entry_frame([debit(1, 1, 2), debit(2, 2, 2), debit(3, 3, 2)], "acme")
    posting = settle_postings(entries, state, 100, cuts_us=[3])
    burns = posting.allocations.filter(pl.col("kind") == "burn")
    assert burns.select("debit_from", "debit_to", "allocated_us").rows() == [(0, 4, 2), (4, 6, 3)]
    assert posting.expiries.rows() == [("idle", "b", 5, 2, 1, None)]
    assert posting.heads.rows() == [("acme", 6, 0), ("idle", 0, 0), ("owing", 3, 0)]


def test_frames_refuse_entries_out_of_time_order() -> None:
    """seq_in_account must follow time."""
    state = LotState(frame_of_lots([], "acme"), pl.DataFrame(schema=DEBT_IN), pl.DataFrame(schema=HEADS_IN))
    with pytest.raises(IntegrityError, match="account acme: entry 2 occurs before"):
        settle_postings(entry_frame([debit(1, 5, 1), debit(2, 4, 1)], "acme"), state, 100)


def posted(lots: list[Lot], entries: list[Entry], *history: tuple[str, str, str, int, int]) -> list[tuple[object, ...]]:
    """(lot, kind, from, to, tokens) of a settlement over frames, of an account whose tape ends at 10."""
    names = {**DEBT_IN, "lot_id": pl.String, "kind": pl.String}
    columns = ["account_id", "lot_id", "kind", "debit_from", "debit_to"]
    state = LotState(
        frame_of_lots(lots, "acme"),
        pl.DataFrame(schema=DEBT_IN),
        pl.DataFrame([("acme", 10)], schema=HEADS_IN, orient="row"),
        pl.DataFrame(history, schema={name: names[name] for name in columns}, orient="row"),
    )
    posting = settle_postings(entry_frame(entries, "acme"), state, 100)
    revived = [("revival", *row[2:]) for row in posting.revivals.rows()]
    return [row[1:6] for row in posting.allocations.rows()] + revived


def test_runs_part_where_a_known_lot_ends() -> None:
    """Debits on either side of an expiry do not share a run."""
    moved = posted([Lot("old", 9, 1, 0, 20, 9)], [debit(1, 10, 2), debit(2, 30, 3)])
    assert moved == [("old", "burn", 10, 12, 2), ("old", "expire", None, None, 7)]


def test_runs_part_where_a_lot_of_this_posting_ends() -> None:
    """A credit's own expiry parts the debits after it."""
    moved = posted([], [credit(1, 0, 9, end=20), debit(2, 10, 2), debit(3, 30, 3)])
    assert moved == [("lot-1", "burn", 10, 12, 2), ("lot-1", "expire", None, None, 7)]


def test_runs_part_where_a_woken_lot_ends() -> None:
    """A release refills a spent lot, whose expiry then parts the debits after it."""
    release = Entry(1, "release", 5, 5, 4, interval_from=0, interval_to=10)
    spent = ("acme", "spent", "burn", 0, 10)
    moved = posted([Lot("spent", 10, 1, 0, 20, 0)], [release, debit(2, 10, 2), debit(3, 30, 3)], spent)
    assert moved == [("spent", "release", 6, 10, 4), ("spent", "burn", 10, 12, 2), ("spent", "expire", None, None, 2)]


def test_each_debit_of_a_run_has_its_own_revival() -> None:
    """A run burns what is usable as one; the revivals after that are one per debit, before that debit."""
    lots = [Lot("gone", 9, 1, 0, 50, 0, expired=6, expiry_count=1), Lot("left", 3, 1, 0, 60, 3)]
    moved = posted(lots, [debit(1, 10, 2), debit(2, 11, 3), debit(3, 12, 3), debit(4, 13, 3)])
    assert moved == [
        ("left", "burn", 10, 13, 3),
        ("gone", "revive", None, None, 2),
        ("gone", "burn", 13, 15, 2),
        ("gone", "revive", None, None, 3),
        ("gone", "burn", 15, 18, 3),
        ("gone", "revive", None, None, 1),
        ("gone", "burn", 18, 19, 1),
        ("revival", 11, 2, 1, 1, 2),
        ("revival", 12, 3, 2, 1, 3),
        ("revival", 13, 1, 3, 1, 4),
    ]
