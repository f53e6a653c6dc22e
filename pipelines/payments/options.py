"""How a sync runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipelines.books import clock

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    import stripe


@dataclass(frozen=True, kw_only=True)
class SyncOptions:
    """How a sync runs; `on_step` hears the name of a step and how many objects came."""

    env: str | None = None
    full: bool = False
    live: bool = False
    environ: Mapping[str, str] | None = None
    now: Callable[[], datetime] = clock.now
    on_step: Callable[[str, int], None] = lambda _step, _objects: None
    http_client: stripe.HTTPClient | None = None
