"""A file that could not be taken in one run is taken in a later one: nothing that was delivered is ever lost."""

from __future__ import annotations

import hashlib
import hmac
import json
import shutil
from typing import TYPE_CHECKING

import pytest

from pipelines.billing import bill, survey
from tests.warehouse.ledger_books import CONFIG, START, LedgerBooks

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SIGNED = CONFIG.replace('profile = "tollbook"', 'profile = "tollbook"\nhmac_secret_env = "SIGNING_SECRET"')


@pytest.fixture
def signed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LedgerBooks]:
    """Books whose usage must be signed."""
    monkeypatch.setenv("SIGNING_SECRET", "a secret")
    books = LedgerBooks(tmp_path / "books", config=SIGNED)
    books.account()
    yield books
    books.close()


def _sign(books: LedgerBooks, secret: bytes) -> None:
    path = next((books.root / "usage").glob("*.jsonl"))
    digest = hmac.new(secret, path.read_bytes(), hashlib.sha256).hexdigest()
    path.with_name(f"{path.name}.hmac").write_text(digest, encoding="utf-8")


def test_refused_file_is_billed_once_it_is_signed(signed: LedgerBooks) -> None:
    """Unsigned, then badly signed, then right: two refusals on record, then its calls."""
    signed.call("e1", 2)
    signed.bill(2)
    _sign(signed, b"another secret")
    signed.bill(3)
    _sign(signed, b"a secret")
    signed.bill(4)
    signed.bill(5)
    outcomes = "SELECT outcome, reason FROM audit.usage_files WHERE kind = 'usage' ORDER BY file_id"
    assert signed.rows(outcomes) == [("refused", "unsigned"), ("refused", "bad_signature"), ("taken", None)]
    assert [row[:2] for row in signed.ledger()][1:] == [("usage", -150)]


def test_copy_of_a_file_that_changed_while_it_was_read_is_billed_by_the_next_run(books: LedgerBooks) -> None:
    """The copy is no repeat of anything: what it would repeat was never taken."""
    books.call("e1", 2)
    first = next((books.root / "usage").glob("*.jsonl"))
    shutil.copy(first, first.with_name("2026-09-02-copy.jsonl"))
    opened = books.opened()
    found = survey(opened)
    other = json.loads(first.read_text(encoding="utf-8")) | {"event_id": "e2"}
    first.write_text(f"{json.dumps(other)}\n", encoding="utf-8")
    assert bill(opened, found, START.replace(day=2)) is not None  # the accounts that first use opens do not wait
    assert books.rows("SELECT path FROM audit.usage_files WHERE kind = 'usage'") == []
    books.bill(3)
    assert sorted(books.rows("SELECT outcome FROM audit.usage_files WHERE kind = 'usage'")) == [("taken",), ("taken",)]
    assert sum(row[1] for row in books.ledger() if row[0] == "usage") == -300
