"""Finding the books folder and its paths."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from billing_core.errors import ConfigurationError
from pipelines.books.folder import BooksFolder, find_books

if TYPE_CHECKING:
    from pathlib import Path


def make_books(folder: Path) -> Path:
    """Make a folder with an empty tollbook.toml."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tollbook.toml").touch()
    return folder


def test_the_folder_named_on_the_command_line_beats_the_variable(tmp_path: Path) -> None:
    """--books wins over TOLLBOOK_BOOKS, which wins over the search upwards."""
    named, variable, here = (make_books(tmp_path / name) for name in ("named", "variable", "here"))
    environ = {"TOLLBOOK_BOOKS": str(variable)}
    assert find_books(named, environ, here).root == named
    assert find_books(None, environ, here).root == variable
    assert find_books(None, {}, here).root == here


def test_the_books_are_found_from_a_folder_inside_them(tmp_path: Path) -> None:
    """The nearest tollbook.toml upwards is the one."""
    outer, inner = make_books(tmp_path), make_books(tmp_path / "a" / "b")
    (inner / "usage" / "x").mkdir(parents=True)
    assert find_books(cwd=inner / "usage" / "x", environ={}).root == inner
    assert find_books(cwd=tmp_path / "a", environ={}).root == outer


def test_a_named_folder_is_not_searched_upwards(tmp_path: Path) -> None:
    """A typing error must not open the books one level up."""
    make_books(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigurationError, match=r"--books: .*empty holds no tollbook.toml; .*tollbook init"):
        find_books(tmp_path / "empty", {})


def test_no_books_says_what_to_do(tmp_path: Path) -> None:
    """The error names where it looked, `tollbook init` and --books, and ends with exit code 2."""
    with pytest.raises(ConfigurationError, match=r"no books folder: .*`tollbook init`.*--books DIR") as caught:
        find_books(None, {}, tmp_path)
    assert caught.value.exit_code == 2
    with pytest.raises(ConfigurationError, match=r"TOLLBOOK_BOOKS: .*gone is not a folder"):
        find_books(None, {"TOLLBOOK_BOOKS": str(tmp_path / "gone")}, tmp_path)


def test_the_root_is_absolute_and_without_links(tmp_path: Path) -> None:
    """A link to the books and the books themselves are one folder, with one lock."""
    real = make_books(tmp_path / "real")
    (tmp_path / "link").symlink_to(real)
    assert find_books(tmp_path / "link", {}) == BooksFolder(real)


def test_paths_lie_where_the_documents_say(tmp_path: Path) -> None:
    """Inputs at the root and in journal/, everything generated in warehouse/, the lock outside it."""
    books = BooksFolder(tmp_path)
    paths = {
        books.config: "tollbook.toml",
        books.overlay("prod"): "tollbook.prod.toml",
        books.rates: "rates.toml",
        books.packages: "packages.toml",
        books.profiles: "profiles",
        books.admin_journal: "journal/admin.jsonl",
        books.posting_log: "journal/postings.jsonl",
        books.objects: "journal/objects",
        books.database: "warehouse/tollbook.duckdb",
        books.published: "warehouse/published/tollbook.duckdb",
        books.quarantine: "warehouse/quarantine",
        books.reports: "warehouse/reports",
        books.dagster_home: "warehouse/dagster",
        books.file_hashes: "warehouse/file_hashes.json",
        books.lock: ".tollbook.lock",
    }
    assert {str(path.relative_to(tmp_path)) for path in paths} == set(paths.values())
    assert all(str(path.relative_to(tmp_path)) == expected for path, expected in paths.items())
