"""Small books that were billed once, and a way to call the command on a copy of them."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from pipelines.billing import bill_range, open_books, publish_books
from pipelines.books.folder import BooksFolder
from pipelines.cli.app import app
from tests.empty_warehouse import place_books
from tests.pipelines.small_books import place_instance

if TYPE_CHECKING:
    from pathlib import Path

NOW = "2026-09-05T06:00:00Z"
LAST = date(2026, 9, 4)
CONFIG = """\
[books]
start = 2026-09-01
[[usage]]
path = "usage/**/*"
profile = "tollbook"
[accounts]
path = "accounts/*.jsonl"
[intake]
settle_seconds = 0
"""


def usage_line(number: int, day: int, account: str = "ada", tokens: int = 100) -> str:
    """One plain usage line."""
    fields: dict[str, object] = {
        "event_id": f"e{number}",
        "account_id": account,
        "occurred_at": f"2026-09-{day:02d}T10:00:00Z",
    }
    fields |= {"operation_type": "chat", "provider": "openai", "model": "gpt-4o", "success": True}
    return json.dumps({**fields, "input_tokens": tokens, "output_tokens": 0}) + "\n"


def write_inputs(root: Path) -> None:
    """Two accounts, calls on two days, one call of a stranger, one broken line with an escape in it."""
    (root / "usage").mkdir(parents=True)
    (root / "accounts").mkdir()
    (root / "tollbook.toml").write_text(CONFIG, encoding="utf-8")
    accounts = [
        {"account_id": name, "plan": "free", "created_at": "2026-09-01T00:00:00Z", "updated_at": "2026-09-01T00:00:00Z"}
        for name in ("ada", "bob")
    ]
    (root / "accounts/accounts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in accounts), encoding="utf-8")
    first = usage_line(1, 1) + usage_line(2, 1, "bob") + usage_line(3, 1, "stranger", 1_000)
    (root / "usage/2026-09-01.jsonl").write_text(first, encoding="utf-8")
    (root / "usage/2026-09-02.jsonl").write_bytes(usage_line(4, 2).encode() + b'{"event_id": "\x1b[31m\n')


@dataclass(frozen=True)
class Outcome:
    """What a call of the command gave."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The one JSON object on stdout."""
        return json.loads(self.out)


@dataclass(frozen=True)
class Command:
    """The command on one books folder, on the morning of 5 September 2026."""

    root: Path

    @property
    def folder(self) -> BooksFolder:
        """The folder's paths."""
        return BooksFolder(self.root)

    def __call__(self, *arguments: str, stdin: str = "", env: dict[str, str] | None = None) -> Outcome:
        """Call `tollbook --books ROOT ARGUMENTS...`."""
        variables = {"TOLLBOOK_NOW": NOW, "TOLLBOOK_ACTOR": "", "COLUMNS": "100", **(env or {})}
        given = {name: value for name, value in variables.items() if value}
        result = CliRunner().invoke(app, ["--books", str(self.root), *arguments], input=stdin, env=given)
        return Outcome(result.exit_code, result.stdout, result.stderr)

    def bill(self, now: str, through: date) -> None:
        """Bill and publish as `run` does at an instant, without Dagster: for tests that are about something else."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("TOLLBOOK_NOW", now)
            with open_books(self.folder, command="a test") as books:
                bill_range(books, books.first_open_date(), through, bare=True, on_date=lambda _day, _summary: None)
                publish_books(books)


@pytest.fixture(scope="session")
def billed_books(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Books that were billed once and published; copied by whoever changes them."""
    root = tmp_path_factory.mktemp("billed") / "books"
    write_inputs(root)
    place_books(BooksFolder(root))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TOLLBOOK_NOW", NOW)
        with open_books(BooksFolder(root), command="a test") as books:
            bill_range(books, date(2026, 9, 1), LAST, bare=True, on_date=lambda _day, _summary: None)
            for _ in range(2):  # the second time makes the standby
                publish_books(books)
    return root


@pytest.fixture
def tollbook(billed_books: Path, tmp_path: Path) -> Command:
    """The command on a copy of the billed books."""
    root = tmp_path / "books"
    shutil.copytree(billed_books, root)
    return Command(root.resolve())


@pytest.fixture
def fresh(tmp_path: Path) -> Command:
    """The command on books that were opened, never billed."""
    root = tmp_path.resolve() / "fresh"
    write_inputs(root)
    place_books(BooksFolder(root))
    place_instance(BooksFolder(root))
    return Command(root)


@pytest.fixture
def new(tmp_path: Path) -> Command:
    """The command on books that were never opened: nothing lies there but the inputs."""
    root = tmp_path.resolve() / "new"
    write_inputs(root)
    return Command(root)
