"""A rebuild replays the journal over what the postings took, and gives the same books to the last column."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import duckdb
import pytest

from billing_core.errors import IntegrityError
from pipelines import billing
from pipelines.books.admin_journal import AdminJournal
from pipelines.books.folder import BooksFolder
from pipelines.books.posting_log import RetriedRecord
from pipelines.rebuild import rebuild
from pipelines.warehouse.hashes import history_hash
from tests.empty_warehouse import place_books
from tests.faults.books import FIRST, LAST, NOW, SECOND, account, call, write_books, write_lines

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path

_SIGNED = '\n[[usage]]\nname = "signed"\npath = "signed/*"\nprofile = "tollbook"\nhmac_secret_file = "secret.txt"\n'
_RATES = """\
[[settings]]
default_token_multiplier = "1.1"

[[settings]]
effective_from = 2026-09-03T00:00:00Z
default_token_multiplier = "1.7"
"""


def _bill(folder: BooksFolder, day: date) -> None:
    with billing.open_books(folder, command="test") as books:
        assert billing.bill(books, billing.survey(books), day, include_undated=True) is not None
        billing.publish_books(books)


def _retry(folder: BooksFolder) -> None:
    """Try every record of the unknown account again."""
    with billing.open_books(folder, command="test") as books:
        found = books.connection.execute(
            "SELECT file.sha256, file.source, held.line_no, held.record_no FROM audit.quarantine AS held"
            " JOIN audit.usage_files AS file USING (file_id) WHERE held.reason = 'unknown_account'"
        ).fetchall()
        summary = billing.retry_quarantine(books, [RetriedRecord(*row) for row in found])
        assert summary.counts["usage_rows"] == 1


@pytest.fixture(scope="module")
def eventful(tmp_path_factory: pytest.TempPathFactory) -> BooksFolder:
    """Books to which everything happened: a file that grew, new rates, a refused file, a retry, admin entries."""
    root = tmp_path_factory.mktemp("rebuild") / "books"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TOLLBOOK_NOW", NOW)
        folder = write_books(root)
        place_books(folder)
        folder.config.write_text(folder.config.read_text() + _SIGNED)
        (root / "secret.txt").write_text("a secret of sixteen")
        write_lines(root / "signed/2026-09-01.jsonl", [call("unsigned", "alice", FIRST)])
        grown = root / "usage/2026-09-01.jsonl"
        _bill(folder, FIRST)
        write_lines(root / "usage/more.jsonl", [call("more", "alice", FIRST, hour=9)])
        grown.write_bytes(grown.read_bytes() + (root / "usage/more.jsonl").read_bytes())
        (root / "usage/more.jsonl").unlink()
        folder.rates.write_text(_RATES)
        AdminJournal(folder.admin_journal).append(actor="eve", action="block", account_id="alice", reason="fraud")
        _bill(folder, SECOND)
        (root / "accounts/accounts.jsonl").unlink()
        write_lines(root / "accounts/2026-09-03.jsonl", [account("nobody")])
        _bill(folder, LAST)
        _retry(folder)
    return folder


@pytest.fixture
def folder(eventful: BooksFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> BooksFolder:
    """A copy of the eventful books."""
    monkeypatch.setenv("TOLLBOOK_NOW", NOW)
    shutil.copytree(eventful.root, tmp_path / "books")
    return BooksFolder(tmp_path / "books")


def _live_hash(folder: BooksFolder) -> str:
    with billing.open_books(folder, command="test") as books:
        return history_hash(books.connection)


def test_the_world_is_as_eventful_as_it_says(folder: BooksFolder) -> None:
    """A continuation, a refused file, two versions of the settings, a retry and two admin entries are in the books."""
    queries = {
        "SELECT count(*) FROM audit.usage_files WHERE continues_file_id IS NOT NULL": 1,
        "SELECT count(*) FROM audit.usage_files WHERE reason = 'unsigned'": 1,
        "SELECT count(*) FROM audit.postings WHERE kind = 'retry'": 1,
        "SELECT count(*) FROM audit.admin_actions": 2,
    }
    with billing.open_books(folder, command="test") as books:
        assert {query: books.connection.execute(query).fetchall()[0][0] for query in queries} == queries
        versions = books.connection.execute("SELECT count(*) FROM books.system_settings").fetchall()[0][0]
    assert versions >= 2


def test_a_rebuild_gives_the_same_books(folder: BooksFolder) -> None:
    """Equal in history and content; nothing of the books folder was changed and no scratch is left."""
    live = _live_hash(folder)
    said: list[tuple[int, int]] = []
    before = {path: path.read_bytes() for path in folder.journal.rglob("*") if path.is_file()}
    result = rebuild(folder, on_posting=lambda number, of: said.append((number, of)))
    assert result.first_difference is None
    assert (result.rebuilt_history, result.live_history, result.adopted) == (live, live, False)
    assert result.history_equal
    assert result.content_equal
    assert said == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert {path: path.read_bytes() for path in folder.journal.rglob("*") if path.is_file()} == before
    assert not (folder.warehouse / "rebuild").exists()


@pytest.mark.slow
def test_lost_books_come_back(folder: BooksFolder) -> None:
    """The whole warehouse removed: the rebuilt one takes its place, and billing goes on from there."""
    live = _live_hash(folder)
    shutil.rmtree(folder.warehouse)
    result = rebuild(folder, adopt=True)
    assert (result.live_history, result.adopted) == (None, True)
    assert _live_hash(folder) == live
    write_lines(folder.root / "usage/2026-09-03-later.jsonl", [call("later", "bob", LAST, hour=20)])
    _bill(folder, LAST)


@pytest.mark.slow
def test_raw_bytes_past_their_retention_do_not_come_back(folder: BooksFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a run would drop by the time of its posting a rebuild drops too; a retry of then is replayed."""
    kept = {path.name for path in folder.quarantine.iterdir()}
    assert kept
    assert rebuild(folder, adopt=True).adopted
    assert {path.name for path in folder.quarantine.iterdir()} == kept
    monkeypatch.setenv("TOLLBOOK_NOW", "2026-12-24T00:00:00Z")
    shutil.rmtree(folder.quarantine)
    assert rebuild(folder, adopt=True).history_equal
    assert not folder.quarantine.exists() or list(folder.quarantine.iterdir()) == []


