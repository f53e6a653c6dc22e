"""Books put together from parts that do not belong together are refused by name, and nothing is changed in them."""

from __future__ import annotations

import hashlib
import json
import shutil
from typing import TYPE_CHECKING

import pytest

from billing_core.errors import IntegrityError
from pipelines import billing
from pipelines.books.journal import HashChainedLog, TornLineError, canonical_json
from pipelines.books.posting_log import PostingLog
from pipelines.warehouse.hashes import history_hash
from tests.empty_warehouse import place_warehouse
from tests.faults.books import FIRST, LAST, NOW, SECOND, write_books

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date
    from pathlib import Path

    from pipelines.books.folder import BooksFolder


_HEADERS, _BLOCK = 3 * 4096, 262_144
"""Bytes before the first block of a database file, and of a block."""


def _bill(folder: BooksFolder, *dates: date) -> int:
    """Bill dates; the number of the last posting."""
    with billing.open_books(folder, command="test") as books:
        for day in dates:
            billing.bill(books, billing.survey(books), day)
        return len(books.log.read_all().done)


@pytest.fixture(scope="module")
def old_and_new(tmp_path_factory: pytest.TempPathFactory) -> tuple[BooksFolder, Path]:
    """Books of two postings, and a copy of their database and journal from before the second."""
    root = tmp_path_factory.mktemp("recovery")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TOLLBOOK_NOW", NOW)
        folder = write_books(root / "books")
        place_warehouse(folder.database)
        _bill(folder, FIRST)
        older = root / "older"
        older.mkdir()
        shutil.copy(folder.database, older)
        shutil.copy(folder.posting_log, older)
        _bill(folder, SECOND)
    return folder, older


