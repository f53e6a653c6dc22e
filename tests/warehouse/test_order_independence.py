"""However the same records are delivered, the books say the same: content_hash and balances are equal."""

from __future__ import annotations

import random
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines import billing
from pipelines.books.folder import BooksFolder
from pipelines.warehouse.hashes import content_hash, history_hash
from tests.empty_warehouse import place_warehouse
from tests.faults.books import CONFIG, FIRST, LAST, NOW, SECOND, account, call, credit, write_lines

if TYPE_CHECKING:
    from collections.abc import Sequence

Line = dict[str, object]
Delivery = tuple[str, list[Line]]

DAYS = (FIRST, SECOND, LAST)
NAMES = ("alice", "bob", "carol")
CALLS = [
    call(f"{day}-{name}-{hour}", name, day, hour=hour, output_tokens=7 * hour)
    for day in DAYS
    for name in NAMES
    for hour in (1, 23)
]
CALLS.append(call("failed", "bob", SECOND, success=False))
CREDITS = [
    credit("pack", "alice", "purchase", 150_000, FIRST, amount_cents=1500, currency="usd", package_id="starter"),
    credit("gift", "bob", "bonus", 900, SECOND),
    credit("back", "alice", "refund", -40_000, LAST, amount_cents=-400, currency="usd", source_credit_id="pack"),
]


@pytest.fixture(autouse=True, scope="module")
def _clock() -> object:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TOLLBOOK_NOW", NOW)
        yield


def _books_of(root: Path, runs: Sequence[Sequence[Delivery]]) -> tuple[str, dict[str, int]]:
    """Books that get files before each run; the i-th run of n bills the i-th last date. Content hash and balances."""
    root.mkdir()
    (root / "tollbook.toml").write_text(CONFIG, encoding="utf-8")
    write_lines(root / "accounts/accounts.jsonl", [account(name) for name in NAMES])
    folder = BooksFolder(root.resolve())
    place_warehouse(folder.database)
    for day, deliveries in zip(DAYS[len(DAYS) - len(runs) :], runs, strict=True):
        for name, lines in deliveries:
            write_lines(root / name, list(lines))
        with billing.open_books(folder, command="test") as books:
            billing.bill(books, billing.survey(books), day)
    with billing.open_books(folder, command="test") as books:
        found = books.connection.execute("SELECT account_id, balance FROM books.token_accounts").fetchall()
        again = history_hash(books.connection)
        assert billing.bill(books, billing.survey(books), LAST) is None
        assert history_hash(books.connection) == again
        return content_hash(books.connection), dict(found)


_AT_ONCE: list[Sequence[Delivery]] = [[("usage/all/2026-09-01.jsonl", CALLS), ("credits/2026-09-01.jsonl", CREDITS)]]


@pytest.fixture(scope="module")
def at_once(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, int]]:
    """Everything in one file of each kind, in one posting."""
    return _books_of(tmp_path_factory.mktemp("once") / "books", _AT_ONCE)


