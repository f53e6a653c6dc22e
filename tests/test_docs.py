"""The README and docs say what the product does: verbs, flags, reasons, checks, keys, links and the worked example."""

from __future__ import annotations

import re
import tomllib
from datetime import date
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import typer.main
from pydantic_core import PydanticUndefined

from billing_core.settings import Settings
from billing_core.vocabulary import Disposition, Reason, TransactionType
from pipelines.billing import bill_range, open_books
from pipelines.books.config_models import BooksConfig, Section, Usage
from pipelines.books.folder import BooksFolder
from pipelines.cli.app import app
from pipelines.intake.profiles import Profile, parse_profile
from pipelines.verification import Outcome
from pipelines.warehouse import checks as warehouse_checks
from pipelines.warehouse.connection import open_warehouse
from tests.empty_warehouse import place_warehouse

if TYPE_CHECKING:
    import duckdb

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
PAGES = sorted([ROOT / "README.md", *ROOT.glob("C*.md"), *DOCS.rglob("*.md")])
# Proofs of `verify` that are no views; a test below asks the module for exactly these names.
OUTER = {
    "posting_journal",
    "admin_journal",
    "stripe_files",
    "kept_objects",
    "dated_versions",
    "block_hashes",
    "chain_of_heads",
    "published_copy",
    "published_views",
    "raw_quarantine",
}
_LINK = re.compile(r"(?<!\!)\[[^\]]+\]\(([^)\s]+)\)")
_ROW = re.compile(r"^\| (.+) \|$", re.MULTILINE)
_CALL = re.compile(r"(?:^|[`$ /])tollbook((?: +[^\s`|&;<>()]+)*)", re.MULTILINE)


