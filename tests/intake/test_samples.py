"""The sample logs, line by line, against what is expected of them."""

from __future__ import annotations

import csv
import io
import json
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from datetime import date
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pipelines.intake.profiles import load_profile
from tests.intake.world import World, open_books

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HERE = Path(__file__).parents[1] / "fixtures" / "samples"
SHARED = Path(__file__).parents[3] / "shared" / "samples"
FOLDERS = [
    pytest.param(HERE, id="fixtures"),
    *([pytest.param(SHARED, id="shared", marks=pytest.mark.slow)] if SHARED.is_dir() else []),
]
ACCEPTED = {
    "ok", "ok_part", "image", "error_unbilled", "error_with_partial_usage_policy", "gateway_cache_hit_policy",
    "ok_cancelled_policy", "account", "credit",
}  # fmt: skip
IGNORED = {"ignored", "ignored_agent_rollup", "ignored_not_llm", "ignored_not_generation", "aggregate_recon_only"}
QUARANTINED = {"malformed", "quarantine"}
REASONS = {"no records": "no_records", "usage": "app_usage_row"}
OTHER_INPUTS = ("convex_token_accounts", "convex_token_transactions")
FORMATS = sorted(path.stem for path in HERE.glob("[a-z]*.jsonl") if path.stem not in OTHER_INPUTS)
COLUMN_OF = {
    "customer": "account_id", "model": "model", "input_total": "input_tokens", "output_total": "output_tokens",
    "cache_read": "cache_read_tokens", "cache_write_1h": "cache_write_1h_tokens", "reasoning": "reasoning_tokens",
    "images": "image_count", "size": "image_size", "quality": "image_quality", "billable": "reported_billable_tokens",
    "cache_write": "cache_write_5m_tokens + cache_write_1h_tokens",
}  # fmt: skip
COLUMN_OF_BUCKET = {"input_total": "input_tokens"}


def expected(folder: Path, name: str) -> list[dict[str, Any]]:
    """The expectations of one sample file in line order."""
    rows = [json.loads(line) for line in (folder / "_expected.jsonl").read_text("utf-8").splitlines()]
    return [row for row in rows if row["format"] == name]


def disposition(word: str) -> str:
    """The books' word for a sample's."""
    if word in ACCEPTED:
        return "accepted"
    return "quarantined" if word in QUARANTINED else "ignored" if word in IGNORED else word


def march(world: World) -> World:
    """The world on the day of the samples."""
    world.context = replace(world.context, billing_date=date(2026, 3, 18), start=date(2026, 3, 1))
    return world


@dataclass(frozen=True)
class Samples:
    """Every sample of a folder, read in one posting; each format is a source of its own."""

    world: World

    def records(self, name: str) -> list[dict[str, Any]]:
        """Every record of a sample file as it was classified, in order."""
        kind = load_profile(name, None).kind
        figures = COLUMN_OF if kind == "usage" else COLUMN_OF_BUCKET
        columns = ["line_no", "record_no", "disposition", "reason", *figures.values()]
        columns += ["success", "gateway_cache_hit"] if kind == "usage" else []
        own = f"file_id = {FORMATS.index(name) + 1}"
        rows = self.world.rows(f"SELECT {', '.join(columns)} FROM classified_{kind} WHERE {own} ORDER BY row_id")
        names = ["line_no", "record_no", "disposition", "reason", *figures, "success", "gateway_cache_hit"]
        return [dict(zip(names, row, strict=False)) for row in rows]

    def tiers(self, name: str) -> dict[str, int]:
        """How many records of a sample file name each service tier."""
        return dict(
            self.world.rows(
                "SELECT service_tier, count(*) FROM classified_usage"
                f" WHERE source = '{name}' AND service_tier IS NOT NULL GROUP BY 1"
            )
        )


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[Path], Samples]]:
    """The samples of a folder, read when they are first asked for."""
    with ExitStack() as stack:

        @cache
        def read(folder: Path) -> Samples:
            root = tmp_path_factory.mktemp("samples")
            world = march(World(root / "in", stack.enter_context(closing(open_books(root / "warehouse.duckdb")))))
            for name in FORMATS:
                world.add("usage.jsonl", (folder / f"{name}.jsonl").read_bytes(), load_profile(name, None), name)
            world.read()
            return Samples(world)

        yield read


TIERS = {
    "openai_chat_completions": {"standard": 3},
    "openai_responses": {"standard": 4},
    "anthropic_messages": {"standard": 5},
}


@pytest.mark.parametrize("name", [name for name in FORMATS if load_profile(name, None).kind == "usage"])
def test_a_service_tier_is_what_a_sample_says_and_never_guessed(samples: Callable[[Path], Samples], name: str) -> None:
    """The provider's `default` is the standard tier; a line that says nothing of it has none."""
    assert samples(HERE).tiers(name) == TIERS.get(name, {})


