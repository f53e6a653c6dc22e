"""An independent pricer in plain Python over fractions: rules weighed one by one for every call, nothing shared."""

from __future__ import annotations

import fnmatch
import math
from fractions import Fraction
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

INT64_MAX = 2**63 - 1
IMAGE_KINDS = {"dall-e-3": "dall_e_3", "dall-e-2": "dall_e_2", "imagen-3": "google"}


def price(call: Mapping[str, Any], settings: Mapping[str, Any], rules: Sequence[Mapping[str, Any]]) -> Any:
    """Billable tokens of a call; None if held, "tiered" if its tiers decide, "out" beyond Int64, "bad" if it cannot be.

    `settings` is one version and `rules` are `[[rate]]` tables, both with the keys and texts of the file; times are
    epoch microseconds.
    """
    flags = (
        (not call["success"], settings["partial_error"]),
        (call["gateway_cache_hit"], settings["gateway_cache_hit"]),
        (call["cancelled"], settings["cancelled_stream"]),
    )
    if any(raised and policy == "free" for raised, policy in flags):
        return 0
    fitting = [rule for rule in rules if _fits(rule, call)]
    if fitting:
        return _charge(max(fitting, key=_narrowness), call)
    if call["operation_type"] != "image":
        return _bounded(math.ceil(call["total_tokens"] * _exact(settings["default_token_multiplier"])))
    kind = IMAGE_KINDS.get(call["model"])
    return None if kind is None else _bounded(call["image_count"] * settings[f"image_generation_cost_{kind}"])


def tier_price(tokens: int, position: int, rule: Mapping[str, Any], month: int | None = None) -> int:
    """What a call costs by graduated or volume tiers, token by stretch of tokens."""
    if "volume" in rule:
        reached = position + tokens if month is None else month
        tier = next(t for t in rule["volume"] if reached <= t.get("up_to", INT64_MAX))
        return math.ceil(tokens * _exact(tier["multiplier"]))
    total, low = Fraction(0), 0
    for tier in rule["graduated"]:
        high = tier.get("up_to", INT64_MAX)
        inside = range(max(position, low), min(position + tokens, high))
        total += len(inside) * _exact(tier["multiplier"])
        low = high
    return math.ceil(total)


@cache
def _exact(text: str) -> Fraction:
    return Fraction(text)


def _fits(rule: Mapping[str, Any], call: Mapping[str, Any]) -> bool:
    match = rule.get("match", {})
    is_image = call["operation_type"] == "image"
    wants_image = match.get("operation", "image" if rule.get("per") == "image" else "") == "image"
    if is_image != wants_image or ("operation" in match and match["operation"] != call["operation_type"]):
        return False
    if is_image and "model" not in match and call["model"] not in IMAGE_KINDS:
        return False
    starts, ends = rule.get("effective_from", -math.inf), rule.get("effective_to", math.inf)
    if not starts <= call["occurred_us"] < ends:
        return False
    columns = {"account": "account_id"}
    for key, wanted in match.items():
        found = call[columns.get(key, "operation_type" if key == "operation" else key)]
        if key == "model":
            if found is None or not fnmatch.fnmatchcase(found, wanted):
                return False
        elif found != wanted:
            return False
    return True


def _narrowness(rule: Mapping[str, Any]) -> list[int]:
    match = rule.get("match", {})
    model = 0 if "model" not in match else 1 if set(match["model"]) & set("*?") else 2
    first, rest = ("account", "workspace", "plan"), ("provider", "operation", "image_size", "image_quality")
    return [*(int(key in match) for key in first), model, *(int(key in match) for key in rest)]


def _charge(rule: Mapping[str, Any], call: Mapping[str, Any]) -> Any:
    if "graduated" in rule or "volume" in rule:
        return "tiered"
    if "fixed" in rule:
        return _bounded(rule["fixed"] * (call["image_count"] if rule["per"] == "image" else 1))
    if "package" in rule:
        return _bounded(math.ceil(Fraction(call["total_tokens"], rule["package"]["tokens"])) * rule["package"]["cost"])
    source = rule
    if "long_context" in rule and call["input_tokens"] > rule["long_context"]["above"]:
        source = rule["long_context"]
    if "multiplier" in source:
        return _bounded(math.ceil(call["total_tokens"] * _exact(source["multiplier"])))
    return _weighted(source["weights"], call)


def _weighted(weights: Mapping[str, str], call: Mapping[str, Any]) -> Any:
    total = Fraction(0)
    for whole, parts, heard in (
        ("input", ("cache_read", "cache_write_5m", "cache_write_1h"), "audio_input"),
        ("output", ("reasoning",), "audio_output"),
    ):
        left = call[f"{whole}_tokens"]
        for part in parts:
            left -= call[f"{part}_tokens"]
            total += call[f"{part}_tokens"] * _exact(weights.get(part, weights[whole]))
        if left < 0 or call[f"{heard}_tokens"] > call[f"{whole}_tokens"]:
            return "bad"
        cut = min(left, call[f"{heard}_tokens"])
        total += cut * _exact(weights.get("audio", weights[whole])) + (left - cut) * _exact(weights[whole])
    return _bounded(math.ceil(total))


def _bounded(figure: int) -> int | str:
    return figure if figure <= INT64_MAX else "out"
