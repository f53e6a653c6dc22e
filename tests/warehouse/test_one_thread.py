"""Books on one thread post what books on several do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.warehouse.conftest import RATES
from tests.warehouse.ledger_books import CONFIG, LedgerBooks, at, failing

if TYPE_CHECKING:
    from pathlib import Path


def test_lot_expires_beside_new_credits_on_one_thread(tmp_path: Path) -> None:
    """An expiry and a new credit of one posting come out as on several threads, and every check agrees."""
    books = LedgerBooks(tmp_path / "books", config=f"{CONFIG}[engine]\nthreads = 1\n", rates=RATES)
    books.account()
    books.credit("first", "bonus", 500, 1, expires_at=at(3))
    books.bill(1)
    books.credit("second", "bonus", 100, 4)
    books.bill(4)
    assert books.ledger() == [("bonus", 500, 500), ("expiry", -500, 0), ("bonus", 100, 100)]
    assert failing(books.opened().connection) == {}
    books.close()
