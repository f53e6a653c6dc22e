"""The arithmetic behind one price, written out: whole numbers only, step by step, from a rule's charge alone.

It computes anew and independently of `rating`: what it comes to must be what was billed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from billing_core.money import PPM, ppm_to_decimal_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_INPUT_PARTS = ("cache_read", "cache_write_5m", "cache_write_1h", "audio_input")
_OUTPUT_PARTS = ("reasoning", "audio_output")
_POOLS = ("input", *_INPUT_PARTS, "output", *_OUTPUT_PARTS)
_NAMES = {pool: pool.replace("_", " ").replace("5m", "(5 minutes)").replace("1h", "(1 hour)") for pool in _POOLS}


@dataclass(frozen=True)
class Explanation:
    """The steps from a call's counts to its billable tokens, and what they come to; None where they cannot tell."""

    steps: tuple[str, ...]
    billable: int | None


def explain_price(
    call: Mapping[str, Any],
    charge: Mapping[str, Any] | None,
    integers: Mapping[str, Any] | None,
    position: int | None = None,
) -> Explanation:
    """Write out the price of a call.

    call: the counts of books.token_usage. charge, integers: those of its rule in books.rates; None for a call that no
    rule charged. position: tokens of the account's month before it, for a tiered rule.
    """
    if charge is None or integers is None:
        return _uncharged(call)
    if "cost" in integers:
        return _fixed(call, charge, integers)
    if "tiers" in integers:
        return _tiered(call, charge, integers, position)
    return _weighed(call, integers)


def token_pools(call: Mapping[str, Any]) -> dict[str, int]:
    """Every token of a call in exactly one pool: a part is taken out of its whole, cached before heard.

    An audio pool holds no more than its whole has left; the counts are those of books.token_usage, absent ones 0.
    """
    pools = {pool: int(call.get(f"{pool}_tokens") or 0) for pool in _POOLS}
    for whole, parts in (("input", _INPUT_PARTS), ("output", _OUTPUT_PARTS)):
        for part in parts:
            if part.startswith("audio"):
                pools[part] = min(pools[part], pools[whole])
            pools[whole] -= pools[part]
    return pools


def _uncharged(call: Mapping[str, Any]) -> Explanation:
    if call["billable_tokens"] is None:
        return Explanation(("no rule names this image model: held, not billed, never priced as another model",), None)
    why = "the call failed" if not call["success"] else "a policy in force calls it free"
    return Explanation((f"{why}: 0 tokens, no ledger row",), 0)


def _fixed(call: Mapping[str, Any], charge: Mapping[str, Any], integers: Mapping[str, Any]) -> Explanation:
    cost, per = int(integers["cost"]), charge.get("per", "image")
    if per == "call":
        return Explanation((f"{cost:,} for the call",), cost)
    if per == "block":
        size, tokens = int(integers["block_tokens"]), int(call["total_tokens"])
        blocks = -(-tokens // size)
        started = f"{tokens:,} tokens in blocks of {size:,} = {blocks:,} started"
        return Explanation((started, f"{blocks:,} x {cost:,} = {blocks * cost:,}"), blocks * cost)
    count = int(call["image_count"])
    return Explanation((f"{count:,} delivered x {cost:,} = {count * cost:,}",), count * cost)


def _weighed(call: Mapping[str, Any], integers: Mapping[str, Any]) -> Explanation:
    steps: list[str] = []
    ppm = integers["ppm"]
    above = integers.get("above")
    if above is not None:
        is_long = int(call["input_tokens"]) > int(above)
        steps.append(
            f"{int(call['input_tokens']):,} input tokens are {'above' if is_long else 'not above'} {int(above):,}: "
            f"the {'long-context' if is_long else 'ordinary'} weights hold for the whole call"
        )
        ppm = integers["long_ppm"] if is_long else ppm
    if len(set(ppm.values())) == 1:
        (weight,) = set(ppm.values())
        tokens = int(call["input_tokens"]) + int(call["output_tokens"])
        counts = f"{int(call['input_tokens']):,} input + {int(call['output_tokens']):,} output = {tokens:,} tokens"
        return _rounded([*steps, counts], tokens * int(weight), f"{tokens:,} x {ppm_to_decimal_text(int(weight))}")
    pools = token_pools(call)
    used = {pool: tokens for pool, tokens in pools.items() if tokens}
    steps += [
        f"{tokens:,} {_NAMES[pool]} x {ppm_to_decimal_text(int(ppm[pool]))} = {_exact(tokens * int(ppm[pool]))}"
        for pool, tokens in used.items()
    ]
    return _rounded(steps, sum(tokens * int(ppm[pool]) for pool, tokens in used.items()), "sum")


def _tiered(
    call: Mapping[str, Any], charge: Mapping[str, Any], integers: Mapping[str, Any], position: int | None
) -> Explanation:
    tokens = int(call["total_tokens"])
    if position is None:
        return Explanation((f"{tokens:,} tokens by tiers; where the call stood in its month is not known",), None)
    tiers: Sequence[Mapping[str, Any]] = integers["tiers"]
    stands = f"{position:,} tokens of the account's month came before this call of {tokens:,}"
    if "volume" in charge:
        reached = position + tokens
        tier = next(tier for tier in tiers if tier["up_to"] is None or reached <= int(tier["up_to"]))
        ppm = int(tier["ppm"])
        found = f"{reached:,} so far: the tier {_up_to(tier)} at {ppm_to_decimal_text(ppm)}, for all its tokens"
        return _rounded([stands, found], tokens * ppm, f"{tokens:,} x {ppm_to_decimal_text(ppm)}")
    steps, product, low = [stands], 0, 0
    for tier in tiers:
        high = position + tokens if tier["up_to"] is None else int(tier["up_to"])
        inside = max(min(position + tokens, high) - max(position, low), 0)
        if inside:
            text = ppm_to_decimal_text(int(tier["ppm"]))
            steps.append(f"{inside:,} in the tier {_up_to(tier)} x {text} = {_exact(inside * int(tier['ppm']))}")
        product += inside * int(tier["ppm"])
        low = high
    return _rounded(steps, product, "sum")


def _up_to(tier: Mapping[str, Any]) -> str:
    return "of all further tokens" if tier["up_to"] is None else f"up to {int(tier['up_to']):,}"


def _rounded(steps: list[str], product: int, what: str) -> Explanation:
    """The last steps: the product in millionths, then rounded up once."""
    billable = -(-product // PPM)
    steps = [*steps, f"{what} = {product:,} / {PPM:,} = {_exact(product)}"]
    return Explanation((*steps, f"rounded up: {billable:,}"), billable)


def _exact(product: int) -> str:
    """Millionths as decimal text, with separators: 1851000001 is 1,851.000001."""
    whole, part = divmod(product, PPM)
    decimals = f".{part:06d}".rstrip("0").rstrip(".")
    return f"{whole:,}{decimals}"
