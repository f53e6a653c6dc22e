"""The packages that the demo's customers buy.

The figures repeat templates/packages.toml; a test holds them together.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Package:
    """A package as sold: tokens, and its price in minor units per currency."""

    package_id: str
    name: str
    tokens: int
    prices: dict[str, int]


PACKAGES = (
    Package("starter", "Starter", 150_000, {"usd": 1_500, "eur": 1_400, "gbp": 1_200}),
    Package("pro", "Pro", 750_000, {"usd": 6_500, "eur": 6_000, "gbp": 5_200}),
    Package("business", "Business", 2_250_000, {"usd": 17_500, "eur": 16_000, "gbp": 14_000}),
    Package("enterprise", "Enterprise", 7_500_000, {"usd": 50_000, "eur": 46_000, "gbp": 40_000}),
)