def _text(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def _rows(text: str) -> list[list[str]]:
    """Cells of every Markdown table row."""
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", row)] for row in _ROW.findall(text)]


def _first_cells(text: str) -> set[str]:
    """Every name in backticks in the first cell of a table row."""
    return {name for row in _rows(text) for name in re.findall(r"`([^`]+)`", row[0])}


@cache
def _commands() -> dict[str, set[str]]:
    """Every verb, with its group, and the flags that it takes."""
    found: dict[str, set[str]] = {}

    def visit(command: Any, path: tuple[str, ...]) -> None:
        if hasattr(command, "commands"):
            for name, child in command.commands.items():
                visit(child, (*path, name))
        else:
            options = [flag for item in command.params for flag in item.opts if flag.startswith("-")]
            found[" ".join(path)] = set(options)

    visit(typer.main.get_command(app), ())
    return found


@cache
def _global_flags() -> set[str]:
    root: Any = typer.main.get_command(app)
    return {flag for item in root.params for flag in item.opts} | {"--help", "-h"}


def _without_globals(words: list[str]) -> list[str]:
    """The words of a call from its verb on."""
    while words and words[0] in _global_flags():
        words = words[2 if words[0] in {"--books", "--env", "--log-format"} else 1 :]
    return words


def _fenced(text: str, info: str) -> list[str]:
    """The contents of fenced blocks that begin with a given info text."""
    return re.findall(rf"^```{re.escape(info)}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_internal_links_resolve(page: Path) -> None:
    """Every relative link leads to a file."""
    text = page.read_text(encoding="utf-8")
    prose = re.sub(r"^```.*?^```$|`[^`\n]*`", "", text, flags=re.MULTILINE | re.DOTALL)
    links = [link.split("#")[0] for link in _LINK.findall(prose) if not re.match(r"[a-z]+:|#", link)]
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_pages_name_only_commands_that_exist(page: Path) -> None:
    """What follows the word `tollbook` in code is a verb of the command, and its flags are that verb's."""
    commands, wrong = _commands(), []
    groups = {name.split(" ")[0] for name in commands if " " in name}
    code = re.findall(r"`[^`\n]+`|^```.*?^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    for call in (call.split() for block in code for call in _CALL.findall(block)):
        flags = {word.split("=")[0] for word in call if word.startswith("-")}
        words = _without_globals(call)
        if not words or not re.fullmatch(r"[a-z]+", words[0]):
            continue
        verb = " ".join(words[:2]) if words[0] in groups else words[0]
        known = verb in commands or verb in groups
        wrong += [] if known else [verb]
        wrong += [f"{verb} {flag}" for flag in flags - commands.get(verb, flags) - _global_flags()]
    assert wrong == []


def test_cli_page_lists_every_verb_with_its_flags() -> None:
    """The table of verbs is the command's own, long flag by long flag."""
    rows = {row[0].strip("`"): row[2] for row in _rows(_text("cli.md")) if len(row) == 3}
    said = {verb: set(re.findall(r"`(--[a-z-]+)`", flags)) for verb, flags in rows.items() if verb in _commands()}
    assert said == {
        verb: {flag for flag in flags if flag.startswith("--")} - {"--help"} for verb, flags in _commands().items()
    }


def test_every_reason_and_disposition_is_explained() -> None:
    """Intake's tables hold each reason and disposition, and no other."""
    assert _first_cells(_text("intake.md").split("## Records and dispositions")[1]) == {*Reason, *Disposition}
    assert all(row[-1] for row in _rows(_text("intake.md")) if row[0].strip("`") in set(Reason))


def test_every_ledger_type_is_explained() -> None:
    """The ledger's first table holds each type, and no other."""
    assert _first_cells(_text("ledger.md").split("## Order")[0]) == set(TransactionType)


def test_every_check_is_explained_and_marked_rightly() -> None:
    """The page of checks names each view and proof, and says which have a delta form."""
    rows = {row[0].strip("`"): row for row in _rows(_text("checks.md"))}
    names = {check.name for check in warehouse_checks.checks()}
    assert {name for name in rows if re.fullmatch("[a-z_]+", name)} == names | OUTER
    deltas = warehouse_checks.delta_texts().keys()
    assert {name for name in names if rows[name][2] == "yes"} == deltas


def test_outer_proofs_are_those_of_verify() -> None:
    """The names of the proofs that are no views are those in the module that gives them."""
    source = (ROOT / "pipelines/verification.py").read_text(encoding="utf-8")
    assert Outcome.__name__ in source
    assert set(re.findall(r'(?:name=|_from_rows\()"([a-z_]+)"', source)) == OUTER


def _models() -> dict[str, type[Section]]:
    found: dict[str, type[Section]] = {"[[usage]]": Usage}
    for name, field in BooksConfig.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section):
            found[f"[{name}]"] = field.annotation
    return found


def test_every_configuration_key_is_explained_with_its_default() -> None:
    """Section by section the page names every key of tollbook.toml; plain defaults are the models' own."""
    parts = re.split(r"^### `(.+)`$", _text("configuration.md").split("## rates.toml")[0], flags=re.MULTILINE)[1:]
    pages = dict(zip(parts[::2], parts[1::2], strict=True))
    assert set(pages) == set(_models())
    for title, model in _models().items():
        rows = {row[0].strip("`"): row[1] for row in _rows(pages[title]) if row[0].startswith("`")}
        assert set(rows) == set(model.model_fields), title
        for name, default in rows.items():
            known = model.model_fields[name].default
            if default == "required":
                assert known is PydanticUndefined, name
            elif re.fullmatch(r"`[^`]*`", default):
                assert tomllib.loads(f"x = {default.strip('`')}")["x"] == known, name


def test_every_setting_is_explained_with_its_default() -> None:
    """The table of rates.toml names every key of a settings version, in the order of `settings show`, and defaults."""
    part = _text("configuration.md").split("## rates.toml")[1].split("## packages.toml")[0]
    rows = {name: row[1] for row in _rows(part) for name in re.findall(r"`([^`]+)`", row[0])}
    content = Settings().content()
    assert list(rows) == [*content, "updated_by", "reason"]
    said = {name: tomllib.loads(f"x = {text.strip('`')}")["x"] for name, text in rows.items() if text}
    assert said == {name: content[name] for name in said}


def test_every_profile_key_is_explained_and_the_example_is_valid() -> None:
    """The page of profiles names each key; its example is a profile."""
    text = _text("profiles.md")
    keys = {field.alias or name for name, field in Profile.model_fields.items()}
    assert keys <= {name.strip("[]") for name in _first_cells(text)}
    (example,) = _fenced(text, "toml profile")
    assert parse_profile(example, "docs/profiles.md").kind == "usage"


def test_cookbook_queries_run_on_the_tables(tmp_path: Path) -> None:
    """Every query of the cookbook is valid for the tables and views of this version."""
    queries = _fenced(_text("sql-cookbook.md"), "sql")
    place_warehouse(tmp_path / "tollbook.duckdb")
    with open_warehouse(tmp_path / "tollbook.duckdb") as connection:
        for query in queries:
            connection.execute(query).fetchall()
    assert len(queries) >= 10


def test_worked_example_of_the_ledger_is_what_the_books_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Billing the example's files date by date gives its two tables, cell by cell."""
    monkeypatch.setenv("TOLLBOOK_NOW", "2026-09-11T06:00:00Z")
    text = _text("ledger.md")
    for path, content in re.findall(r"^```\w+ file=(\S+)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(content, encoding="utf-8")
    place_warehouse(BooksFolder(tmp_path).database)
    with open_books(BooksFolder(tmp_path), command="test") as books:
        bill_range(books, date(2026, 9, 1), date(2026, 9, 10), bare=False, on_date=lambda _day, _summary: None)
        ledger, movements = _ledger(books.connection), _movements(books.connection)
    rows = _rows(text.split("## A worked example")[1])
    assert [row for row in rows if row[0].isdigit()] == ledger
    assert [row for row in rows if row[0] in {"burn", "expire", "repay", "take_back", "revive", "release"}] == movements


def _ledger(connection: duckdb.DuckDBPyConnection) -> list[list[str]]:
    return _cells(
        connection,
        "SELECT account_seq, strftime(occurred_at, '%m-%d %H:%M'), transaction_type, token_amount, balance_after,"
        " amount_cents FROM books.token_transactions ORDER BY account_seq",
    )


def _movements(connection: duckdb.DuckDBPyConnection) -> list[list[str]]:
    return _cells(
        connection,
        "SELECT moved.kind, lot.transaction_type, moved.debit_from, moved.debit_to, moved.tokens"
        " FROM finance.lot_allocations AS moved JOIN finance.credit_lots AS lot USING (lot_id)"
        " ORDER BY moved.posting_id, moved.allocated_at, moved.debit_from NULLS FIRST",
    )


def _cells(connection: duckdb.DuckDBPyConnection, query: str) -> list[list[str]]:
    found = connection.execute(query).fetchall()
    return [["" if value is None else str(value) for value in row] for row in found]
