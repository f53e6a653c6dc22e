"""A published copy that another version made, and warnings that a run without news does not leave out."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import duckdb

from pipelines.books.config import load_config, load_prices
from pipelines.price_notices import price_notices
from tests.cli.conftest import LAST, NOW

if TYPE_CHECKING:
    from tests.cli.conftest import Command

MISSPELT = '[[settings]]\n[[rate]]\nid = "gone"\nmatch = { model = "gpt4-*" }\nmultiplier = "2"\n'


def test_a_copy_of_another_version_says_what_to_do_until_a_run_has_made_its_own(tollbook: Command) -> None:
    """No verb answers from tables that it does not know; warnings wait, and the next posting of any kind heals it."""
    rates = tollbook.root / "other.toml"
    rates.write_text("[[settings]]\n", encoding="utf-8")
    with duckdb.connect(str(tollbook.folder.published)) as copy:
        copy.execute("UPDATE audit.publication SET schema_version = 1")
        copy.execute("ALTER TABLE books.usage_revisions DROP COLUMN service_tier")
    for words in (("explain", "x"), ("simulate", "--rates", str(rates)), ("accounts", "list"), ("quarantine", "list")):
        told = tollbook(*words)
        assert told.code == 2, words
        assert "was made by another version of Tollbook (schema 1, this one's is" in " ".join(told.err.split())
        assert "run `tollbook run` first" in " ".join(told.err.split())
    prices = load_prices(tollbook.folder, load_config(tollbook.folder))
    assert price_notices(tollbook.folder, prices, "UTC", datetime(2026, 9, 5, tzinfo=UTC)) == []
    tollbook.bill(NOW, LAST)
    assert tollbook("accounts", "list").code == 0


def test_a_run_without_news_still_warns_of_a_pattern_that_nothing_matches(tollbook: Command) -> None:
    """The file is as it was when the copy was made; only time goes by."""
    (tollbook.root / "rates.toml").write_text(MISSPELT, encoding="utf-8")
    tollbook.bill(NOW, LAST)
    earlier = tollbook.folder.published.stat().st_mtime_ns - 1
    os.utime(tollbook.root / "rates.toml", ns=(earlier, earlier))
    run = tollbook("--json", "run")
    assert (run.code, run.document["postings"]) == (0, 0)
    assert any("no model of the last 90 days matches 'gpt4-*'" in warning for warning in run.document["warnings"])
    assert not tollbook.folder.dagster_home.exists()
