"""Books without a welcome bonus, so that figures in tests are round."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.warehouse.ledger_books import LedgerBooks, failing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

RATES = '[[settings]]\ndefault_token_multiplier = "1.5"\nnew_user_bonus_tokens = 0\n'


@pytest.fixture
def books(tmp_path: Path) -> Iterator[LedgerBooks]:
    """Empty books with one account, ada, whose calls cost half as much again; at the end every check must pass."""
    made = LedgerBooks(tmp_path / "books", rates=RATES)
    made.account()
    yield made
    assert failing(made.opened().connection) == {}
    made.close()
