"""The objects of a world as files: one object of the API a line, as `[stripe] mode = "files"` reads them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pipelines.stripe_double.world import StripeObject, World

KINDS = (
    *("customer", "payment_intent", "charge", "refund", "dispute"),
    *("balance_transaction", "payout", "checkout.session", "event"),
)


def write_objects(world: World, folder: Path) -> list[Path]:
    """Write `<plural>.jsonl` files, payout items and balance snapshots among them; returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    written = [_write(folder / f"{kind.replace('.', '_')}s.jsonl", world.objects(kind)) for kind in KINDS]
    written.append(_write(folder / "payout_items.jsonl", _payout_items(world)))
    written.append(_write(folder / "balances.jsonl", _balances(world)))
    return [path for path in written if path is not None]


def _payout_items(world: World) -> Iterator[StripeObject]:
    for payout, items in world.payout_items.items():
        for item in items:
            yield {"object": "payout_item", "payout": payout, "balance_transaction": item}


def _balances(world: World) -> Iterator[StripeObject]:
    for taken_at, balance in world.snapshots:
        yield {"fetched_at": datetime.fromtimestamp(taken_at, UTC).isoformat(), "data": balance}


def _write(path: Path, things: Iterator[StripeObject]) -> Path | None:
    lines = [json.dumps(thing, separators=(",", ":")) for thing in things]
    if not lines:
        return None
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
