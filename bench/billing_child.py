"""A measured process: bill one books folder and publish, with the CPU seconds of each phase as one line of JSON."""

from __future__ import annotations

import json
import sys
import time
from collections import defaultdict
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines import billing
from pipelines.books.folder import BooksFolder
from pipelines.warehouse import posting, sealing
from pipelines.warehouse.hashes import content_hash

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

# The steps of a posting, as the module that takes each names it.
PHASES: tuple[tuple[ModuleType, str, str], ...] = (
    (posting, "_read", "read"),
    (posting, "rate_usage", "rate"),
    (posting, "price_usage", "provider prices"),
    (posting, "post_entries", "ledger"),
    (posting, "run_script", "insert"),
    (sealing, "run_delta_checks", "checks"),
    (sealing, "posting_blocks", "blocks"),
)


def bill(root: Path, through: date, *, hashed: bool) -> dict[str, Any]:
    """Discover, post, publish; the figures of the posting and the CPU seconds by phase."""
    spent: defaultdict[str, float] = defaultdict(float)
    for module, name, phase in PHASES:
        setattr(module, name, _timed(spent, phase, getattr(module, name)))
    with billing.open_books(BooksFolder(root), command="bench") as books:
        discovery = _timed(spent, "discover", billing.survey)(books)
        before = time.process_time()
        summary = billing.bill(books, discovery, through)
        within = sum(spent[phase] for *_, phase in PHASES)
        spent["commit and the rest"] = time.process_time() - before - within
        published = _timed(spent, "publish", billing.publish_books)(books)
        content = content_hash(books.connection) if hashed else ""
    assert summary is not None
    return {"counts": dict(summary.counts), "cpu": dict(spent), "content": content, "published": str(published)}


def _timed(spent: defaultdict[str, float], phase: str, function: Callable[..., Any]) -> Callable[..., Any]:
    def timed(*arguments: Any, **named: Any) -> Any:
        before = time.process_time()
        try:
            return function(*arguments, **named)
        finally:
            spent[phase] += time.process_time() - before

    return timed


if __name__ == "__main__":
    print(json.dumps(bill(Path(sys.argv[1]), date.fromisoformat(sys.argv[2]), hashed="--hash" in sys.argv)))