def test_a_run_drops_raw_bytes_past_their_retention(folder: BooksFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """However new the files themselves are."""
    monkeypatch.setenv("TOLLBOOK_NOW", "2026-12-24T00:00:00Z")
    with billing.open_books(folder, command="test") as books:
        billing.publish_books(books)
    assert list(folder.quarantine.iterdir()) == []


@pytest.mark.slow
def test_an_edited_row_shows(folder: BooksFolder) -> None:
    """Somebody who gave an account a better balance behind the books' back is found out."""
    with duckdb.connect(str(folder.database)) as connection:
        connection.execute("UPDATE books.token_accounts SET balance = balance + 1 WHERE account_id = 'bob'")
    result = rebuild(folder)
    assert result.first_difference is None
    assert not result.history_equal
    assert not result.content_equal


@pytest.mark.parametrize("damage", ["missing", "shorter", "other"])
def test_an_input_that_is_gone_is_named(folder: BooksFolder, damage: str) -> None:
    """Removed, cut or rewritten: the file is named, the live books stay."""
    path = folder.root / "usage/2026-09-01.jsonl"
    content = path.read_bytes()
    path.unlink()
    if damage == "shorter":
        path.write_bytes(content[:50])
    elif damage == "other":
        path.write_bytes(content.replace(b"alice", b"ALICE"))
    with pytest.raises(IntegrityError, match=r"^usage/2026-09-01\.jsonl (is missing|no longer holds)"):
        rebuild(folder, adopt=True)
    assert folder.database.exists()
    assert not (folder.warehouse / "rebuild").exists()
