"""`tollbook prices`: what was used, what a model costs, a new table; and its errors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Command


def test_used_models_are_listed_with_the_prices_they_have(tollbook: Command) -> None:
    """As logged, and what it was taken for."""
    (row,) = tollbook("--json", "prices", "list").document["models"]
    assert (row["model"], row["priced_provider"], row["priced_model"], row["reason"]) == (
        "gpt-4o",
        "openai",
        "gpt-4o",
        None,
    )
    assert "openai gpt-4o" in tollbook("prices", "list").out


def test_a_model_is_shown_with_its_dates_and_hours(tollbook: Command) -> None:
    """By any name a log may have for it; what has no price ends with 2 and says what to do."""
    (model,) = tollbook("--json", "prices", "show", "deepseek/deepseek-v4-flash").document["models"]
    assert model["provider"] == "deepseek"
    assert {"2026-08-17T00:00:00Z"} <= {period["effective_from"] for period in model["prices"]}
    assert "01:00-04:00" in tollbook("prices", "show", "deepseek-v4-flash").out
    assert "0.018 per image 512x512" in tollbook("prices", "show", "dall-e-2", "--provider", "azure").out
    unknown = tollbook("prices", "show", "gpt-99")
    assert (unknown.code, "[[alias]]" in unknown.err) == (2, True)


def test_refresh_writes_a_table_that_the_next_run_uses(tollbook: Command) -> None:
    """The release's own version changes nothing; an edited line of the table is a change of that model."""
    pytest.importorskip("genai_prices")
    first = tollbook("--json", "prices", "refresh").document
    assert first["models"] > 2_000
    table = tollbook.root / "prices/provider_prices.jsonl"
    text = table.read_text(encoding="utf-8")
    table.write_text(text.replace('"input_tokens":"2.5"', '"input_tokens":"2.75"'), encoding="utf-8")
    changed = tollbook("--json", "prices", "refresh").document["changed"]
    assert {"provider": "openai", "model": "gpt-4o"} in changed
    prices = tollbook("--json", "prices", "show", "gpt-4o").document["models"][0]["prices"]
    starts = {period["effective_from"] for period in prices if period["variant"] == "standard"}
    assert starts == {None, "2026-09-05T06:00:00Z"}


def test_a_broken_table_is_named_with_its_line(tollbook: Command) -> None:
    """Nothing is billed by half a table."""
    tollbook("prices", "refresh")
    table = tollbook.root / "prices/provider_prices.jsonl"
    table.write_text("\n".join(table.read_text(encoding="utf-8").splitlines()[:5]) + '\n{"model"', encoding="utf-8")
    shown = tollbook("prices", "show", "gpt-4o")
    assert shown.code == 2
    assert "prices/provider_prices.jsonl, line 6" in shown.err
