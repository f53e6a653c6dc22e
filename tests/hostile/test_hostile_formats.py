"""Hostile records of the formats with forms of their own: lists of pairs, sums, counts, buckets, streams."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from pipelines.intake.profiles import load_profile

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.intake.world import World

GOOD = ("accepted", None)


def held(reason: str) -> tuple[str, str]:
    """Quarantined for a reason."""
    return ("quarantined", reason)


def ignored(reason: str) -> tuple[str, str]:
    """Ignored for a reason."""
    return ("ignored", reason)


def pair(key: Any, value: Any) -> dict[str, Any]:
    """One attribute."""
    return {"key": key, "value": value}


ATTRIBUTES = [
    pair("gen_ai.operation.name", {"stringValue": "chat"}),
    pair("gen_ai.request.model", {"stringValue": "gpt-4o"}),
    pair("gen_ai.usage.input_tokens", {"intValue": "100"}),
    pair("gen_ai.usage.output_tokens", {"intValue": "20"}),
    pair("user.id", {"stringValue": "ada"}),
]


def span(*more: Any, drop: int = 0, **changes: Any) -> str:
    """A line with one good span, with more attributes and changed keys."""
    record = {
        "traceId": "5b8efff798038103d269b633813fc601",
        "spanId": "eee19b7ec3c1b101",
        "startTimeUnixNano": "1790000000000000000",
        "attributes": [*ATTRIBUTES[drop:], *more],
        "status": {},
    } | changes
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [record]}]}]})


def tokens(value: Any) -> str:
    """A span whose input tokens are an odd value."""
    return span(pair("gen_ai.usage.input_tokens", value)).replace(
        '{"key": "gen_ai.usage.input_tokens", "value": {"intValue": "100"}}, ', ""
    )


OTLP = {
    "good": (span(), GOOD),
    "whole number as a number": (tokens({"intValue": 100}), GOOD),
    "whole number that is no text of digits": (tokens({"intValue": "1e3"}), held("invalid_integer")),
    "fraction": (tokens({"doubleValue": 10.5}), held("invalid_integer")),
    "negative": (tokens({"intValue": "-1"}), held("negative_count")),
    "2^64": (tokens({"intValue": str(2**64)}), held("count_out_of_range")),
    "a list for a count": (tokens({"arrayValue": {"values": []}}), held("invalid_integer")),
    "an empty value": (tokens({}), held("invalid_integer")),
    "a null value": (tokens(None), GOOD),
    "the same attribute twice": (span(pair("user.id", {"stringValue": "eve"})), held("duplicate_json_key")),
    "attributes that are no pairs": (span(5, "x", None, [], {"value": 1}, pair(None, 1), pair(7, 1)), GOOD),
    "attributes that are an object": (span(attributes={"user.id": "ada"}), ignored("not_a_leaf")),
    "attributes that are missing": (span(attributes=None), ignored("not_a_leaf")),
    "a key with quotes and braces": (span(pair('"},{"x":"', {"stringValue": '"}'})), GOOD),
    "a deep value": (span(pair("deep", json.loads("[" * 300 + "]" * 300))), GOOD),
    "a key of the profile's own name": (span(attr={"user.id": "eve"}), held("duplicate_json_key")),
    "upper-case ids": (span(traceId="5B8EFFF798038103D269B633813FC601"), GOOD),
    "no ids": (span(traceId=None), held("missing_id")),
    "a time in seconds": (span(startTimeUnixNano="1790000000"), held("time_out_of_range")),
    "a time that is no number": (span(startTimeUnixNano="noon"), held("invalid_time")),
    "other spans without a time": (span(drop=1, startTimeUnixNano=None), held("missing_time")),
    "no spans": ('{"resourceSpans": [{"scopeSpans": []}]}', ignored("no_records")),
    "another protocol": ('{"resourceMetrics": []}', held("missing_records")),
    "spans that are a text": ('{"resourceSpans": "x"}', held("missing_records")),
    "a span that is a number": ('{"resourceSpans": [{"scopeSpans": [{"spans": [1]}]}]}', held("not_an_object")),
}


def observation(**usage: Any) -> str:
    """A Langfuse row with these buckets."""
    row = {
        "id": "o1", "project_id": "p", "type": "GENERATION", "start_time": "2026-10-05 10:00:00.123",
        "updated_at": "2026-10-05 10:00:05", "user_id": "ada", "usage_details": usage, "level": "DEFAULT",
    }  # fmt: skip
    return json.dumps(row)


LANGFUSE = {
    "good": (observation(input=1, input_cached_tokens=2, output=3), GOOD),
    "a bucket that is null": (observation(input=1, input_x=None, output=3), GOOD),
    "a fraction": (observation(input=1, input_x=0.5, output=3), held("invalid_integer")),
    "a text": (observation(input=1, input_x="2", output=3), held("invalid_integer")),
    "a negative bucket": (observation(input=10, input_x=-2, output=3), held("negative_count")),
    "a sum beyond the bounds": (observation(input=10**12, input_x=1, output=3), held("count_out_of_range")),
    "a sum beyond 64 bits": (observation(input=9 * 10**18, input_x=9 * 10**18, output=1), held("count_out_of_range")),
    "a number beyond 128 bits": (observation(input=10**40, output=1), held("count_out_of_range")),
    "a bucket twice": (
        observation(input=1).replace('"input": 1', '"input": 1, "input": 9'),
        held("duplicate_json_key"),
    ),
    "no buckets": (observation(), held("missing_usage")),
    "buckets that are a list": (observation().replace("{}", "[1]"), held("missing_usage")),
    "buckets as a text": (observation().replace("{}", '"{\\"input\\": 5, \\"output\\": 1}"'), GOOD),
    "buckets as a broken text": (observation().replace("{}", '"{\\"input\\": 5,"'), held("missing_usage")),
    "buckets as a text of a list": (observation().replace("{}", '"[1]"'), held("missing_usage")),
    "a key with slashes and tildes": (observation(**{"input/~": 5, "input'\"": 6}, output=1), GOOD),
}

RESPONSE = {"event_id": "e1", "logged_at": "2026-10-05T10:00:00Z", "user_id": "ada", "request": {"model": "dall-e-3"}}


def images(**response: Any) -> str:
    """An image call whose response is odd."""
    return json.dumps(RESPONSE | {"status": 200, "response": response})


IMAGES = {
    "good": (images(data=[{}]), GOOD),
    "nothing delivered": (images(data=[]), held("image_count")),
    "no list": (images(data={"0": {}}), held("image_count")),
    "a status that is a text": (images(data=[{}]).replace("200", '"429"'), GOOD),
    "a status that is no number": (images(data=[{}]).replace("200", '"ok"'), GOOD),
    "no model": (images(data=[{}]).replace("dall-e-3", ""), held("missing_field")),
    "an error that is null": (images(data=[{}], error=None), GOOD),
}


def bucket(**changes: Any) -> str:
    """A line of a provider's report with one record."""
    record = {"object": "r", "model": "m", "input_tokens": 10, "output_tokens": 1, "batch": False} | changes
    return json.dumps({"object": "bucket", "start_time": 1790000000, "end_time": 1790086400, "results": [record]})


