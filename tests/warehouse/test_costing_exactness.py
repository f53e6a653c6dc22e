"""Costs computed by the posting's SQL against the core's definition, over thousands of drawn calls: no difference."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import duckdb
import polars as pl
import pytest

from billing_core.instants import epoch_us
from billing_core.provider_prices import PriceRefusedError, price_images, price_tokens, variant_of
from pipelines.prices.book import release_book
from pipelines.warehouse.connection import prepare
from pipelines.warehouse.costing import price_usage
from pipelines.warehouse.sql import sql_names, sql_text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ROWS = 8_000
MODELS = [
    ("openai", "gpt-4o"),
    ("openai", "gpt-5.6-sol"),
    ("openai", "gpt-6.1-terra"),
    ("openai", "gpt-realtime"),
    ("anthropic", "claude-sonnet-4-5"),
    ("google", "gemini-2.5-pro"),
    ("google", "gemini-2.5-flash"),
    ("deepseek", "deepseek-v4-flash"),
    ("deepseek", "deepseek-chat"),
    (None, "o3"),
    ("perplexity", "sonar"),
    ("openai", "text-embedding-3-small"),
    ("openai", "dall-e-3"),
    ("openai", "gpt-99"),
    (None, None),
]
START = datetime(2025, 5, 1, tzinfo=UTC)


@pytest.fixture
def session(tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A session of the books with the tables that costing writes."""
    with duckdb.connect() as connection:
        prepare(connection, tmp_path, "500MB", 1)
        connection.execute("CREATE SCHEMA books")
        (migration,) = [name for name in sql_names("migrations") if "provider_prices" in name]
        connection.execute(sql_text(migration))
        yield connection


def drawn(dice: random.Random, row_id: int) -> dict[str, Any]:
    """A call as intake hands it over: inclusive totals, each part within its whole."""
    provider, model = dice.choice(MODELS)
    total = dice.choice([0, 1, 200_000, 200_001, 272_001, dice.randrange(10**6), 10**12])
    output = dice.choice([0, dice.randrange(10**6), 10**12])

    def part(whole: int, chance: float) -> int:
        return dice.randint(0, whole) if dice.random() < chance else 0

    return {
        "row_id": row_id, "disposition": "accepted", "provider": provider, "model": model,
        "occurred_at": START + timedelta(microseconds=dice.randrange(600 * 86_400 * 10**6)),
        "input_tokens": total, "output_tokens": output, "total_tokens": total + output,
        "cache_read_tokens": part(total, 0.3), "cache_write_5m_tokens": part(total, 0.2),
        "cache_write_1h_tokens": part(total, 0.1), "audio_input_tokens": part(total, 0.1),
        "image_input_tokens": part(total, 0.1), "reasoning_tokens": part(output, 0.3),
        "audio_output_tokens": part(output, 0.05), "image_output_tokens": part(output, 0.05),
        "image_count": dice.choice([0, 0, 1, 3, 10**6]), "success": dice.random() < 0.9,
        "image_size": dice.choice([None, "1024x1024", "1792X1024", "1x1"]),
        "image_quality": dice.choice([None, "standard", "HD"]), "gateway_cache_hit": dice.random() < 0.05,
        "service_tier": dice.choice([None, None, "standard", "batch", "flex", "priority", "fast", "scale"]),
    }  # fmt: skip


def expected(call: dict[str, Any]) -> int | None:
    """The cost by the core, one call at a time."""
    if call["gateway_cache_hit"] or (not call["success"] and not call["total_tokens"] and not call["image_count"]):
        return 0
    by_images = not call["total_tokens"] and call["image_count"]
    priced = release_book().find(call["provider"], call["model"], "images" if by_images else "tokens").priced
    period = priced.at(epoch_us(call["occurred_at"]), variant_of(call["service_tier"])) if priced else None
    if period is None:
        return None
    words = {name: call[name].lower() if call[name] else None for name in ("image_size", "image_quality")}
    try:
        if by_images:
            return price_images(period, call["image_count"], words["image_size"], words["image_quality"]).nanousd
        return price_tokens(period, counts(call)).nanousd
    except PriceRefusedError:
        return None


def counts(call: dict[str, Any]) -> dict[str, int]:
    """The columns of a call as counts by unit."""
    units = {
        "input_tokens": "input_tokens", "output_tokens": "output_tokens", "cache_read_tokens": "cache_read_tokens",
        "cache_write_5m_tokens": "cache_write_5m_tokens", "cache_write_1h_tokens": "cache_write_1h_tokens",
        "input_audio_tokens": "audio_input_tokens", "input_image_tokens": "image_input_tokens",
        "output_reasoning_tokens": "reasoning_tokens", "output_audio_tokens": "audio_output_tokens",
        "output_image_tokens": "image_output_tokens",
    }  # fmt: skip
    found = {unit: call[column] for unit, column in units.items()}
    return found | {"cache_write_tokens": found["cache_write_5m_tokens"] + found["cache_write_1h_tokens"]}


def test_the_posting_computes_what_the_core_defines(session: duckdb.DuckDBPyConnection) -> None:
    """Service tiers, tiers, hours, dates, parts, images and refusals; counts up to the largest that intake accepts.

    The check computes the same from the tables alone.
    """
    dice = random.Random(4)
    calls = [drawn(dice, number) for number in range(1, ROWS + 1)]
    session.register("drawn", pl.DataFrame(calls, infer_schema_length=None))
    session.execute("CREATE TEMP TABLE classified_usage AS SELECT * FROM drawn")
    price_usage(session, release_book(), 1)
    found = dict(session.execute("SELECT row_id, provider_cost_nanousd FROM costed_usage").fetchall())
    wanted = {call["row_id"]: expected(call) for call in calls}
    assert len(found) == ROWS
    differing = [(calls[row - 1], found[row], cost) for row, cost in wanted.items() if found[row] != cost]
    assert differing == []
    assert sum(cost is not None for cost in wanted.values()) > ROWS // 4
    assert recomputed_otherwise(session) == []
    session.execute("UPDATE books.token_usage SET provider_cost_nanousd = provider_cost_nanousd + 1 WHERE row_id = 1")
    session.execute("UPDATE books.token_usage SET provider_cost_nanousd = NULL WHERE provider_cost_nanousd = 0")
    assert len(recomputed_otherwise(session)) > 100
    assert sum(wanted[call["row_id"]] is not None for call in calls if call["service_tier"] == "batch") > ROWS // 100


def recomputed_otherwise(session: duckdb.DuckDBPyConnection) -> list[Any]:
    """The rows that the check of costs finds among the calls that were costed."""
    if not session.execute("SELECT 1 FROM duckdb_tables() WHERE table_name = 'token_usage'").fetchall():
        session.execute(
            "CREATE TABLE books.token_usage AS SELECT uuid() AS usage_id, 'a' AS account_id, 1 AS posting_id, *"
            " FROM costed_usage"
        )
        session.execute(
            "CREATE TABLE books.usage_revisions AS SELECT 0 AS revision_no, '' AS revision_reason, *"
            " FROM books.token_usage LIMIT 0"
        )
    return session.execute(sql_text("checks/32_recomputed_cost.sql")).fetchall()
