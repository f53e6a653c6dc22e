"""Books whose lots burned in another order than the rules say are consistent in every figure, and are found."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from billing_core.lot_types import Lot
from tests.warehouse.ledger_books import LedgerBooks, at, failing

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

WRONG: dict[str, Callable[[Lot], object]] = {
    "priority is forgotten": lambda lot: (lot.expires_us, lot.effective_us, lot.lot_id),
    "the lot that ends last first": lambda lot: (lot.priority, -lot.expires_us, lot.effective_us, lot.lot_id),
    "the end is forgotten": lambda lot: (lot.priority, lot.effective_us, lot.lot_id),
    "the newest first": lambda lot: (lot.priority, lot.expires_us, -lot.effective_us, lot.lot_id),
    "the last id first": lambda lot: (lot.priority, lot.expires_us, lot.effective_us, _backwards(lot.lot_id)),
}


def _backwards(lot_id: str) -> list[int]:
    return [-ord(char) for char in lot_id]


def _billed(root: Path) -> LedgerBooks:
    """An account with lots that differ in each thing that ranks them, and calls that use some of each."""
    books = LedgerBooks(root, rates='[[settings]]\nnew_user_bonus_tokens = 0\ndefault_token_multiplier = "1"\n')
    books.account(day=10)
    paid = {"amount_cents": 100, "currency": "usd"}
    for name, kind, terms in (
        ("twin-a", "bonus", {"expires_at": at(20)}),
        ("twin-b", "bonus", {"expires_at": at(20)}),
        ("lasting", "bonus", {"effective_at": at(2)}),
        ("older", "bonus", {}),
        ("short", "purchase", {**paid, "expires_at": at(9)}),
        ("bought", "purchase", paid),
    ):
        books.credit(name, kind, 100, 1, file_day=10, **terms)
    for day, tokens in ((3, 150), (4, 60), (5, 60), (6, 100), (7, 100), (10, 20)):
        books.call(f"e{day}", day, tokens, file_day=10)
    books.call("late", 2, 30, file_day=12)
    books.credit("r", "refund", -20, 12, amount_cents=20, currency="usd", source_credit_id="bought")
    books.bill(12)
    return books


def test_lots_burn_in_their_order(tmp_path: Path) -> None:
    """Late calls, ends and refunds among them, the check finds nothing."""
    books = _billed(tmp_path / "books")
    assert failing(books.opened().connection) == {}
    books.close()


@pytest.mark.parametrize(
    "name", [next(iter(WRONG)), *(pytest.param(name, marks=pytest.mark.slow) for name in list(WRONG)[1:])]
)
def test_another_order_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Postings that burn by another key pass every other check: balances, tape and lots add up."""
    monkeypatch.setattr(Lot, "burn_order", WRONG[name])
    books = _billed(tmp_path / "books")
    assert set(failing(books.opened().connection)) == {"burn_order"}
    books.close()
