"""Two real traces without ids: every line is a call, equal twins too."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pytest

from tests.real_logs import support

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def azure(shared_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> support.Billed:
    """The Azure trace, Parquet as published."""
    for name in ("azure_llm_2023_conv.parquet", "azure_llm_2023_code.parquet"):
        support.trace(shared_dir, name)
    root = support.new_books("azure", tmp_path_factory.mktemp("azure") / "books")
    support.prepare().azure(shared_dir / "data", root / "usage")
    return support.bill(root, [date(2023, 11, 17)])


@pytest.fixture(scope="module")
def mooncake(shared_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> support.Billed:
    """The Mooncake trace, as JSON lines."""
    support.trace(shared_dir, "mooncake_fast25_conversation.parquet")
    root = support.new_books("mooncake", tmp_path_factory.mktemp("mooncake") / "books")
    support.prepare().mooncake(shared_dir / "data", root / "usage")
    return support.bill(root, [date(2026, 9, 1)])


def test_azure_calls_are_billed_as_recomputed(azure: support.Billed, shared_dir: Path) -> None:
    """28,185 calls; tokens, billed tokens and the balance equal plain SQL over the two Parquet files."""
    calls = (
        "SELECT context_tokens AS input_tokens, generated_tokens AS output_tokens "
        f"FROM '{shared_dir}/data/azure_llm_2023_co*.parquet'"
    )
    ((count, tokens_in, tokens_out, billed),) = support.recomputed(
        "SELECT count(*), sum(input_tokens)::BIGINT, sum(output_tokens)::BIGINT, "
        f"sum({support.BILLED})::BIGINT FROM ({calls})"
    )
    assert azure.seven() == {"received": 28_185, "accepted": 28_185}
    assert count == 28_185
    assert azure.tokens() == (tokens_in, tokens_out)
    assert azure.counts["tokens_billed"] == billed == 67_141_663
    assert azure.balances() == {"azure-trace": support.WELCOME - billed}


def test_azure_times_keep_their_microseconds(azure: support.Billed, shared_dir: Path) -> None:
    """A time without zone is read as UTC, because the profile says so; finer digits are cut."""
    query = "SELECT min({0}), max({0}), sum({0})::HUGEINT FROM {1}"
    expected = support.recomputed(
        query.format("epoch_us(timestamp::TIMESTAMP)", f"'{shared_dir}/data/azure_llm_2023_co*.parquet'")
    )
    assert azure.rows(query.format("epoch_us(occurred_at)", "books.token_usage")) == expected


def test_mooncake_calls_are_billed_as_recomputed(mooncake: support.Billed, shared_dir: Path) -> None:
    """12,031 requests; tokens, billed tokens and the balance equal plain SQL over the Parquet file."""
    calls = (
        "SELECT input_length AS input_tokens, output_length AS output_tokens "
        f"FROM '{shared_dir}/data/mooncake_fast25_conversation.parquet'"
    )
    ((tokens_in, tokens_out, billed),) = support.recomputed(
        f"SELECT sum(input_tokens)::BIGINT, sum(output_tokens)::BIGINT, sum({support.BILLED})::BIGINT FROM ({calls})"
    )
    assert mooncake.seven() == {"received": 12_031, "accepted": 12_031}
    assert mooncake.tokens() == (tokens_in, tokens_out)
    assert mooncake.counts["tokens_billed"] == billed == 223_376_815
    assert mooncake.balances() == {"mooncake-trace": support.WELCOME - billed}


def test_twin_rows_are_two_calls(mooncake: support.Billed, shared_dir: Path) -> None:
    """One request stands twice in the trace, equal in every column, and is billed twice."""
    twins = support.recomputed(
        f"""SELECT timestamp, input_length, output_length FROM '{shared_dir}/data/mooncake_fast25_conversation.parquet'
        GROUP BY timestamp, input_length, output_length, hash_ids HAVING count(*) > 1"""
    )
    ((offset, tokens_in, tokens_out),) = twins
    ((first,),) = support.recomputed("SELECT epoch_ms(TIMESTAMP '2026-09-01')")
    found = mooncake.rows(
        f"""SELECT count(DISTINCT usage_id) FROM books.token_usage WHERE epoch_ms(occurred_at) = {first + offset}
        AND input_tokens = {tokens_in} AND output_tokens = {tokens_out}"""
    )
    assert found == [(2,)]