def test_balances_are_what_the_records_say(at_once: tuple[str, dict[str, int]]) -> None:
    """The other tests compare with these books, so they must be right by themselves."""
    used = dict.fromkeys(NAMES, 0)
    for line in CALLS:
        if line.get("success", True):
            tokens = int(str(line["input_tokens"])) + int(str(line["output_tokens"]))
            used[str(line["account_id"])] += -(-tokens * 11 // 10)
    given_tokens = {"alice": 110_000, "bob": 900, "carol": 0}
    welcome = {name: at_once[1][name] - given_tokens[name] + used[name] for name in NAMES}
    assert len(set(welcome.values())) == 1


@pytest.mark.slow
def test_a_file_a_day_gives_the_same_books(at_once: tuple[str, dict[str, int]], tmp_path: Path) -> None:
    """Each date's own records on its own date."""
    runs = [
        [
            (f"usage/{day}.jsonl", [line for line in CALLS if str(line["occurred_at"]).startswith(str(day))]),
            (f"credits/{day}.jsonl", [line for line in CREDITS if str(line["occurred_at"]).startswith(str(day))]),
        ]
        for day in DAYS
    ]
    assert _books_of(tmp_path / "books", runs) == at_once


def test_everything_late_and_backwards_gives_the_same_books(
    at_once: tuple[str, dict[str, int]], tmp_path: Path
) -> None:
    """The last day first, credits after the calls that spend them, a refund before its purchase, all of it twice."""
    half = len(CALLS) // 2
    runs: list[Sequence[Delivery]] = [
        [("usage/2026-09-01-b.jsonl", CALLS[:half:-1]), ("credits/2026-09-01.jsonl", CREDITS[1:])],
        [("usage/2026-09-02-a.jsonl", CALLS[half::-1])],
        [("usage/2026-09-03-all.jsonl", [*CALLS, *CALLS]), ("credits/2026-09-03.jsonl", CREDITS[::-1])],
    ]
    assert _books_of(tmp_path / "books", runs) == at_once


@pytest.mark.large
@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32), files=st.integers(1, 6), repeated=st.integers(0, 8))
def test_any_delivery_gives_the_same_books(
    at_once: tuple[str, dict[str, int]], seed: int, files: int, repeated: int
) -> None:
    """Shuffled, split by lines into files of any run, with repeats; what lies too far ahead comes with the last run."""
    dice = random.Random(seed)
    lines = [*CALLS, *dice.choices(CALLS, k=repeated)]
    dice.shuffle(lines)
    days = DAYS[-dice.randint(1, len(DAYS)) :]
    runs: list[list[Delivery]] = [[] for _ in days]
    for number in range(files):
        part, chosen = lines[number::files], dice.randrange(len(days))
        ahead = [line for line in part if str(line["occurred_at"]) > f"{days[chosen]}T24"]
        runs[chosen].append((f"usage/2026-09-01-{number}.jsonl", [line for line in part if line not in ahead]))
        runs[-1].append((f"usage/2026-09-01-{number}-ahead.jsonl", ahead))
    for number, record in enumerate(dice.sample(CREDITS, len(CREDITS))):
        dice.choice(runs).append((f"credits/2026-09-01-{number}.jsonl", [record]))
    with tempfile.TemporaryDirectory() as root:
        assert _books_of(Path(root) / "books", runs) == at_once


def _account_books(root: Path, deliveries: Sequence[Sequence[Delivery]]) -> tuple[str, list[tuple[object, ...]]]:
    """Content hash, and the columns of the account that its versions and purchases decide."""
    (root / "accounts").mkdir(parents=True)
    (root / "tollbook.toml").write_text(CONFIG, encoding="utf-8")
    folder = BooksFolder(root.resolve())
    place_warehouse(folder.database)
    for files in deliveries:
        for name, lines in files:
            write_lines(root / name, list(lines))
        with billing.open_books(folder, command="test") as books:
            billing.bill(books, billing.survey(books), LAST)
    with billing.open_books(folder, command="test") as books:
        found = books.connection.execute(
            "SELECT user_id, workspace_id, currency, lifetime_spent_cents FROM books.token_accounts UNION ALL BY NAME"
            " SELECT workspace_id, currency FROM books.token_transactions ORDER BY ALL"
        ).fetchall()
        return content_hash(books.connection), found


def test_versions_and_purchases_of_an_account_may_come_in_any_order(tmp_path: Path) -> None:
    """The last version says all; the currency is that of the first purchase by time; a row has its time's workspace."""
    older = account("alice") | {"workspace_id": "a", "user_id": "u9", "updated_at": f"{FIRST}T00:00:00Z"}
    newer = account("alice") | {"workspace_id": "b", "updated_at": f"{SECOND}T12:00:00Z"}
    purchases = [
        credit("one", "alice", "purchase", 1000, FIRST, amount_cents=100, currency="eur"),
        credit("two", "alice", "purchase", 1000, SECOND, amount_cents=700, currency="usd"),
        credit("three", "alice", "bonus", 10, LAST),
    ]
    files: list[Delivery] = [
        ("accounts/1.jsonl", [older]), ("accounts/2.jsonl", [newer]),
        *((f"credits/2026-09-01-{number}.jsonl", [line]) for number, line in enumerate(purchases)),
    ]  # fmt: skip
    at_once = _account_books(tmp_path / "once", [files])
    assert at_once[1][:1] == [("alice", "b", "eur", 100)]
    assert [row[1] for row in at_once[1] if row[0] is None] == ["a", "a", "a", "b"]
    assert _account_books(tmp_path / "forth", [[file] for file in files]) == at_once
    assert _account_books(tmp_path / "back", [[files[1], files[0]], [files[4]], [files[3]], [files[2]]]) == at_once
