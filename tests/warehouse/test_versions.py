"""Sources that rewrite their records: what a later version of a posted call writes. The fixture proves every check."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.warehouse.conftest import RATES
from tests.warehouse.ledger_books import CONFIG, LedgerBooks, failing

if TYPE_CHECKING:
    from collections.abc import Iterator

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


@pytest.fixture(scope="module")
def stepped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LedgerBooks]:
    """Books in which each of these events is an account's own, with tokens to spend and without, billed day by day."""
    books = LedgerBooks(tmp_path_factory.mktemp("stepped") / "books", rates=RATES)
    for steps, (tokens, _) in VERSION_STEPS.items():
        for name in (f"{steps}, funded", f"{steps}, unfunded"):
            books.account(name)
            if name.endswith(", funded"):
                books.credit(f"p {name}", "purchase", 200, 1, account_id=name)
            for number, figure in enumerate(tokens, start=1):
                books.version(number, number, figure, id=name, account=name, model=f"model-{number}")
    for day in range(1, max(len(tokens) for tokens, _ in VERSION_STEPS.values()) + 1):
        books.bill(day)
    yield books
    assert failing(books.opened().connection) == {}
    books.close()


@pytest.mark.parametrize("steps", VERSION_STEPS)
@pytest.mark.parametrize("funded", [True, False])
def test_later_version_posts_the_difference(stepped: LedgerBooks, steps: str, *, funded: bool) -> None:
    """Corrections name the first row; the event stands at its last figure."""
    tokens, expected = VERSION_STEPS[steps]
    name = f"{steps}, {'funded' if funded else 'unfunded'}"
    assert [row[:2] for row in stepped.ledger(name)][funded:] == expected
    mine = f"WHERE account_id = '{name}'"
    assert stepped.rows(f"SELECT total_tokens, model FROM books.usage_current {mine}") == [
        (tokens[-1], f"model-{len(tokens)}")
    ]
    assert stepped.rows(f"SELECT count(*) FROM books.usage_revisions {mine}") == [(len(tokens) - 1,)]
    assert stepped.rows(
        "SELECT count(DISTINCT corrects_transaction_id) FROM books.token_transactions"
        f" {mine} AND transaction_type = 'correction'"
    ) == [(int(len(expected) > 1),)]
    used = stepped.one("lifetime_tokens_used, lifetime_actual_tokens_used", name)
    assert used == (tokens[-1] * 3 // 2, tokens[-1])


def test_earlier_versions_are_superseded(stepped: LedgerBooks) -> None:
    """Of each event one record is accepted in the end, the last."""
    versions = [len(tokens) for tokens, _ in VERSION_STEPS.values() for _ in range(2)]
    assert stepped.rows(
        "SELECT disposition, count(*) FROM audit.current_dispositions WHERE file_id IN"
        " (SELECT file_id FROM audit.usage_files WHERE source = 'versions') GROUP BY ALL ORDER BY ALL"
    ) == [("accepted", len(versions)), ("superseded", sum(versions) - len(versions))]


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
project_id = "project"
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


@pytest.fixture(scope="module")
def counted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LedgerBooks]:
    """Books with a source for each convention: each event comes in one posting and, under another id, in several."""
    conventions = sorted({convention for convention, *_ in COUNTS.values()})
    blocks = "".join(f'[[usage]]\npath = "{name}/**/*"\nprofile = "{name}"\n' for name in conventions)
    books = LedgerBooks(tmp_path_factory.mktemp("counted") / "books", config=CONFIG + blocks, rates=RATES)
    books.account()
    for name in conventions:
        (books.root / name).mkdir()
        (books.root / f"profiles/{name}.toml").write_text(COUNTED.format(convention=name), encoding="utf-8")
    for case, (convention, versions, _) in COUNTS.items():
        for number, counts in enumerate(versions, start=1):
            call = {"v": number, "t": "2026-09-01T10:00:00Z", "account": "ada", "model": "gpt-4o", "project": case}
            books.write(convention, 1, call | counts | {"id": f"{case}, together"})
            books.write(convention, number, call | counts | {"id": f"{case}, apart"})
    books.bill(1)
    books.bill(max(len(versions) for _, versions, _ in COUNTS.values()))
    yield books
    assert failing(books.opened().connection) == {}
    books.close()


@pytest.mark.parametrize("case", COUNTS)
def test_counts_do_not_depend_on_the_number_of_postings(counted: LedgerBooks, case: str) -> None:
    """Each version is settled on what stood before it, whether that was posted or came in the same posting."""
    expected = COUNTS[case][-1]
    assert counted.rows(
        "SELECT input_tokens, output_tokens, cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens"
        f" FROM books.usage_current WHERE project_id = '{case}'"
    ) == [expected, expected]
