"""Sources that rewrite their records: what a later version of a posted call writes. The fixture proves every check."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.warehouse.ledger_books import LedgerBooks

VERSION_TRAIL = (
    "SELECT disposition FROM audit.line_dispositions JOIN audit.usage_files USING (file_id)"
    " WHERE source = 'versions' ORDER BY file_id"
)
VERSION_STEPS = {
    "cheaper": ([100, 40], [("usage", -150), ("correction", 90)]),
    "dearer": ([100, 140], [("usage", -150), ("correction", -60)]),
    "to zero": ([100, 0], [("usage", -150), ("correction", 150)]),
    "from zero": ([0, 100], [("usage", -150)]),
    "same price": ([100, 100], [("usage", -150)]),
    "up and down": (
        [100, 50, 200, 0, 10],
        [("usage", -150), *(("correction", tokens) for tokens in (75, -225, 300, -15))],
    ),
}  # fmt: skip


@pytest.mark.parametrize("steps", VERSION_STEPS)
@pytest.mark.parametrize("funded", [True, False])
def test_later_version_posts_the_difference(books: LedgerBooks, steps: str, *, funded: bool) -> None:
    """Corrections name the first row; the event stands at its last figure; earlier records are superseded."""
    tokens, expected = VERSION_STEPS[steps]
    if funded:
        books.credit("p", "purchase", 200, 1)
    for number, figure in enumerate(tokens, start=1):
        books.version(number, number, figure, model=f"model-{number}")
        books.bill(number)
    assert [row[:2] for row in books.ledger()][funded:] == expected
    assert books.rows("SELECT total_tokens, model FROM books.usage_current") == [(tokens[-1], f"model-{len(tokens)}")]
    assert books.rows("SELECT count(*) FROM books.usage_revisions") == [(len(tokens) - 1,)]
    assert books.rows(
        "SELECT disposition, count(*) FROM audit.current_dispositions WHERE file_id IN"
        " (SELECT file_id FROM audit.usage_files WHERE source = 'versions') GROUP BY ALL ORDER BY ALL"
    ) == [("accepted", 1), ("superseded", len(tokens) - 1)]
    assert books.rows(
        "SELECT count(DISTINCT corrects_transaction_id) FROM books.token_transactions"
        " WHERE transaction_type = 'correction'"
    ) == [(int(len(expected) > 1),)]
    assert books.one("lifetime_tokens_used, lifetime_actual_tokens_used") == (tokens[-1] * 3 // 2, tokens[-1])


def test_later_version_cannot_move_to_another_account(books: LedgerBooks) -> None:
    """A correction stays in its account, so such a version is held as a conflict."""
    books.account("bob")
    books.version(1, 1, 100)
    books.bill(1)
    books.version(2, 2, 100, account="bob")
    books.bill(2)
    assert books.held() == [("conflict", "conflict", "another account than the posted version")]
    assert books.ledger("bob") == []


def test_held_version_is_settled_by_a_later_one(books: LedgerBooks) -> None:
    """Equal ones again are duplicates, a third content is held as well, a later version stands."""
    books.version(1, 1, 10)
    books.version(1, 1, 20)
    books.bill(1)
    for tokens in (10, 20, 30):
        books.version(1, 2, tokens, unmapped=True)
    books.bill(2)
    found = books.rows(VERSION_TRAIL)
    assert [row[0] for row in found] == ["conflict", "conflict", "duplicate", "duplicate", "conflict"]
    assert books.ledger() == []
    books.version(2, 3, 20)
    books.bill(3)
    assert books.ledger() == [("usage", -30, -30)]


def test_other_content_of_the_posted_version_is_held_once(books: LedgerBooks) -> None:
    """The posted one stands and its repeat is a duplicate; so is a repeat of the one that is held."""
    books.version(1, 1, 10)
    books.bill(1)
    for day in (2, 3):
        books.version(1, day, 20, unmapped=day)
        books.version(1, day, 10, unmapped=day)
        books.bill(day)
    found = books.rows(VERSION_TRAIL)
    assert [row[0] for row in found] == ["accepted", "conflict", "duplicate", "duplicate", "duplicate"]


COUNTED = """\
kind = "usage"
dedup = ["id"]
version = "v"
convention = "{convention}"
[time]
path = "t"
[account]
try = ["account"]
[fields]
model = "model"
input_tokens = "in"
output_tokens = "out"
cache_read_tokens = "read"
cache_write_tokens = "written"
cache_write_1h_tokens = "hour"
reasoning_tokens = "reasoning"
"""
COUNTS = {
    "a new sum of cache writes": ("disjoint", [{"in": 9, "written": 50}, {"in": 9, "written": 80}], (89, 0, 0, 80, 0)),
    "no cache writes after all": ("disjoint", [{"in": 10, "written": 50}, {"in": 60, "written": 0}], (60, 0, 0, 0, 0)),
    "another part of the same sum": (
        "disjoint", [{"in": 10, "written": 50, "hour": 20}, {"hour": 30}], (60, 0, 0, 20, 30),
    ),
    "a new sum inside the input": ("inclusive", [{"in": 100, "written": 50}, {"written": 80}], (100, 0, 0, 80, 0)),
    "what auto had added": ("auto", [{"in": 10, "read": 100}, {"read": 5}], (110, 0, 5, 0, 0)),
    "more of what auto had added": ("auto", [{"in": 10, "read": 100}, {"written": 20}], (130, 0, 100, 20, 0)),
    "reasoning that auto had added": ("auto", [{"out": 1, "reasoning": 100}, {"reasoning": 5}], (0, 101, 0, 0, 0)),
    "auto, bit by bit": ("auto", [{"in": 10, "read": 100}, {"in": 20}, {"out": 7}], (120, 7, 100, 0, 0)),
}  # fmt: skip


@pytest.mark.parametrize("case", COUNTS)
def test_counts_do_not_depend_on_the_number_of_postings(books: LedgerBooks, case: str) -> None:
    """Each version is settled on what stood before it, whether that was posted or came in the same posting."""
    convention, versions, expected = COUNTS[case]
    (books.root / "profiles/versions.toml").write_text(COUNTED.format(convention=convention), encoding="utf-8")
    for number, counts in enumerate(versions, start=1):
        call = {"v": number, "t": "2026-09-01T10:00:00Z", "account": "ada", "model": "gpt-4o", **counts}
        books.write("versions", 1, call | {"id": "together"})
        books.write("versions", number, call | {"id": "apart"})
    books.bill(1)
    books.bill(len(versions))
    assert books.rows(
        "SELECT input_tokens, output_tokens, cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens"
        " FROM books.usage_current"
    ) == [expected, expected]
