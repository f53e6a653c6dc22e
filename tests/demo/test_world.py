"""The demo's world: the same every time, and its plan is what an independent reader finds in the files."""

from __future__ import annotations

import gzip
import hashlib
import json
import tomllib
from dataclasses import asdict
from fractions import Fraction
from typing import TYPE_CHECKING

import pytest

from billing_core.errors import ConfigurationError
from pipelines.demo import Plan, is_demo_folder, write_world
from pipelines.demo import packages as demo_packages
from pipelines.demo import prices as demo_prices
from tests.demo.independent_reader import read_world

if TYPE_CHECKING:
    from pathlib import Path


def _tree(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            digest.update(f"{path.relative_to(folder)}:{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Plan]:
    """The default demo."""
    folder = tmp_path_factory.mktemp("demo")
    return folder, write_world(folder)


def test_same_seed_gives_the_same_bytes_and_plan(world: tuple[Path, Plan], tmp_path: Path) -> None:
    """Two demos of one seed are equal byte for byte, wherever they are written."""
    folder, plan = world
    assert write_world(tmp_path / "again") == plan
    assert _tree(tmp_path / "again") == _tree(folder)


def test_another_seed_gives_another_world(world: tuple[Path, Plan], tmp_path: Path) -> None:
    """The seed changes the calls, not the number of planted faults."""
    folder, plan = world
    other = write_world(tmp_path / "other", seed=2)
    assert _tree(tmp_path / "other") != _tree(folder)
    assert other.billable_tokens != plan.billable_tokens
    fixed = ("received", "duplicate", "conflict", "ignored", "blank", "late_events", "suspended_accounts", "accounts")
    assert [getattr(other, name) for name in fixed] == [getattr(plan, name) for name in fixed]
    assert other.quarantined == plan.quarantined


@pytest.mark.parametrize(("seed", "rows"), [(1, 5_000), (7, 1), (3, 20_011)])
def test_plan_is_what_an_independent_reader_finds(tmp_path: Path, seed: int, rows: int) -> None:
    """Lines, reasons, calls, tokens, expiry and every balance equal a second computation over the files."""
    plan, seen = write_world(tmp_path, seed=seed, rows=rows), read_world(tmp_path)
    assert seen.files == {
        "taken": plan.files_taken,
        "duplicate": plan.duplicate_files,
        "unsigned": plan.unsigned_files,
        "forged": plan.forged_files,
    }
    assert seen.lines == {
        "received": plan.received,
        "accepted": plan.accepted,
        "duplicate": plan.duplicate,
        "in file": plan.duplicates_in_file,
        "across files": plan.duplicates_across_files,
        "conflict": plan.conflict,
        "ignored": plan.ignored,
        "quarantined": sum(plan.quarantined.values()),
        "blank": plan.blank,
    }
    assert seen.reasons == plan.quarantined
    images = seen.calls["imagen-4.0-generate-001"] + seen.calls["gemini-2.5-flash-image"]
    assert plan.image_calls == {
        "dall_e_3": seen.calls["dall-e-3"],
        "dall_e_2": seen.calls["dall-e-2"],
        "google": images,
    }
    assert (plan.calls_before_change, plan.calls_after_change) == (seen.calls["3/2"], seen.calls["8/5"])
    assert (plan.failed_calls, plan.held_images, plan.late_events) == tuple(
        seen.calls[name] for name in ("failed", "held", "late")
    )
    assert plan.billable_tokens == sum(seen.usage.values())
    assert plan.expired_tokens == seen.expired
    assert plan.balances == seen.balances


def test_plan_is_consistent_in_itself(world: tuple[Path, Plan]) -> None:
    """Every line has one fate, every call one price, and the balances are what came in less what went out."""
    _, plan = world
    quarantined = sum(plan.quarantined.values())
    assert plan.received == plan.rows == 5_000
    assert plan.received == (
        plan.accepted + plan.duplicate + plan.superseded + plan.conflict + plan.ignored + quarantined + plan.blank
    )
    assert plan.duplicate == plan.duplicates_in_file + plan.duplicates_across_files
    text_calls = plan.calls_before_change + plan.calls_after_change
    assert plan.accepted == text_calls + plan.failed_calls + plan.held_images + sum(plan.image_calls.values())
    assert sum(plan.balances.values()) == (
        plan.credited_tokens + plan.welcome_tokens - plan.refunded_tokens - plan.expired_tokens - plan.billable_tokens
    )
    assert plan.suspended_accounts == sum(balance < 0 for balance in plan.balances.values()) == 2
    assert 0 < plan.expired_tokens < 5_000
    assert plan.credits_received == plan.credits_accepted + plan.credits_ignored


def test_fewer_rows_than_faults_still_plants_every_fault(tmp_path: Path) -> None:
    """A tiny demo holds the planted lines and one ordinary call a file."""
    plan = write_world(tmp_path, rows=1)
    assert plan.files_taken == 29
    assert 150 < plan.received < 300
    assert (plan.duplicate, plan.conflict, plan.late_events) == (21, 4, 15)


def test_billing_dates_stay_few(world: tuple[Path, Plan]) -> None:
    """A demo run bills few dates, as every posting costs time, all inside three months."""
    _, plan = world
    assert len(plan.billing_dates) == 16
    assert (plan.first_date, plan.last_date) == (plan.billing_dates[0], plan.billing_dates[-1])


def test_quarantined_lines_are_all_different(world: tuple[Path, Plan]) -> None:
    """No bad line repeats another of its log: a repeat would count as a duplicate."""
    bad_lines = read_world(world[0]).bad_lines
    assert len(set(bad_lines)) == len(bad_lines)


def test_plan_goes_through_json(world: tuple[Path, Plan]) -> None:
    """The plan holds plain values only."""
    figures = asdict(world[1])
    assert json.loads(json.dumps(figures)) == json.loads(json.dumps(figures)) | {"received": 5_000}


def test_no_trace_of_time_in_compressed_files(world: tuple[Path, Plan]) -> None:
    """A gzip header holds neither a name nor a time."""
    packed = sorted(world[0].rglob("*.gz"))
    assert packed
    for path in packed:
        assert path.read_bytes()[3:8] == b"\0\0\0\0\0"
        assert gzip.decompress(path.read_bytes())


def test_templates_say_what_the_generator_reckons_with(world: tuple[Path, Plan]) -> None:
    """rates.toml and packages.toml hold the very figures of the independent computation."""
    before, after = tomllib.loads((world[0] / "rates.toml").read_text())["settings"]
    assert Fraction(before["default_token_multiplier"]) == demo_prices.MULTIPLIER_BEFORE
    assert Fraction(after["default_token_multiplier"]) == demo_prices.MULTIPLIER_AFTER
    assert int(after["effective_from"].timestamp()) * 1_000 == demo_prices.CHANGE_MS
    for settings in (before, after):
        assert settings["new_user_bonus_tokens"] == demo_prices.WELCOME_TOKENS
        for family, cost in demo_prices.IMAGE_COSTS.items():
            assert settings[f"image_generation_cost_{family}"] == cost
    packages = tomllib.loads((world[0] / "packages.toml").read_text())["package"]
    assert [
        demo_packages.Package(
            row["package_id"],
            row["package_name"],
            row["token_amount"],
            {"usd": row["price_cents"], "eur": row["price_eur"], "gbp": row["price_gbp"]},
        )
        for row in packages
    ] == list(demo_packages.PACKAGES)


def test_credits_hold_each_planted_row(world: tuple[Path, Plan]) -> None:
    """A refund that names its payment, a grant, a bonus and one that expires, and the app's own usage rows."""
    rows = [json.loads(line) for path in (world[0] / "credits").iterdir() for line in path.read_text().splitlines()]
    by_type: dict[str, list[dict[str, object]]] = {}
    for row in rows:
        by_type.setdefault(row["transaction_type"], []).append(row)
    assert {name: len(found) for name, found in by_type.items() if name != "purchase"} == {
        "refund": 1,
        "admin_grant": 1,
        "bonus": 2,
        "usage": 4,
    }
    payments = [row["stripe_payment_intent_id"] for row in by_type["purchase"]]
    assert len(payments) == world[1].purchases
    assert len(set(payments)) == len(payments) - 1, "one payment is credited twice"
    assert by_type["refund"][0]["stripe_payment_intent_id"] in payments
    assert len({row["credit_id"] for row in rows}) == len(rows)


def test_demo_replaces_itself_and_keeps_what_is_not_its_own(tmp_path: Path) -> None:
    """Running again over a demo removes its books and their warehouse, not a stranger's file."""
    write_world(tmp_path, rows=1)
    (tmp_path / "warehouse").mkdir()
    (tmp_path / "warehouse" / "books.duckdb").write_bytes(b"old")
    (tmp_path / "notes.txt").write_text("mine")
    write_world(tmp_path, rows=1, seed=2)
    assert is_demo_folder(tmp_path)
    assert not (tmp_path / "warehouse").exists()
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_demo_never_follows_a_link_out_of_its_folder(tmp_path: Path) -> None:
    """A demo whose warehouse is a link loses the link; what it points at stays."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept.txt").write_text("kept")
    write_world(tmp_path / "demo", rows=1)
    (tmp_path / "demo" / "warehouse").symlink_to(outside)
    write_world(tmp_path / "demo", rows=1)
    assert (outside / "kept.txt").read_text() == "kept"
    assert not (tmp_path / "demo" / "warehouse").exists()


def test_demo_refuses_a_folder_that_is_not_a_demo(tmp_path: Path) -> None:
    """A folder with anything else in it is refused and left as it was."""
    (tmp_path / "tollbook.toml").write_text("[books]")
    assert not is_demo_folder(tmp_path)
    with pytest.raises(ConfigurationError, match=r"is not empty and is not a demo .*--dir"):
        write_world(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["tollbook.toml"]


def test_demo_refuses_a_file_as_its_folder(tmp_path: Path) -> None:
    """A file in the folder's place is refused and kept."""
    (tmp_path / "demo").write_text("mine")
    with pytest.raises(ConfigurationError, match="is a file"):
        write_world(tmp_path / "demo")


@pytest.mark.parametrize(("seed", "rows"), [(1, 0), (1, -5), (1, 5_000_001), (-1, 10)])
def test_demo_refuses_sizes_it_cannot_write(tmp_path: Path, seed: int, rows: int) -> None:
    """Rows and seed outside their range are refused before anything is written."""
    with pytest.raises(ConfigurationError, match="must be"):
        write_world(tmp_path / "demo", seed=seed, rows=rows)
    assert not (tmp_path / "demo").exists()
