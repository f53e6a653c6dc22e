"""Ids that are derived, never drawn: the same source gives the same id in every replay.

An id is a UUID of version 8: 48 bits of the event's time in milliseconds, so that ids sort and prune by time, then
74 bits of sha256 over the JSON array ``[kind, source id]``. The SQL macros of the warehouse build the same ids.
"""

from __future__ import annotations

import hashlib
import json
from uuid import UUID

_VARIANTS = "89ab"


def source_digest(kind: str, source_id: str) -> str:
    """Sha256 hex digest over the compact JSON array ``[kind, source_id]``."""
    text = json.dumps([kind, source_id], ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def derived_id(occurred_us: int, kind: str, source_id: str) -> UUID:
    """The id of what ``kind`` and ``source_id`` name.

    ``occurred_us``: microseconds since 1970 (UTC), not negative. Raises ValueError outside 48 bits of milliseconds.
    """
    milliseconds = occurred_us // 1000
    if not 0 <= milliseconds < 1 << 48:
        message = f"an id needs a time between 1970 and 10889, got {occurred_us} microseconds"
        raise ValueError(message)
    digest = source_digest(kind, source_id)
    variant = _VARIANTS[int(digest[3], 16) >> 2]
    return UUID(f"{milliseconds:012x}8{digest[:3]}{variant}{digest[4:19]}")
