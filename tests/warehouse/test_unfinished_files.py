"""Files that a run meets while they are written: in the end the books are those of the whole files, delivered once."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from pipelines.explain.source_line import source_line
from pipelines.rebuild import rebuild
from pipelines.warehouse.hashes import content_hash
from tests.warehouse.ledger_books import LedgerBooks, failing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

HEAD = b"event_id,account_id,occurred_at,model,error_message,output_tokens,input_tokens\n"
_WELCOME = 10_000
FIRST = b'%b-1,ada,2026-09-01T10:00:00Z,m,"two\nlines",0,100\n'
LAST = b'%b-2,ada,2026-09-01T11:00:00Z,m,"a ""b""\r\nc",0,1234\n'
OBJECT = b'{"event_id":"%b","account_id":"ada","occurred_at":"2026-09-01T11:00:00Z","input_tokens":12}\n'
BY_LINE = """\
kind = "usage"
dedup = "file_line"
integers = "text"
[time]
path = "occurred_at"
[account]
try = ["account_id"]
[fields]
model = "model"
input_tokens = "input_tokens"
"""


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[[str], LedgerBooks]]:
    """Makes books with one account, whose clock is the one of the files."""
    made: list[LedgerBooks] = []

    def books(name: str) -> LedgerBooks:
        new = LedgerBooks(tmp_path / name)
        (new.root / "profiles/versions.toml").write_text(BY_LINE, encoding="utf-8")
        new.account()
        new.opened().now = lambda: datetime.now(UTC)
        made.append(new)
        return new

    yield books
    for books_made in made:
        assert failing(books_made.opened().connection) == {}
        books_made.close()


def _files(suffix: str, start: bytes, last: bytes) -> dict[str, tuple[bytes, int]]:
    """A file for each byte of its last line at which it may be cut: its content, and how much of it there is."""
    files = {}
    for cut in range(len(last) + 1):
        name = b"%02d" % cut  # as long as the place that it takes
        before = start % name if b"%" in start else start
        files[f"2026-09-01-{cut:02d}.{suffix}"] = (before + last % name, len(before) + cut)
    return files


def _write(books: LedgerBooks, folder: str, files: dict[str, bytes]) -> None:
    for name, content in files.items():
        (books.root / folder / name).write_bytes(content)


ROWS = _files("csv", HEAD + FIRST, LAST)
FILES = ROWS | _files("jsonl", b"\n", OBJECT)


@pytest.mark.parametrize("every", [11, pytest.param(1, marks=pytest.mark.slow)])
def test_a_file_cut_anywhere_in_its_last_line_ends_as_the_whole_one(
    make: Callable[[str], LedgerBooks], every: int
) -> None:
    """No part of a line is billed or held back: its content is that of files delivered once, and a rebuild agrees."""
    files = dict(list(FILES.items())[::every])
    whole = {name: content for name, (content, _) in files.items()}
    once, twice = make("once"), make("twice")
    _write(once, "usage", whole)
    once.bill(1)
    _write(twice, "usage", {name: content[:cut] for name, (content, cut) in files.items()})
    twice.bill(1)
    assert twice.held() == []
    _write(twice, "usage", whole)
    twice.bill(2)
    assert once.rows("SELECT count(*) FROM books.token_usage") == [(len(files) + len(files.keys() & ROWS.keys()),)]
    assert content_hash(twice.opened().connection) == content_hash(once.opened().connection)
    (place,) = twice.rows("SELECT file_id, line_no FROM books.token_usage WHERE input_tokens = 1234 LIMIT 1")
    file = twice.opened().connection.execute(
        "SELECT file_id, path, sha256, size_bytes, byte_from, first_line FROM audit.usage_files WHERE file_id = $1",
        [place[0]],
    )
    named = dict(zip([column[0] for column in file.description or ()], file.fetchall()[0], strict=True))
    assert '"input_tokens":"1234"' in str(source_line(twice.folder, named, place[1])[0])
    twice.close()
    assert rebuild(twice.folder).history_equal


def test_lines_without_ids_stay_the_same_lines(make: Callable[[str], LedgerBooks]) -> None:
    """A row cut anywhere, though read after a day as it stood, is one line of one file: none is billed twice.

    Where its last number was cut, the one that was billed stands and the other is held for a person to decide.
    """
    books = make("aged")
    whole = len(LAST)
    cuts = [0, 9, LAST.index(b"a "), LAST.index(b"\nc"), LAST.index(b"1234"), whole - 4, whole - 2, whole - 1]
    rows = {name: row for cut, (name, row) in enumerate(ROWS.items()) if cut in cuts}
    _write(books, "versions", {name: content[:cut] for name, (content, cut) in rows.items()})
    books.opened().now = lambda: datetime(2030, 1, 1, tzinfo=UTC)
    books.bill(1)
    _write(books, "versions", {name: content for name, (content, _) in rows.items()})
    books.bill(2)
    assert books.rows("SELECT line_no, input_tokens, count(*) FROM books.token_usage GROUP BY ALL ORDER BY ALL") == [
        (2, 100, 8),
        (4, 1, 1),
        (4, 123, 1),
        (4, 1234, 6),
    ]
    conflicts = [held for held in books.held() if held[0] == "conflict"]
    assert conflicts == [("conflict", "conflict", "input_tokens")] * 2


@pytest.mark.slow
def test_a_credit_file_is_kept_as_far_as_it_was_read(make: Callable[[str], LedgerBooks]) -> None:
    """The objects of the journal hold the bytes that a posting took, and no more."""
    books = make("credits")
    path = books.root / "credits/2026-09-01.jsonl"
    rest = (
        '"account_id": "ada", "transaction_type": "bonus", "token_amount": 10, "occurred_at": "2026-09-01T00:00:00Z"}'
    )
    first, second = (f'{{"credit_id": "{name}", {rest}' for name in "ab")
    path.write_text(f"{first}\n{second[:-1]}", encoding="utf-8")
    books.bill(1)
    assert sorted(tokens for kind, tokens, _ in books.ledger() if kind == "bonus" and tokens != _WELCOME) == [10]
    path.write_text(f"{first}\n{second}\n", encoding="utf-8")
    books.bill(2)
    assert sorted(tokens for kind, tokens, _ in books.ledger() if kind == "bonus" and tokens != _WELCOME) == [10, 10]
    books.close()
    assert rebuild(books.folder).history_equal