@pytest.fixture
def folder(old_and_new: tuple[BooksFolder, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> BooksFolder:
    """A copy of the books to damage."""
    monkeypatch.setenv("TOLLBOOK_NOW", NOW)
    shutil.copytree(old_and_new[0].root, tmp_path / "books")
    return type(old_and_new[0])(tmp_path / "books")


def _refused(folder: BooksFolder) -> str:
    """The message that opening the books ends with; the journal stays as it is."""
    before = folder.posting_log.read_bytes()
    with pytest.raises(IntegrityError) as caught:
        _bill(folder, LAST)
    assert caught.value.exit_code == 1
    assert folder.posting_log.read_bytes() == before
    return str(caught.value)


def test_an_older_database_is_refused(folder: BooksFolder, old_and_new: tuple[BooksFolder, Path]) -> None:
    """Restored from a backup without its journal: postings that customers have seen would be posted again."""
    shutil.copy(old_and_new[1] / folder.database.name, folder.database)
    message = _refused(folder)
    assert "holds 1 postings, the journal 2: it was restored from an older copy or cut" in message
    assert "tollbook verify --rebuild" in message


def test_a_removed_database_is_refused(folder: BooksFolder) -> None:
    """An empty database is not the one that the journal speaks of."""
    folder.database.unlink()
    with pytest.raises(IntegrityError, match="holds 0 postings, the journal 2"):
        _bill(folder, LAST)


def test_an_older_journal_is_refused(folder: BooksFolder, old_and_new: tuple[BooksFolder, Path]) -> None:
    """The database knows a posting that was never announced."""
    shutil.copy(old_and_new[1] / folder.posting_log.name, folder.posting_log)
    assert "was never announced in the journal, which was edited, cut or restored" in _refused(folder)


def test_a_removed_journal_is_refused(folder: BooksFolder) -> None:
    """As if all postings came from nowhere."""
    folder.posting_log.unlink()
    with pytest.raises(IntegrityError, match="holds 2 postings, the journal 0: it knows more than the journal"):
        _bill(folder, LAST)


def test_both_from_one_older_backup_go_on(folder: BooksFolder, old_and_new: tuple[BooksFolder, Path]) -> None:
    """They belong together: what was posted since is posted again."""
    shutil.copy(old_and_new[1] / folder.database.name, folder.database)
    shutil.copy(old_and_new[1] / folder.posting_log.name, folder.posting_log)
    assert _bill(folder, SECOND, LAST) == 3


def test_a_lost_done_line_is_written_again(folder: BooksFolder) -> None:
    """The one difference that a crash explains: the line comes back as it was."""
    whole = folder.posting_log.read_bytes()
    folder.posting_log.write_bytes(whole[: whole.rindex(b"\n", 0, -1) + 1])
    assert _bill(folder) == 2
    assert folder.posting_log.read_bytes() == whole


def test_a_half_line_is_refused_until_it_is_cut(folder: BooksFolder) -> None:
    """Reported by name, cut on request, and then the books go on."""
    with folder.posting_log.open("ab") as journal:
        journal.write(b'{"at":"2026')
    before = folder.posting_log.read_bytes()
    with pytest.raises(TornLineError, match=r"the last line is torn .* `tollbook doctor --fix` cuts it"):
        _bill(folder, LAST)
    assert folder.posting_log.read_bytes() == before
    assert HashChainedLog(folder.posting_log).cut_torn_line() == b'{"at":"2026'
    assert _bill(folder, LAST) == 3


def _edit(lines: list[bytes]) -> None:
    """Change a figure in the first done line."""
    place = next(number for number, line in enumerate(lines) if b'"kind":"done"' in line)
    lines[place] = lines[place].replace(b'"accepted":', b'"accepted":1')


def _rehash(lines: list[bytes]) -> None:
    """Change a head in the last done line and give the line the hash that fits."""
    line = json.loads(lines[-1])
    del line["hash"]
    line["head"] = "0" * 64
    text = canonical_json(line)
    lines[-1] = text[:-1] + f',"hash":"{hashlib.sha256(text).hexdigest()}"}}'.encode()


def _cut_out(lines: list[bytes]) -> None:
    """Remove a line in the middle."""
    del lines[1]


def _swap(lines: list[bytes]) -> None:
    """Exchange two lines."""
    lines[0], lines[1] = lines[1], lines[0]


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        (_edit, "does not hash to its own hash"),
        (_cut_out, "does not follow the line before it"),
        (_swap, "does not follow the line before it"),
        (_rehash, "does not have the head that"),
    ],
)
def test_an_edited_journal_is_refused(
    folder: BooksFolder, damage: Callable[[list[bytes]], None], expected: str
) -> None:
    """A changed, missing or moved line, and even one whose own hash was made to fit."""
    lines = folder.posting_log.read_bytes().splitlines()
    damage(lines)
    folder.posting_log.write_bytes(b"".join(line + b"\n" for line in lines))
    assert expected in _refused(folder)


@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.9])
def test_a_cut_database_is_refused(folder: BooksFolder, share: float) -> None:
    """Told as what it is, at the latest by the posting that needs what is gone; no posting is done on top."""
    content = folder.database.read_bytes()
    folder.database.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(IntegrityError, match="Restore the file from a backup, or rebuild it from the journal"):
        _bill(folder, LAST)
    assert len(PostingLog(folder.posting_log).read_all().done) == 2


def test_flipped_bits_never_pass_silently(folder: BooksFolder) -> None:
    """One bit in a block of the database, block after block: refused, or the block holds nothing of the books."""
    content, whole = folder.database.read_bytes(), _hash_or_refusal(folder)
    found = []
    for place in range(_HEADERS + 1000, len(content), 9 * _BLOCK):
        folder.database.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        found.append(_hash_or_refusal(folder))
    refused = [text for text in found if text != whole]
    assert refused
    assert [text for text in refused if "cannot be read" not in text] == []


def _hash_or_refusal(folder: BooksFolder) -> str:
    try:
        with billing.open_books(folder, command="test") as books:
            return history_hash(books.connection)
    except IntegrityError as error:
        return str(error)
