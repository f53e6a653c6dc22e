"""Calls of the demo's customers: few customers make most of them, cheap models are the common ones."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

from pipelines.demo.dates import DAY_MS, SECOND_MS

if TYPE_CHECKING:
    from pipelines.demo.accounts import Account
    from pipelines.demo.dice import Dice

_OPERATIONS = ("chat", "chat", "chat", "generation", "generation", "refinement", "repurpose", "prompt")
_MODELS = (
    ("openai", "gpt-4o-mini"),
    ("openai", "gpt-4o-mini"),
    ("openai", "gpt-4o-mini"),
    ("anthropic", "claude-haiku-4-5"),
    ("anthropic", "claude-haiku-4-5"),
    ("google", "gemini-2.5-flash"),
    ("anthropic", "claude-sonnet-4-5"),
    ("openai", "gpt-4o"),
)
_IMAGE_MODELS = (
    ("openai", "dall-e-3"),
    ("openai", "dall-e-3"),
    ("openai", "dall-e-2"),
    ("google", "imagen-4.0-generate-001"),
    ("google", "gemini-2.5-flash-image"),
    ("openai", "gpt-image-1"),
)
_LAST_MINUTE_MS = DAY_MS - 60 * SECOND_MS
_WEIGHT = 1_000_000


@dataclass(frozen=True, slots=True)
class Call:
    """One call as it happened; images = 0 for a call that made text. Tokens are inclusive totals."""

    number: int
    occurred_ms: int
    account_id: str
    workspace_id: str | None
    operation: str
    provider: str
    model: str
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int = 0
    reasoning_tokens: int = 0
    images: int = 0
    failed: bool = False


class Callers:
    """Draws callers and calls; only accounts that exist at that time call."""

    def __init__(self, accounts: tuple[Account, ...], dice: Dice) -> None:
        """`accounts` ordered by created_at; the first call most."""
        self._accounts = accounts
        self._created = [account.created_ms for account in accounts]
        self._weights = list(accumulate(_WEIGHT // (rank + 1) for rank in range(len(accounts))))
        self._dice = dice

    def ordinary(self, number: int, from_ms: int, to_ms: int) -> Call:
        """A call at some time in [from_ms, to_ms), now and then an image or a failed one."""
        occurred = from_ms + self._dice.below(max(to_ms - from_ms, 1))
        if occurred % DAY_MS >= _LAST_MINUTE_MS:
            # A gateway call has a start and an end; both stay on one day, so one price holds for either.
            occurred -= 60 * SECOND_MS
        account = self._caller(occurred)
        if self._dice.one_in(24):
            return self.image(number, occurred, account, *self._dice.pick(_IMAGE_MODELS))
        return self.text(number, occurred, account, failed=self._dice.one_in(48))

    def text(self, number: int, occurred_ms: int, account: Account, *, failed: bool = False) -> Call:
        """A call that makes text. A failed one has used its input."""
        dice = self._dice
        provider, model = dice.pick(_MODELS)
        sent, made = dice.skewed(40, 8_000), 0 if failed else dice.skewed(10, 3_000)
        return Call(
            number=number,
            occurred_ms=occurred_ms,
            account_id=account.account_id,
            workspace_id=account.workspace_id,
            operation=dice.pick(_OPERATIONS),
            provider=provider,
            model=model,
            input_tokens=sent,
            output_tokens=made,
            cache_read_tokens=dice.below(sent) if dice.one_in(4) else 0,
            reasoning_tokens=dice.below(made + 1) if dice.one_in(4) else 0,
            failed=failed,
        )

    def image(self, number: int, occurred_ms: int, account: Account, provider: str, model: str) -> Call:
        """A call that makes one to three images; only token-priced models report tokens."""
        images = self._dice.between(1, 3)
        tokens = (50, 4_160 * images) if model == "gpt-image-1" else (0, 0)
        caller = account.account_id, account.workspace_id
        return Call(number, occurred_ms, *caller, "image", provider, model, *tokens, images=images)

    def _caller(self, occurred_ms: int) -> Account:
        known = bisect_right(self._created, occurred_ms)
        return self._accounts[bisect_right(self._weights, self._dice.below(self._weights[known - 1]))]
