"""One process: make events in a DuckDB file, then re-rate them, scan them and write the result; prints CPU seconds."""

from __future__ import annotations

import json
import resource
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import narwhals as nw

from billing_core.price_book import parse_price_book
from billing_core.rating import EVENT_COLUMNS, rate

if TYPE_CHECKING:
    from collections.abc import Callable

    import polars as pl

_SETTINGS = """
[[settings]]
[[settings]]
effective_from = 2026-09-10
default_token_multiplier = "1.6"
[[settings]]
effective_from = 2026-09-20
default_token_multiplier = "1.45"
"""
_CUSTOMERS = """
[[rate]]
id = "customer-{number}"
match = {{ account = "acct-{number}" }}
multiplier = "1.{number:03d}"
"""
_RULES = """
[[rate]]
id = "claude"
match = { model = "claude-*" }
weights = { input = "1", output = "4", cache_read = "0.1", reasoning = "4" }
long_context = { above = 6000, weights = { input = "2", output = "6", cache_read = "0.2", reasoning = "6" } }
[[rate]]
id = "gemini"
effective_from = 2026-09-15
match = { model = "gemini-?.?-*" }
weights = { input = "1", output = "5", cache_read = "0.25", audio = "2" }
[[rate]]
id = "flat"
match = { provider = "azure", operation = "prompt" }
fixed = 40
per = "call"
[[rate]]
id = "images"
match = { model = "dall-e-*", provider = "azure" }
fixed = 5500
per = "image"
""" + "".join(_CUSTOMERS.format(number=number) for number in range(1, 201))
_EVENTS = """
CREATE TABLE events AS
SELECT i AS row_id, 1788220800000000 + (i * 129600)::BIGINT AS occurred_us, 'acct-' || hash(i) % 5000 AS account_id,
    NULL::VARCHAR AS workspace, NULL::VARCHAR AS plan,
    ['chat', 'chat', 'generation', 'prompt', 'image'][(1 + hash(i + 1) % 5)::BIGINT] AS operation_type,
    ['openai', 'azure', 'anthropic'][(1 + hash(i + 2) % 3)::BIGINT] AS provider,
    CASE WHEN operation_type = 'image' THEN 'dall-e-3'
        ELSE ['gpt-4o', 'gpt-4o-mini', 'claude-sonnet-4', 'claude-opus-4', 'gemini-2.5-pro'][
            (1 + hash(i + 3) % 5)::BIGINT] END AS model,
    NULL::VARCHAR AS image_size, NULL::VARCHAR AS image_quality,
    (hash(i + 4) % 8000)::BIGINT AS input_tokens, (hash(i + 5) % 900)::BIGINT AS output_tokens,
    input_tokens + output_tokens AS total_tokens, input_tokens // 3 AS cache_read_tokens, 0 AS cache_write_5m_tokens,
    0 AS cache_write_1h_tokens, output_tokens // 4 AS reasoning_tokens, 0 AS audio_input_tokens,
    0 AS audio_output_tokens, (operation_type = 'image')::BIGINT AS image_count, hash(i + 6) % 50 > 0 AS success,
    false AS gateway_cache_hit, false AS cancelled
FROM range($rows) AS made(i)
"""


def main() -> None:
    """Run with: folder, number of rows, name of the book."""
    folder, rows, book = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    connection = duckdb.connect(str(folder / "events.duckdb"))
    connection.execute("SET threads = 2")
    connection.execute("SET memory_limit = '3GB'")
    connection.execute("SET preserve_insertion_order = false")
    connection.execute(_EVENTS, {"rows": rows})
    connection.execute("CHECKPOINT")
    prices = parse_price_book(tomllib.loads(_SETTINGS + (_RULES if book == "rules" else "")))

    def lift(frame: pl.DataFrame) -> nw.LazyFrame[Any]:
        return nw.from_native(connection.from_arrow(frame.to_arrow()))

    scan = f"SELECT {_sums(connection)} FROM events"  # noqa: S608 our own columns
    figures = {
        "rerate": _cpu(
            lambda: rate(nw.from_native(connection.table("events")), prices, lift).to_native().create("rated")
        ),
        "scan": _cpu(lambda: connection.execute(scan).fetchall()),
        "write": _cpu(lambda: connection.execute("CREATE TABLE copied AS FROM rated")),
    }
    print(json.dumps(figures))


def _sums(connection: duckdb.DuckDBPyConnection) -> str:
    """One aggregate per column of the events: the sum of numbers, the sum of the lengths of texts."""
    kinds = dict(connection.execute("SELECT column_name, data_type FROM duckdb_columns()").fetchall())
    return ", ".join(
        f"sum(strlen({name}))" if kinds[name] == "VARCHAR" else f"sum({name}::BIGINT)" for name in EVENT_COLUMNS
    )


def _cpu(work: Callable[[], object]) -> float:
    before = resource.getrusage(resource.RUSAGE_SELF)
    work()
    after = resource.getrusage(resource.RUSAGE_SELF)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    main()
