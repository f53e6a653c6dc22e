"""The sample logs, line by line, against what is expected of them."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pipelines.intake.profiles import load_profile

if TYPE_CHECKING:
    from tests.intake.world import World

HERE = Path(__file__).parents[1] / "fixtures" / "samples"
SHARED = Path(__file__).parents[3] / "shared" / "samples"
FOLDERS = [HERE] + ([SHARED] if SHARED.is_dir() else [])
ACCEPTED = {"ok", "image", "error_unbilled", "account", "credit"}
QUARANTINED = {"malformed", "quarantine"}


def expected(folder: Path, name: str) -> list[dict[str, Any]]:
    """The expectations of one sample file in line order."""
    rows = [json.loads(line) for line in (folder / "_expected.jsonl").read_text("utf-8").splitlines()]
    return [row for row in rows if row["format"] == name]


def disposition(word: str) -> str:
    """The books' word for a sample's."""
    return "accepted" if word in ACCEPTED else "quarantined" if word in QUARANTINED else word


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.parent.name)
@pytest.mark.parametrize("name", ["convex_token_usage", "litellm_standard_logging"])
def test_usage_samples_become_what_is_expected(world: World, folder: Path, name: str) -> None:
    """Disposition and every given figure of each line."""
    world.context = replace(world.context, billing_date=date(2026, 3, 15), start=date(2026, 3, 1))
    world.add("usage.jsonl", (folder / f"{name}.jsonl").read_bytes(), load_profile(name, None), name)
    world.read()
    rows = world.rows(
        "SELECT disposition, account_id, input_tokens, output_tokens, cache_read_tokens, "
        "cache_write_5m_tokens, reasoning_tokens, "
        "image_count, image_size, image_quality, reported_billable_tokens, success FROM "
        "classified_usage ORDER BY row_id"
    )
    keys = (
        "customer",
        "input_total",
        "output_total",
        "cache_read",
        "cache_write",
        "reasoning",
        "images",
        "size",
        "quality",
        "billable",
    )
    wanted = expected(folder, name)
    assert len(rows) == len(wanted)
    for row, want in zip(rows, wanted, strict=True):
        assert row[0] == disposition(want["disposition"]), want
        for key, value in zip(keys, row[1:], strict=False):
            assert key not in want or value == want[key], (key, want)
        assert row[-1] or want["disposition"] == "error_unbilled"


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.parent.name)
def test_account_and_credit_samples_become_what_is_expected(world: World, folder: Path) -> None:
    """Accounts with the app's balance, credits with type and tokens; the app's usage rows are ignored."""
    world.context = replace(world.context, billing_date=date(2026, 3, 15), start=date(2026, 3, 1), books_welcome=False)
    for kind, name in (("credits", "convex_token_transactions"), ("accounts", "convex_token_accounts")):
        world.add("x.jsonl", (folder / f"{name}.jsonl").read_bytes(), load_profile(kind, None))
    world.read()
    accounts = world.rows("SELECT disposition, account_id, reported_balance FROM classified_accounts ORDER BY row_id")
    assert accounts == [
        ("accepted", want["account"], want["balance"]) for want in expected(folder, "convex_token_accounts")
    ]
    credits_ = world.rows("SELECT disposition, transaction_type, token_amount FROM classified_credits ORDER BY row_id")
    for row, want in zip(credits_, expected(folder, "convex_token_transactions"), strict=True):
        assert row[0] == disposition(want["disposition"])
        assert "tokens" not in want or row[1:] == (want["type"], want["tokens"])
    assert world.rows("SELECT count(*) FROM classified_credits WHERE is_welcome") == [(3,)]


def test_welcome_bonus_of_the_app_is_left_to_the_books(world: World) -> None:
    """Where the books grant it, the app's record is ignored; other bonuses post."""
    lines = [
        {
            "credit_id": "c1",
            "account_id": "a",
            "transaction_type": "bonus",
            "token_amount": 5,
            "occurred_at": "2026-10-01T00:00:00Z",
            "welcome": True,
        },
        {
            "credit_id": "c2",
            "account_id": "a",
            "transaction_type": "bonus",
            "token_amount": 5,
            "occurred_at": "2026-10-01T00:00:00Z",
        },
    ]
    world.add("c.jsonl", "\n".join(json.dumps(line) for line in lines), load_profile("credits", None))
    world.read()
    assert [fate[2:] for fate in world.fates("credits")] == [("ignored", "welcome_in_books"), ("accepted", None)]
