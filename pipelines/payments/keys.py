"""The key that opens Stripe: from the environment, never shown, never of another mode than was asked for."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from billing_core.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipelines.books.config_models import Stripe

_KEY = re.compile(r"(sk|rk)_(test|live)_[A-Za-z0-9_]{4,}")


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key and the mode it belongs to. Its text is in no representation of it."""

    text: str = field(repr=False)
    livemode: bool

    @property
    def mode(self) -> str:
        """Live or test."""
        return mode_name(livemode=self.livemode)


def mode_name(*, livemode: bool) -> str:
    """Live or test."""
    return "live" if livemode else "test"


def api_key(stripe: Stripe, *, live: bool, environ: Mapping[str, str] | None = None) -> ApiKey:
    """The key of the configured variable. Raises ConfigurationError when it is unset, no key, or of the wrong mode."""
    name = stripe.api_key_env
    text = (os.environ if environ is None else environ).get(name, "").strip()
    if not text:
        raise ConfigurationError(f"[stripe] api_key_env: the variable {name} is not set; set it to a restricted key")
    found = _KEY.fullmatch(text)
    if found is None:
        raise ConfigurationError(f"{name}: it does not hold a key of Stripe's API (rk_test_..., rk_live_...)")
    key = ApiKey(text, livemode=found[2] == "live")
    if stripe.livemode is not None and stripe.livemode is not key.livemode:
        own = mode_name(livemode=stripe.livemode)
        raise ConfigurationError(
            f"{name} holds a {key.mode} key, but these books are of {own} mode ([stripe] livemode); use a {own} key"
        )
    if key.livemode and not live:
        raise ConfigurationError(f"{name} holds a live key; add --live to read live data")
    if live and not key.livemode:
        raise ConfigurationError(f"--live: {name} holds a test key; leave the option out, or set a live key")
    return key