REPORTS = {
    "good": (bucket(), ignored("aggregate")),
    "a negative count": (bucket(input_tokens=-1), held("negative_count")),
    "a fraction": (bucket(input_tokens=1.5), held("invalid_integer")),
    "more cached than came in": (bucket(input_cached_tokens=11), held("inconsistent_usage")),
    "no figures": (bucket(input_tokens=None, output_tokens=None), held("missing_usage")),
    "a cost that is no number": (bucket(amount={"value": "free"}), held("invalid_money")),
    "a key of the profile's own name": (bucket(bucket={}), held("duplicate_json_key")),
    "control characters": (bucket(model="a\u0000b"), held("invalid_text")),
    "ends before it begins": (bucket().replace("1790086400", "1780000000"), held("time_out_of_range")),
    "no time": (bucket().replace("start_time", "start"), held("missing_time")),
    "an error message": ('{"type": "error"}', ignored("no_records")),
    "not json": ("{", held("invalid_json")),
}

FORMATS: dict[str, Mapping[str, tuple[str, tuple[str, str | None]]]] = {
    "otlp_genai_spans": OTLP,
    "langfuse_observations": LANGFUSE,
    "openai_images": IMAGES,
    "openai_org_usage": REPORTS,
}
CASES = [(name, case) for name, cases in FORMATS.items() for case in cases]


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] * (name == "langfuse_observations")) for name in FORMATS]
)
def test_each_line_has_one_fate(world: World, name: str) -> None:
    """Read one file per line, so that equal ids do not meet: each gets its disposition and reason."""
    world.context = replace(world.context, billing_date=date(2026, 10, 6), start=date(2026, 9, 1))
    profile = load_profile(name, None)
    for number, (line, _) in enumerate(FORMATS[name].values()):
        world.add("x.jsonl", line + "\n", profile, f"source{number}")
    world.read()
    rows = world.rows(f"SELECT file_id, disposition, reason FROM classified_{profile.kind} ORDER BY file_id")
    assert [row[0] for row in rows] == list(range(1, len(FORMATS[name]) + 1))
    found = dict(zip(FORMATS[name], (tuple(row[1:]) for row in rows), strict=True))
    assert found == {case: fate for case, (_, fate) in FORMATS[name].items()}


def test_neighbours_of_a_bad_record_are_untouched(world: World) -> None:
    """All hostile spans in one line: the good ones are accepted, the counts add up."""
    world.context = replace(world.context, billing_date=date(2026, 10, 6), start=date(2026, 9, 1))
    spans = []
    for number, (line, _) in enumerate(OTLP.values()):
        document = json.loads(line)
        found = document.get("resourceSpans")
        if isinstance(found, list) and found[0]["scopeSpans"]:
            spans += [
                one | {"spanId": f"{number:016x}"} if isinstance(one, dict) else one
                for one in found[0]["scopeSpans"][0]["spans"]
            ]
    good = sum(fate == GOOD for _, fate in OTLP.values())
    world.add(
        "x.jsonl",
        json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}),
        load_profile("otlp_genai_spans", None),
    )
    result = world.read()
    counts = dict(world.rows("SELECT disposition, count(*) FROM classified_usage GROUP BY disposition"))
    assert sum(counts.values()) == result.received[1] == len(spans)
    assert counts["accepted"] == good
