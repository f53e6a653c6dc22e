"""Requests sampled from real per-client rates: a part of them on every run, all 2,078,078 in the longer suite."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path

import pytest

from tests.real_logs import support

DAY = date(2026, 9, 14)
SAMPLE = "request_no % 20 = 7 AND request_no < 2000000"  # 100,000 of them


@pytest.fixture(scope="module")
def trace(shared_dir: Path) -> Path:
    """The sampled requests as Parquet."""
    return support.trace(shared_dir, "servegen_sampled_requests.parquet")


@pytest.fixture(scope="module")
def lines(trace: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """100,000 requests as JSON lines."""
    folder = tmp_path_factory.mktemp("lines") / "usage"
    support.prepare().servegen(trace.parent, folder, SAMPLE)
    (path,) = folder.iterdir()
    return path.read_text(encoding="utf-8").splitlines(keepends=True)


@pytest.fixture(scope="module")
def whole(lines: list[str], tmp_path_factory: pytest.TempPathFactory) -> support.Billed:
    """The sample billed from one file in one posting."""
    root = support.new_books("servegen", tmp_path_factory.mktemp("whole") / "books")
    _deliver(root, DAY, "all", lines)
    return support.bill(root, [DAY])


def _deliver(root: Path, day: date, name: str, lines: list[str]) -> None:
    path = root / "usage" / day.isoformat() / f"{name}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(lines), encoding="utf-8")


def _expected(trace: Path, where: str) -> tuple[dict[str, int], tuple[int, int], int]:
    """Balances, tokens in and out and tokens billed, by plain SQL over the Parquet file."""
    balances = support.recomputed(
        f"SELECT 'c' || client, ({support.WELCOME} - sum({support.BILLED}))::BIGINT FROM '{trace}' WHERE {where} "
        "GROUP BY client"
    )
    ((tokens_in, tokens_out, billed),) = support.recomputed(
        "SELECT sum(input_tokens)::BIGINT, sum(output_tokens)::BIGINT, "
        f"sum({support.BILLED})::BIGINT FROM '{trace}' WHERE {where}"
    )
    return dict(balances), (tokens_in, tokens_out), billed


@pytest.mark.slow
def test_sampled_requests_are_billed_as_recomputed(whole: support.Billed, trace: Path) -> None:
    """100,000 requests; every balance equals plain SQL over the Parquet file."""
    balances, tokens, billed = _expected(trace, SAMPLE)
    assert whole.seven() == {"received": 100_000, "accepted": 100_000}
    assert whole.balances() == balances
    assert whole.tokens() == tokens
    assert whole.counts["tokens_billed"] == billed


def test_images_of_a_prompt_are_not_images_made(whole: support.Billed) -> None:
    """The trace's image_count is not mapped: no call counts an image."""
    assert whole.rows("SELECT sum(image_count)::BIGINT FROM books.token_usage") == [(0,)]


@pytest.mark.slow
def test_shuffled_split_repeated_and_dated_otherwise_the_content_is_the_same(
    whole: support.Billed, lines: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The same lines in random order, in six files over three dates, a tenth of them twice: one content_hash."""
    root = support.new_books("servegen", tmp_path_factory.mktemp("shuffled") / "books")
    seeded = random.Random(20260914)
    shuffled = seeded.sample(lines, len(lines))
    size = -(-len(shuffled) // 6)
    for part in range(6):
        piece = shuffled[part * size : (part + 1) * size]
        extra = seeded.sample(shuffled, len(shuffled) // 60) if part else []
        _deliver(root, DAY + timedelta(days=part // 2), f"part-{part}", piece + extra)
    billed = support.bill(root, [DAY, DAY + timedelta(days=1), DAY + timedelta(days=2)])
    assert billed.counts["accepted"] == 100_000
    assert billed.counts["duplicate"] == billed.counts["received"] - 100_000 > 0
    assert billed.balances() == whole.balances()
    assert billed.content == whole.content


_RUN = """
import json, resource, sys
from datetime import date
from pathlib import Path
from tests.real_logs import support
billed = support.bill(Path(sys.argv[1]), [date.fromisoformat(sys.argv[2])])
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps([dict(billed.counts), billed.content, str(billed.published), peak]))
"""


def _in_a_process_of_its_own(root: Path) -> tuple[support.Billed, int]:
    """Bill in a child process; also its peak memory in bytes."""
    found = subprocess.run(
        [sys.executable, "-c", _RUN, str(root), DAY.isoformat()],
        cwd=Path(__file__).resolve().parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    counts, content, published, peak = json.loads(found.stdout)
    return support.Billed(counts, content, Path(published)), peak * (1 if sys.platform == "darwin" else 1024)


@pytest.mark.large
def test_all_requests_stay_under_three_gigabytes_and_equal_the_recomputation(trace: Path, tmp_path: Path) -> None:
    """2,078,078 requests in one posting and published; the other way round in four files: the same content."""
    root = support.new_books("servegen", tmp_path / "books")
    support.prepare().servegen(trace.parent, root / "usage")
    billed, peak = _in_a_process_of_its_own(root)
    balances, tokens, tokens_billed = _expected(trace, "true")
    assert billed.seven() == {"received": 2_078_078, "accepted": 2_078_078}
    assert billed.balances() == balances
    assert billed.tokens() == tokens
    assert billed.counts["tokens_billed"] == tokens_billed
    assert peak < 3 * 1024**3

    backwards = support.new_books("servegen", tmp_path / "backwards")
    with (root / "usage" / f"{DAY}.jsonl").open(encoding="utf-8") as file:
        reversed_lines = file.readlines()[::-1]
    for part in range(4):
        size = -(-len(reversed_lines) // 4)
        _deliver(backwards, DAY, f"part-{part}", reversed_lines[part * size : (part + 1) * size])
    again, _ = _in_a_process_of_its_own(backwards)
    assert again.content == billed.content
