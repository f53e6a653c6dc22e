"""A measured process: one of the passes over a published copy, with its CPU seconds and figures as one line of JSON."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import narwhals as nw
import polars as pl

from billing_core.ledger import sequence
from billing_core.packages import SEED_PACKAGES
from billing_core.rating import EVENT_COLUMNS, rate_books
from pipelines.books.config import load_config
from pipelines.books.folder import BooksFolder
from pipelines.simulate.candidates import load_candidates
from pipelines.simulate.history import Span
from pipelines.simulate.simulation import Question, simulate
from reports.published import open_published

if TYPE_CHECKING:
    import duckdb

    from billing_core.price_book import PriceBook

# Every column that rating reads, as a re-rate of stored calls has them; the copy has the account's words elsewhere.
_ABSENT = {"workspace": "NULL::VARCHAR", "plan": "NULL::VARCHAR", "row_id": "row_number() OVER ()"}
_ABSENT |= {"occurred_us": "epoch_us(occurred_at)"}
_EVENTS = ", ".join(f"{_ABSENT.get(name, name)} AS {name}" for name in EVENT_COLUMNS)


def _rated(reader: duckdb.DuckDBPyConnection, book: PriceBook) -> pl.DataFrame:
    """Every call of the copy with its price, rule and version under one book."""
    events = nw.from_native(reader.sql(f"SELECT {_EVENTS} FROM books.usage_current").pl().lazy())  # noqa: S608 fixed names
    rated: pl.DataFrame = rate_books(events, {"": book}, ("row_id", "account_id", "occurred_us")).to_native().collect()
    return rated


def rerate(reader: duckdb.DuckDBPyConnection, book: PriceBook) -> int:
    """One re-rate: read every call, price it under one book with its rule and version, add up by account."""
    sums = _rated(reader, book).group_by("account_id").agg(pl.col("billable_tokens").sum())
    return int(sums["billable_tokens"].sum())


def rate_and_balance(reader: duckdb.DuckDBPyConnection, book: PriceBook) -> int:
    """One rate-and-balance pass: as above, then order the ledger and number it with its running balances."""
    debits = _rated(reader, book).select(
        "account_id", "occurred_us", rank=pl.lit(2, pl.Int32), token_amount=-pl.col("billable_tokens")
    )
    others = reader.sql(
        "SELECT account_id, epoch_us(occurred_at) AS occurred_us, 1::INTEGER AS rank, token_amount"
        " FROM books.token_transactions WHERE usage_id IS NULL"
    ).pl()
    entries = pl.concat([others, debits.filter(pl.col("token_amount") != 0)]).sort("account_id", "occurred_us", "rank")
    entries = entries.with_row_index("position").with_columns(
        pl.col("position").cast(pl.Int64),
        entry_id=pl.col("position").cast(pl.Int64),
        opening_seq=pl.lit(0, pl.Int64),
        opening_balance=pl.lit(0, pl.Int64),
    )
    ledger = sequence(nw.from_native(entries.lazy())).to_native().collect()
    assert ledger.height == entries.height
    return -int(debits["token_amount"].sum())


def run(root: Path, mode: str, rates: list[Path]) -> dict[str, Any]:
    """Run one mode over some rates files; CPU seconds of the work alone, without the start of Python."""
    folder = BooksFolder(root)
    candidates = load_candidates(folder, load_config(folder), rates)
    books = {candidate.name: candidate.prices for candidate in candidates}
    with open_published(folder.published) as reader:
        began = time.process_time()
        if mode in {"simulate", "totals"}:
            question = Question(
                books=books, span=Span(), packages=SEED_PACKAGES, posted_packages=SEED_PACKAGES, timezone="UTC",
                totals_only=mode == "totals",
            )  # fmt: skip
            accounts = simulate(reader, question)
            figures = {name: sum(account.figures[name].tokens for account in accounts) for name in books}
        else:
            one = {"rerate": rerate, "rate_and_balance": rate_and_balance}[mode]
            figures = {name: one(reader, book) for name, book in books.items()}
        return {"cpu": time.process_time() - began, "figures": figures}


if __name__ == "__main__":
    print(json.dumps(run(Path(sys.argv[1]), sys.argv[2], [Path(path) for path in sys.argv[3:]])))
