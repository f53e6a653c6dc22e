"""Random price files and calls of a seed, for an oracle to price them too."""

from __future__ import annotations

import random
from contextlib import suppress
from datetime import timedelta
from fractions import Fraction
from typing import Any

from billing_core.errors import ConfigurationError
from billing_core.instants import EPOCH
from billing_core.price_book import PriceBook, parse_price_book

INT64_MAX = 2**63 - 1
SPANS = 4
"""Settings versions and rules change at instants 1 to 3; calls happen at 0 to 3."""


class Dice:
    """Random price files and calls of one seed; with `is_small` no figure comes anywhere near 2^53."""

    def __init__(self, seed: int, *, is_small: bool = False) -> None:
        self.random = random.Random(seed)
        self.is_small = is_small
        self.huge_images = 0 if is_small else 0.01

    def decimal(self) -> str:
        """A multiplier or weight with up to six decimals, now and then a huge or a tiny one."""
        draw = self.random
        whole = draw.choice([0, 1, 1, 2, draw.randrange(100), draw.randrange(100 if self.is_small else 10**6)])
        decimals = draw.choice(["", "5", "1", "25", f"{draw.randrange(10**6):06d}", "000001", "999999"])
        return f"{whole}.{decimals}" if decimals else str(whole)

    def multiplier(self) -> str:
        """A decimal above 0."""
        text = self.decimal()
        return text if Fraction(text) else "1"

    def cost(self) -> int:
        """A fixed cost."""
        return self.random.choice([0, 1, 4500, self.random.randrange(10**9 if self.is_small else 10**12)])

    def tokens(self) -> int:
        """A count of tokens: zero, plain, huge beyond 2^53, or the largest there is."""
        draw = self.random
        if self.is_small:
            return draw.choice([0, 1, draw.randrange(5000), draw.randrange(10**6)])
        return draw.choice(
            [0, 1, draw.randrange(5000), draw.randrange(5000), draw.randrange(10**6), draw.randrange(2 * 10**12)]
            + [2**53 + draw.randrange(9), draw.randrange(INT64_MAX), INT64_MAX] * (draw.random() < 0.02)
        )

    def charge(self) -> dict[str, Any]:
        """One charge of any kind."""
        draw = self.random
        kind = draw.choice(["multiplier", "weights", "weights", "fixed", "package", "graduated", "volume", "long"])
        if kind == "multiplier":
            return {"multiplier": self.decimal()}
        if kind == "fixed":
            return {"fixed": self.cost(), "per": draw.choice(["image", "call"])}
        if kind == "package":
            size = draw.choice([1, 2, 3, 1000, draw.randrange(1, 10**7)])
            return {"package": {"tokens": size, "cost": draw.randrange(min(size * 999_999, 10**12) + 1)}}
        if kind in {"graduated", "volume"}:
            ends = sorted(draw.sample(range(1, 20_000), draw.randrange(4)))
            tiers: list[dict[str, Any]] = [{"up_to": end, "multiplier": self.decimal()} for end in ends]
            return {kind: [*tiers, {"multiplier": self.decimal()}]}
        above = draw.choice([1, 1000, draw.randrange(1, 10**6)])
        if kind == "long" and draw.random() < 0.5:
            long = {"above": above, "multiplier": self.decimal()}
            return {"multiplier": self.decimal(), "long_context": long}
        charge: dict[str, Any] = {"weights": self.weights()}
        return charge | ({"long_context": {"above": above, "weights": self.weights()}} if kind == "long" else {})

    def weights(self) -> dict[str, str]:
        """Weights of input and output and of some other kinds."""
        others = ["cache_read", "cache_write_5m", "cache_write_1h", "reasoning", "audio"]
        chosen = self.random.sample(others, self.random.randrange(len(others) + 1))
        return {kind: self.decimal() for kind in ["input", "output", *chosen]}

    def match(self) -> dict[str, str]:
        """Some keys of a match."""
        values = {
            "account": ["ada", "bob"],
            "workspace": ["w1", "w2"],
            "plan": ["pro"],
            "provider": ["openai", "azure"],
            "model": ["gpt-4o", "gpt-*", "gpt-4?", "dall-e-3", "gpt-image-1", "*"],
            "operation": ["chat", "prompt", "image"],
            "image_size": ["big"],
            "image_quality": ["hd"],
        }
        return {key: self.random.choice(words) for key, words in values.items() if self.random.random() < 0.25}

    def rule(self, number: int) -> dict[str, Any]:
        """One `[[rate]]` table, times in epoch microseconds."""
        rule = {"id": f"r{number}", "match": self.match(), **self.charge()}
        if rule.get("per") == "image":
            rule["match"].pop("operation", None)
        starts, ends = sorted(self.random.sample(range(5), 2))
        return rule | ({"effective_from": starts} if starts else {}) | ({"effective_to": ends} if ends < SPANS else {})

    def call(self) -> dict[str, Any]:
        """One call whose counts add up, most of the time."""
        draw = self.random
        counts = [self.tokens() for _ in range(2)]
        if sum(counts) > INT64_MAX:
            counts[1] = INT64_MAX - counts[0]
        part = [draw.choice([0, draw.randrange(n + 1), n]) for n in (counts[0],) * 4 + (counts[1],) * 2]
        if draw.random() < 0.9:
            part[1] = min(part[1], counts[0] - part[0])
            part[2] = min(part[2], counts[0] - part[0] - part[1])
        names = ["cache_read", "cache_write_5m", "cache_write_1h", "audio_input", "reasoning", "audio_output"]
        return {
            **{f"{name}_tokens": n for name, n in zip(names, part, strict=True)},
            "occurred_us": draw.randrange(SPANS),
            "account_id": draw.choice(["ada", "bob", "cyd"]),
            "workspace": draw.choice(["w1", "w2", None]),
            "plan": draw.choice(["pro", None]),
            "operation_type": draw.choice(["chat", "chat", "prompt", "generation", "image"]),
            "provider": draw.choice(["openai", "azure", None]),
            "model": draw.choice(
                ["gpt-4o", "gpt-4x", "gpt-5", "dall-e-3", "dall-e-2", "imagen-3", "gpt-image-1", None]
            ),
            "image_size": draw.choice(["big", "small", None]),
            "image_quality": draw.choice(["hd", None]),
            "input_tokens": counts[0],
            "output_tokens": counts[1],
            "total_tokens": sum(counts),
            "image_count": draw.choice(
                [0, 1, 3, draw.randrange(10**6), INT64_MAX if draw.random() < self.huge_images else 2]
            ),
            "success": draw.random() < 0.95,
            "gateway_cache_hit": draw.random() < 0.05,
            "cancelled": draw.random() < 0.05,
        }

    def settings(self) -> list[dict[str, Any]]:
        """One version per span."""
        policy = ["free", "bill"]
        return [
            {
                "default_token_multiplier": self.multiplier(),
                "image_generation_cost_dall_e_3": self.cost(),
                "image_generation_cost_dall_e_2": self.cost(),
                "image_generation_cost_google": self.cost(),
                **{name: self.random.choice(policy) for name in ("partial_error", "gateway_cache_hit")},
                "cancelled_stream": self.random.choice(policy),
            }
            for _ in range(SPANS)
        ]

    def rules(self, most: int) -> list[dict[str, Any]]:
        """Up to so many rules between which every call can choose."""
        kept: list[dict[str, Any]] = []
        for number in range(most):
            drawn = self.rule(number)
            with suppress(ConfigurationError):
                book_of([{}], [*kept, drawn])
                kept.append(drawn)
        return kept


def book_of(settings: list[dict[str, Any]], rules: list[dict[str, Any]]) -> PriceBook:
    """The price book of a file with these tables; the versions of the settings start at instants 0, 1 ..."""
    versions = [table | {"effective_from": _moment(at)} for at, table in enumerate(settings)]
    times = ("effective_from", "effective_to")
    dated = [{key: _moment(value) if key in times else value for key, value in rule.items()} for rule in rules]
    return parse_price_book({"settings": versions, "rate": dated})


def _moment(at: int) -> object:
    return EPOCH + timedelta(microseconds=at)
