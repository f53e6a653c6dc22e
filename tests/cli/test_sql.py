"""`tollbook sql`: exact answers, and nothing but answers."""

from __future__ import annotations

import csv
from decimal import Decimal
from io import StringIO
from typing import TYPE_CHECKING

import polars as pl
import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Command


@pytest.mark.parametrize(
    "query",
    [
        "INSERT INTO books.token_accounts SELECT * FROM books.token_accounts",
        "DELETE FROM books.token_usage",
        "FROM read_text('/etc/hostname')",
        "FROM read_csv('/etc/hostname')",
        "FROM glob('*')",
        "COPY books.token_accounts TO 'out.csv'",
        "ATTACH 'other.duckdb' AS other",
        "INSTALL httpfs",
        "SET enable_external_access = true",
        "FROM reader",
        "SELEC 1",
        "",
    ],
)
def test_query_that_does_more_than_ask_is_refused(tollbook: Command, query: str) -> None:
    """Writing, files, the network, settings and this program's own variables are out of reach: exit 2."""
    asked = tollbook("sql", "-c", query)
    assert asked.code == 2
    assert asked.err.startswith("error: sql:")
    assert not (tollbook.root / "out.csv").exists()


def test_figures_are_exact_in_json(tollbook: Command) -> None:
    """Wide integers are numbers, decimals and instants text, with all their digits."""
    query = (
        "SELECT 170141183460469231731687303715884105727::HUGEINT h, 9007199254740993::BIGINT b, 0.10::DECIMAL(9,2) d,"
    )
    document = tollbook(
        "--json", "sql", "-c", query + " TIMESTAMPTZ '2026-09-01 00:00:00.000001+00' t, NULL n"
    ).document
    assert document["rows"] == [
        {"h": 2**127 - 1, "b": 2**53 + 1, "d": "0.10", "t": "2026-09-01 00:00:00.000001+00", "n": None}
    ]


def test_csv_neutralises_formulas(tollbook: Command) -> None:
    """Text that a spreadsheet would run gets an apostrophe; negative numbers stay numbers."""
    query = "SELECT '=1+1' a, '@x' b, -5 c, 'plain' d, true e, NULL f, '-2' AS \"=g\""
    out = tollbook("sql", "--format", "csv", "-c", query).out
    assert list(csv.reader(StringIO(out))) == [
        ["a", "b", "c", "d", "e", "f", "'=g"],
        ["'=1+1", "'@x", "-5", "plain", "true", "", "'-2"],
    ]


def test_parquet_keeps_types_and_overwrites_nothing(tollbook: Command) -> None:
    """Decimals and instants keep their types; a file that exists is left alone."""
    target = tollbook.root / "out.parquet"
    options = ["sql", "--format", "parquet", "--output", str(target), "-c"]
    assert tollbook(*options, "SELECT multiplier, occurred_at FROM books.token_usage LIMIT 1").code == 0
    frame = pl.read_parquet(target)
    assert frame["multiplier"].to_list() == [Decimal("1.500000")]
    assert frame.schema["occurred_at"] == pl.Datetime("us", "UTC")
    again = tollbook(*options, "SELECT 1")
    assert (again.code, "exists already" in again.err) == (2, True)
    assert tollbook("sql", "--format", "parquet", "-c", "SELECT 1").code == 2


def test_query_comes_from_stdin_or_a_file(tollbook: Command) -> None:
    """The last of several statements answers."""
    assert tollbook("--json", "sql", stdin="SELECT 1; SELECT 2 AS two").document["rows"] == [{"two": 2}]
    file = tollbook.root / "query.sql"
    file.write_text("SELECT 3 AS three", encoding="utf-8")
    assert "three" in tollbook("sql", "-f", str(file)).out
    assert tollbook("sql", "-f", "no-such-file.sql").code == 2
    assert tollbook("sql", "-f", str(file), "-c", "SELECT 1").code == 2


def test_books_that_were_never_published_say_so(fresh: Command) -> None:
    """Without a published copy a reader learns what makes one: exit 2."""
    for verb in (["sql", "-c", "SELECT 1"], ["accounts", "list"], ["quarantine", "list"]):
        asked = fresh(*verb)
        assert (asked.code, "tollbook run" in asked.err) == (2, True)


def test_published_file_that_is_no_database_is_named(tollbook: Command) -> None:
    """A broken published copy ends with 1 and says how to get a new one."""
    tollbook.folder.published.write_bytes(b"not a database at all" * 1000)
    asked = tollbook("sql", "-c", "SELECT 1")
    assert (asked.code, "the next run makes a new copy" in asked.err) == (1, True)
