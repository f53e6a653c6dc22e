"""The overlapping exports of Aider's analytics: 404 files that repeat 5,522 real calls 56,040 times."""

from __future__ import annotations

import gzip
from datetime import date
from typing import TYPE_CHECKING

import pytest

from tests.real_logs import support

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

LAST = date(2026, 4, 26)
CALLS = """
    SELECT json_extract_string(raw_json, '$.user_id') AS account_id,
        json_extract_string(raw_json, '$.properties.prompt_tokens')::BIGINT AS input_tokens,
        json_extract_string(raw_json, '$.properties.completion_tokens')::BIGINT AS output_tokens
    FROM (SELECT DISTINCT raw_json FROM '{trace}')
"""


@pytest.fixture(scope="module")
def trace(shared_dir: Path) -> Path:
    """The exports as Parquet."""
    return support.trace(shared_dir, "aider_message_send_raw_overlapping.parquet")


@pytest.fixture(scope="module")
def files(trace: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One .jsonl file per export."""
    folder = tmp_path_factory.mktemp("exports")
    support.prepare().aider(trace.parent, folder / "usage")
    return folder / "usage"


@pytest.fixture(scope="module")
def plain(files: Path, tmp_path_factory: pytest.TempPathFactory) -> support.Billed:
    """The exports billed as they are."""
    root = support.new_books("aider", tmp_path_factory.mktemp("plain") / "books")
    files.rename(root / "usage")
    billed = support.bill(root, [LAST])
    (root / "usage").rename(files)
    return billed


@pytest.fixture(scope="module")
def zipped(files: Path, plain: support.Billed, tmp_path_factory: pytest.TempPathFactory) -> support.Billed:
    """The exports as gzip writes them, name in the header: no two files have equal bytes, so every line is read."""
    root = support.new_books("aider", tmp_path_factory.mktemp("zipped") / "books")
    for path in files.rglob("*.jsonl"):
        target = root / "usage" / path.relative_to(files).with_suffix(".jsonl.gz")
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("wb") as file, gzip.GzipFile(path.name, "wb", 1, file, 0) as stream:
            stream.write(path.read_bytes())
    return support.bill(root, [LAST])


def test_every_line_of_every_export_is_accounted_for(zipped: support.Billed) -> None:
    """56,040 lines: 5,518 calls, 4 calls without a user, and the rest repeats."""
    assert zipped.seven() == {"received": 56_040, "accepted": 5_518, "duplicate": 50_518, "quarantined": 4}
    assert zipped.rows("SELECT reason, count(*) FROM audit.quarantine GROUP BY reason") == [("missing_account", 4)]
    assert zipped.tokens() == (72_939_898, 2_955_246)


def test_an_export_equal_to_another_is_not_read_again_but_its_lines_are_counted(
    plain: support.Billed, trace: Path
) -> None:
    """30 of the 404 exports repeat another byte by byte; each of their 3,377 lines is received, as a repeat."""
    ((equal_files, equal_lines),) = support.recomputed(
        f"""SELECT count(*), sum(lines) FROM (
            SELECT len(list(raw_json)) AS lines, row_number() OVER (PARTITION BY list(raw_json ORDER BY line_no)) AS nth
            FROM '{trace}' GROUP BY snapshot_blob) WHERE nth > 1"""
    )
    assert (equal_files, equal_lines) == (30, 3_377)
    assert plain.seven() == {"received": 56_040, "accepted": 5_518, "duplicate": 50_518, "quarantined": 4}
    assert plain.rows("SELECT outcome, count(*) FROM audit.usage_files GROUP BY outcome ORDER BY outcome") == [
        ("duplicate", 30),
        ("taken", 374),
    ]


def test_tokens_and_balances_equal_a_recomputation_from_the_source(
    plain: support.Billed, zipped: support.Billed, trace: Path
) -> None:
    """Plain SQL over the Parquet file: distinct lines, 1.5 tokens a token rounded up, less than was given at first."""
    calls = CALLS.format(trace=trace)
    balances = support.recomputed(
        f"SELECT account_id, ({support.WELCOME} - sum({support.BILLED}))::BIGINT FROM ({calls}) "
        "WHERE account_id IS NOT NULL GROUP BY account_id"
    )
    tokens = support.recomputed(
        f"SELECT sum(input_tokens)::BIGINT, sum(output_tokens)::BIGINT FROM ({calls}) WHERE account_id IS NOT NULL"
    )
    assert len(balances) == 5
    for billed in (plain, zipped):
        assert billed.balances() == dict(balances)
        assert [billed.tokens()] == tokens


def test_exports_packed_otherwise_give_the_same_content(plain: support.Billed, zipped: support.Billed) -> None:
    """Which of the equal lines was read first, and how its file was packed, is not part of the business."""
    assert plain.content == zipped.content


def test_real_costs_stay_exact(zipped: support.Billed, trace: Path) -> None:
    """The app's own cost of each call is kept to the nano-dollar, the outlier of 9,990 USD included."""
    cost = "regexp_extract(raw_json, '\"cost\": ([^,]+),', 1)::DECIMAL(38, 24)"
    expected = support.recomputed(
        f"""SELECT sum(nano)::BIGINT, max(nano) FROM (SELECT floor({cost} * 1000000000)::BIGINT AS nano
        FROM (SELECT DISTINCT raw_json FROM '{trace}') WHERE json_extract_string(raw_json, '$.user_id') IS NOT NULL)"""
    )
    ((_, largest),) = expected
    assert largest == 9_990_012_528_750
    assert (
        zipped.rows("SELECT sum(reported_cost_nanousd)::BIGINT, max(reported_cost_nanousd) FROM books.token_usage")
        == expected
    )


def test_the_call_of_ten_thousand_dollars_is_the_first_outlier(zipped: support.Billed) -> None:
    """10,033 tokens reported at 9,990.01 dollars. Most calls have a computed cost; every other one is counted."""
    worst = zipped.rows(
        "SELECT input_tokens, output_tokens, reported_cost_nanousd, finding FROM finance.cost_outliers"
        " ORDER BY difference_nanousd DESC LIMIT 1"
    )
    assert worst == [(10_023, 10, 9_990_012_528_750, "ten_times_above")]
    ((costed, uncosted),) = zipped.rows(
        "SELECT count(provider_cost_nanousd), count(*) FILTER (provider_cost_nanousd IS NULL) FROM books.token_usage"
    )
    assert costed + uncosted == 5_518
    assert zipped.rows("SELECT sum(calls) FROM finance.uncosted_calls") == [(uncosted,)]
    assert costed > 4_700
