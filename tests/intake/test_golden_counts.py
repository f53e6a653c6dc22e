"""Provider responses from another project's test suite: every count is theirs, exactly.

Built-in profiles read the providers that they are for, the others are read by the user profiles of the documentation.
What has no column of its own in the books (text and video tokens, searches) is part of its parent.
"""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pipelines.intake.profiles import Profile, load_profile, parse_profile

if TYPE_CHECKING:
    from tests.intake.world import World

ROOT = Path(__file__).parents[2]
CASES: list[dict[str, Any]] = json.loads((ROOT / "tests/fixtures/golden/usage_and_prices.json").read_text("utf-8"))[
    "cases"
]
COUNTED = [case for case in CASES if "response" in case["inputs"]]
PROFILES = {
    ("anthropic", "default"): "anthropic_messages",
    ("google", "anthropic"): "anthropic_messages",
    ("google", "default"): "gemini_generate_content",
    ("openai", "chat"): "openai_chat_completions",
    ("openai", "embeddings"): "openai_chat_completions",
    ("openai", "responses"): "openai_responses",
    ("openai", "images"): "openai_images",
    ("aws", "default"): "bedrock_converse",
    ("cohere", "default"): "cohere_chat",
    ("cohere", "tokens"): "cohere_tokens",
    ("x-ai", "default"): "xai_chat",
    ("x-ai", "chat"): "xai_chat",
}
"""The others answer in the shape of chat completions."""
BUILT_IN = ("anthropic_messages", "gemini_generate_content")
COLUMNS = {
    "input_tokens": "input_tokens",
    "output_tokens": "output_tokens",
    "cache_read_tokens": "cache_read_tokens",
    "cache_write_tokens": "cache_write_5m_tokens + cache_write_1h_tokens",
    "cache_write_1h_tokens": "cache_write_1h_tokens",
    "output_reasoning_tokens": "reasoning_tokens",
    "input_audio_tokens": "audio_input_tokens",
    "output_audio_tokens": "audio_output_tokens",
    "input_image_tokens": "image_input_tokens",
    "output_image_tokens": "image_output_tokens",
}
REFUSED = {"gp-0022": {"cache_read_tokens": 37}}
"""More was read from the cache than came in: the count is kept with the held line, the call is not priced."""


def profile_name(case: dict[str, Any]) -> str:
    """Who reads a case."""
    return PROFILES.get((case["inputs"]["provider"], case["inputs"]["api_flavor"]), "openai_compatible")


def profile(name: str) -> Profile:
    """A built-in profile, or one of the documentation."""
    own = ROOT / "docs" / "examples" / "profiles" / f"{name}.toml"
    return parse_profile(own.read_text("utf-8"), own.name) if own.is_file() else load_profile(name, None)


def envelope(case: dict[str, Any]) -> str:
    """The response as an app logs it."""
    images = case["inputs"]["api_flavor"] == "images"
    record = {
        "event_id": case["id"],
        "logged_at": "2026-10-05T09:00:00Z",
        "user_id": "u1",
        "provider": case["inputs"]["provider"],
        "status": 200,
        "request": {"model": "gpt-image-1"} if images else {},
        "response": case["inputs"]["response"] | ({"data": [{}]} if images else {}),
    }
    return json.dumps(record)


@pytest.mark.parametrize("name", sorted({profile_name(case) for case in COUNTED}))
def test_counts_are_exact(world: World, name: str) -> None:
    """Every count that the books have a column for, and 0 in every column that is not given."""
    mine = [case for case in COUNTED if profile_name(case) == name]
    world.add("golden.jsonl", "\n".join(envelope(case) for case in mine), profile(name))
    world.read()
    figures = ", ".join(f"({sql}) AS {key}" for key, sql in COLUMNS.items())
    rows = world.rows(f"SELECT disposition, reason, model, {figures} FROM classified_usage ORDER BY line_no")
    assert len(rows) == len(mine)
    for case, (fate, reason, model, *counts) in zip(mine, rows, strict=True):
        wanted = case["expected"]
        if wanted.get("error") or case["id"] in REFUSED:
            assert (fate, reason) in {("quarantined", "invalid_integer"), ("quarantined", "missing_usage")}, case["id"]
            continue
        assert fate == "accepted", (case["id"], reason)
        given = {key: wanted["usage"].get(key, 0) for key in COLUMNS}
        assert dict(zip(COLUMNS, counts, strict=True)) == given, case["id"]
        assert wanted["model"] in (model, None)


def test_counts_of_a_refused_call_are_kept(world: World) -> None:
    """A held line keeps what could be read of it."""
    for case_id, counts in REFUSED.items():
        (case,) = (case for case in COUNTED if case["id"] == case_id)
        world.add("golden.jsonl", envelope(case), profile(profile_name(case)))
        world.read()
        ((parsed,),) = world.rows("SELECT parsed FROM quarantined_records")
        assert {key: json.loads(parsed)[key] for key in counts} == counts


def test_every_provider_is_read() -> None:
    """No case with a response is left out, and the built-in profiles read most of them."""
    by_profile: dict[str, int] = defaultdict(int)
    for case in COUNTED:
        by_profile[profile_name(case)] += 1
    assert sum(by_profile.values()) == len(COUNTED) == 131
    assert all(by_profile[name] >= 20 for name in BUILT_IN)