STATED: dict[str, tuple[list[str | int], Any, str]] = {
    "openai_chat_completions": (["response", "service_tier"], "flex", "flex"),
    "openai_responses": (["service_tier"], "batch", "batch"),
    "anthropic_messages": (["response", "usage", "service_tier"], "priority", "priority"),
    "gemini_generate_content": (["response", "usageMetadata", "trafficType"], "ON_DEMAND_PRIORITY", "priority"),
    "litellm_standard_logging": (["model_parameters", "service_tier"], "auto", "auto"),
    "litellm_spendlogs": (["metadata", "usage_object", "service_tier"], "Scale", "scale"),
    "cloudevents_openmeter": (["data", "service_tier"], "flex", "flex"),
    "otlp_genai_spans": (
        ["resourceSpans", 0, "scopeSpans", 0, "spans", 0, "attributes", 0],
        {"key": "openai.response.service_tier", "value": {"stringValue": "default"}},
        "standard",
    ),
}


def test_each_format_says_its_tier_in_its_own_place(world: World) -> None:
    """In lower case, by the one word there is for it; a word that nobody knows stays what it is."""
    march(world)
    for name, (path, word, _) in STATED.items():
        record = json.loads((HERE / f"{name}.jsonl").read_text("utf-8").splitlines()[0])
        place = record
        for key in path[:-1]:
            place = place.setdefault(key, {}) if isinstance(place, dict) else place[key]
        if isinstance(place, list):
            place.append(word)
        else:
            place[path[-1]] = word
        world.add("usage.jsonl", json.dumps(record).encode(), load_profile(name, None), name)
    world.read()
    firsts = world.rows("SELECT source, arg_min(service_tier, row_id) FROM classified_usage GROUP BY source")
    assert dict(firsts) == {name: tier for name, (_, _, tier) in STATED.items()}


@pytest.mark.parametrize("folder", FOLDERS)
@pytest.mark.parametrize("name", FORMATS)
def test_usage_samples_become_what_is_expected(samples: Callable[[Path], Samples], folder: Path, name: str) -> None:
    """Disposition, reason and every given figure of each line; a line of several records has one disposition."""
    records = samples(folder).records(name)
    wanted = {row["line"]: row for row in expected(folder, name)}
    assert {record["line_no"] for record in records} == wanted.keys()
    for record in records:
        want = wanted[record["line_no"]]
        assert record["disposition"] == disposition(want["disposition"]), want
        if "reason" in want:
            assert record["reason"] == REASONS.get(want["reason"], want["reason"])
        if record["record_no"] == 1 and record["disposition"] != "duplicate":
            given = {key: want[key] for key in want if key in record and key not in ("disposition", "reason")}
            assert {key: record[key] for key in given} == given, want
        if disposition(want["disposition"]) == "accepted":
            assert record["success"] is (not want["disposition"].startswith("error_"))
            assert record["gateway_cache_hit"] is (want["disposition"] == "gateway_cache_hit_policy")


@pytest.mark.parametrize("name", ["litellm_spendlogs", "langfuse_observations"])
def test_tables_exported_as_csv_give_the_same_counts(world: World, name: str) -> None:
    """Objects are JSON texts in their cells, numbers are texts, absent values are empty."""
    records = [
        json.loads(line)
        for line, want in zip((HERE / f"{name}.jsonl").read_bytes().splitlines(), expected(HERE, name), strict=True)
        if disposition(want["disposition"]) != "quarantined"
    ]
    table = io.StringIO()
    writer = csv.DictWriter(table, list(records[0]))
    writer.writeheader()
    for record in records:
        writer.writerow({key: json.dumps(value) if isinstance(value, dict) else value for key, value in record.items()})
    march(world)
    for source, file, data in (
        ("lines", "x.jsonl", "\n".join(json.dumps(record) for record in records)),
        ("table", "x.csv", table.getvalue()),
    ):
        world.add(file, data, load_profile(name, None), source)
    world.read()
    figures = f"disposition, reason, {', '.join(COLUMN_OF.values())}, success, operation_type, reported_cost_nanousd"
    lines, cells = (
        world.rows(f"SELECT {figures} FROM classified_usage WHERE source = '{source}' ORDER BY line_no")
        for source in ("lines", "table")
    )
    assert lines == cells
    assert len(lines) == len(records)


def test_every_built_in_usage_format_has_a_sample() -> None:
    """A new built-in profile brings its sample; our own plain columns are the only one without."""
    folder = Path(__file__).parents[2] / "pipelines" / "intake" / "profiles"
    assert {path.stem for path in folder.glob("*.toml")} - set(FORMATS) == {"accounts", "credits", "tollbook"}


@pytest.mark.parametrize("folder", FOLDERS)
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
    bonus = {
        "account_id": "a", "transaction_type": "bonus", "token_amount": 5, "occurred_at": "2026-10-01T00:00:00Z",
    }  # fmt: skip
    lines = [bonus | {"credit_id": "c1", "welcome": True}, bonus | {"credit_id": "c2"}]
    world.add("c.jsonl", "\n".join(json.dumps(line) for line in lines), load_profile("credits", None))
    world.read()
    assert [fate[2:] for fate in world.fates("credits")] == [("ignored", "welcome_in_books"), ("accepted", None)]
