"""The chain of postings: each head seals its blocks, its counts and the head before it."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

GENESIS = "0" * 64
"""The head before the first posting."""

BLOCK_ROWS = 10_000
"""Most rows that one block hash covers, so that a changed row is found within ten thousand."""


class Block(NamedTuple):
    """One sealed run of rows of a table, in that table's fixed order within its posting."""

    table_name: str
    block_no: int
    row_count: int
    hash_version: int
    sha256: str


def canonical_json(value: object) -> str:
    """JSON with sorted keys and no spaces: the one text that is ever hashed."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def posting_head(
    previous: str, posting_id: int, intent_hash: str, counts: Mapping[str, int], blocks: Sequence[Block]
) -> str:
    """Sha256 hex that seals one posting on top of the ``previous`` head."""
    sealed = {
        "previous": previous,
        "posting_id": posting_id,
        "intent": intent_hash,
        "counts": dict(counts),
        "blocks": [list(block) for block in blocks],
    }
    return hashlib.sha256(canonical_json(sealed).encode()).hexdigest()
