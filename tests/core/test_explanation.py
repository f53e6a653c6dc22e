"""The written-out arithmetic of a price: exact steps, and the same figure as plain fractions give."""

from __future__ import annotations

from fractions import Fraction
from math import ceil
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_core.explanation import explain_price, token_pools

POOLS = (
    "input", "cache_read", "cache_write_5m", "cache_write_1h", "audio_input", "output", "reasoning", "audio_output",
)  # fmt: skip


def _call(**counts: Any) -> dict[str, Any]:
    call: dict[str, Any] = {f"{pool}_tokens": 0 for pool in POOLS}
    call |= {"image_count": 0, "success": True, "billable_tokens": 1, **counts}
    return {**call, "total_tokens": call["input_tokens"] + call["output_tokens"]}


def _same_weight(ppm: int) -> dict[str, Any]:
    return {"ppm": dict.fromkeys(POOLS, ppm)}


def test_multiplier_is_written_out_in_whole_numbers() -> None:
    """Counts, product in millionths, rounding up, each as a step."""
    told = explain_price(
        _call(input_tokens=1_000, output_tokens=235), {"multiplier": "1.5", "per": "token"}, _same_weight(1_500_000)
    )
    assert told.steps == (
        "1,000 input + 235 output = 1,235 tokens",
        "1,235 x 1.5 = 1,852,500,000 / 1,000,000 = 1,852.5",
        "rounded up: 1,853",
    )
    assert told.billable == 1_853


def test_100_times_1_1_is_110() -> None:
    """The classic that floats get wrong."""
    assert explain_price(_call(input_tokens=100), {"per": "token"}, _same_weight(1_100_000)).billable == 110


@pytest.mark.parametrize(
    ("charge", "integers", "call", "billable"),
    [
        ({"fixed": 6000, "per": "image"}, {"cost": 6000}, _call(image_count=3), 18_000),
        ({"fixed": 50, "per": "call"}, {"cost": 50}, _call(input_tokens=9), 50),
        ({"package": {}, "per": "block"}, {"cost": 20, "block_tokens": 1000}, _call(input_tokens=2_001), 60),
        ({"package": {}, "per": "block"}, {"cost": 20, "block_tokens": 1000}, _call(), 0),
    ],
)
def test_fixed_costs(charge: dict[str, Any], integers: dict[str, Any], call: dict[str, Any], billable: int) -> None:
    """Per delivered image, per call, per started block."""
    assert explain_price(call, charge, integers).billable == billable


def test_long_context_switches_the_whole_call_strictly_above() -> None:
    """At the limit the ordinary weights hold, one token above it the others, for every token."""
    integers = {**_same_weight(1_000_000), "above": 1_000, "long_ppm": dict.fromkeys(POOLS, 2_000_000)}
    at, above = (explain_price(_call(input_tokens=n), {"per": "token"}, integers) for n in (1_000, 1_001))
    assert (at.billable, above.billable) == (1_000, 2_002)
    assert ("not above" in at.steps[0], "long-context" in above.steps[0]) == (True, True)


def test_graduated_and_volume_tiers_by_position() -> None:
    """Graduated: each token by its tier; volume: all by the tier that the month has reached."""
    tiers = {"tiers": [{"up_to": 1_000, "ppm": 2_000_000}, {"up_to": None, "ppm": 1_000_000}]}
    call = _call(input_tokens=500)
    assert explain_price(call, {"graduated": []}, tiers, 800).billable == 200 * 2 + 300
    assert explain_price(call, {"volume": []}, tiers, 800).billable == 500
    assert explain_price(call, {"volume": []}, tiers, 500).billable == 1_000
    assert explain_price(call, {"graduated": []}, tiers, None).billable is None


def test_calls_without_a_rule_say_why() -> None:
    """Held, failed, or free by a policy."""
    assert explain_price(_call(billable_tokens=None), None, None).billable is None
    assert "failed" in explain_price(_call(success=False, billable_tokens=0), None, None).steps[0]
    assert "policy" in explain_price(_call(billable_tokens=0), None, None).steps[0]


@st.composite
def _consistent_calls(draw: st.DrawFn) -> dict[str, Any]:
    """Calls whose parts are no larger than their whole, but for audio, which may also be cached or thought."""
    parts = {pool: draw(st.integers(0, 10**6)) for pool in POOLS if pool not in {"input", "output"}}
    inside = sum(parts[pool] for pool in ("cache_read", "cache_write_5m", "cache_write_1h"))
    counts = {"input": inside + draw(st.integers(0, 10**6)), "output": parts["reasoning"] + draw(st.integers(0, 10**6))}
    return _call(**{f"{pool}_tokens": count for pool, count in {**parts, **counts}.items()})


@given(_consistent_calls(), st.lists(st.integers(1, 10**8), min_size=8, max_size=8))
def test_weights_come_to_the_sum_of_fractions(call: dict[str, Any], weights: list[int]) -> None:
    """Pools are disjoint and add up to the total; the figure is the exact sum, rounded up once."""
    pools = token_pools(call)
    assert sum(pools.values()) == call["total_tokens"]
    assert min(pools.values()) >= 0
    ppm = dict(zip(POOLS, weights, strict=True))
    exact = sum(Fraction(pools[pool] * ppm[pool], 10**6) for pool in POOLS)
    assert explain_price(call, {"per": "token"}, {"ppm": ppm}).billable == ceil(exact)
