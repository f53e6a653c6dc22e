"""What a call of the demo must cost, worked out apart from the billing rules so that it can judge them.

The figures repeat templates/rates.toml; a test holds them together.
"""

from __future__ import annotations

from datetime import date
from fractions import Fraction
from typing import TYPE_CHECKING

from pipelines.demo.dates import at_ms

if TYPE_CHECKING:
    from pipelines.demo.calls import Call

WELCOME_TOKENS = 10_000
CHANGE_MS = at_ms(date(2026, 9, 15))
MULTIPLIER_BEFORE = Fraction("1.5")
MULTIPLIER_AFTER = Fraction("1.6")
IMAGE_FAMILIES: dict[str, str | None] = {
    "dall-e-3": "dall_e_3",
    "dall-e-2": "dall_e_2",
    "imagen-4.0-generate-001": "google",
    "gemini-2.5-flash-image": "google",
    "gpt-image-1": None,
}
"""The family that prices each image model of the demo; none: no rule names it, the call is held."""
IMAGE_COSTS = {"dall_e_3": 6_000, "dall_e_2": 3_000, "google": 4_500}


def billable_tokens(call: Call) -> int | None:
    """Tokens the call must cost: 0 for a failed one, None for an image that no rule prices."""
    if call.failed:
        return 0
    if call.images:
        family = IMAGE_FAMILIES[call.model]
        return None if family is None else call.images * IMAGE_COSTS[family]
    factor = MULTIPLIER_BEFORE if call.occurred_ms < CHANGE_MS else MULTIPLIER_AFTER
    return -(-(call.input_tokens + call.output_tokens) * factor.numerator // factor.denominator)
