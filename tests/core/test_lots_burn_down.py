"""Burn-down cases of OpenMeter, posted as credits and debits."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from billing_core.lot_types import FOREVER, AccountLots, Entry
from billing_core.lots import settle
from billing_core.tape import length

FIXTURES = Path(__file__).parent / "fixtures" / "burn_down.json"
GOLDEN = Path(__file__).parents[3] / "shared" / "golden" / "burn_down.json"
NOT_EXPRESSIBLE = {
    "om-003": "a starting balance of a grant that does not exist: lots are opened by credits, balances are never given",
}


def cases(path: Path) -> list[Any]:
    """The cases of a file, none if it is not there."""
    loaded = json.loads(path.read_text())["cases"] if path.exists() else []
    return [pytest.param(case, id=f"{path.parent.name}-{case['id']}") for case in loaded]


def us(text: str) -> int:
    """An instant in whole seconds as epoch microseconds."""
    return int(datetime.fromisoformat(text).timestamp()) * 1_000_000


def ending(grant: dict[str, Any]) -> int:
    """The earliest of expiry, voiding and deletion."""
    return min([us(grant[key]) for key in ("expires_at", "voided_at", "deleted_at") if grant[key]], default=FOREVER)


def entries_of(inputs: dict[str, Any]) -> list[Entry]:
    """Grants as credits at their start, usage from the start of the run up to its end as debits."""
    start, until = us(inputs["start"]["at"]), us(inputs["until"])
    grants = [grant for grant in inputs["grants"] if us(grant["effective_at"]) < until or start == until]
    opened = [
        (us(g["effective_at"]), 0, g["amount"], g["id"], g["priority"], us(g["effective_at"]), ending(g))
        for g in grants
    ]
    debits = [
        (us(use["at"]), 1, use["quantity"], None, 0, 0, FOREVER)
        for use in inputs["usage"]
        if start <= us(use["at"]) < until
    ]
    ordered = sorted([*opened, *debits], key=lambda row: row[:2])
    return [
        Entry(number, ("credit", "debit")[rank], at, at, tokens, *lot)
        for number, (at, rank, tokens, *lot) in enumerate(ordered)
    ]


@pytest.mark.parametrize("case", [*cases(FIXTURES), *cases(GOLDEN)])
def test_grants_burn_down_like_the_reference(case: dict[str, Any]) -> None:
    """Remainders, overage and grant usage of a case hold for lots, debt and burns."""
    if case["id"] in NOT_EXPRESSIBLE:
        pytest.skip(NOT_EXPRESSIBLE[case["id"]])
    expected = case["expected"]
    account = AccountLots("acme")
    entries = entries_of(case["inputs"])
    moved = settle(account, entries, us(case["inputs"]["until"]))
    left = {lot.lot_id: lot.remaining for lot in account.lots}
    for grant, balance in expected.get("balances", {}).items():
        assert left.get(grant, 0) == balance
    burnt = sum(row.tokens for row in moved.allocations if row.kind in ("burn", "repay"))
    used = sum(entry.tokens for entry in entries if entry.kind == "debit")
    if not case["inputs"]["start"].get("usage"):
        assert used == expected.get("usage", used)
    assert length(account.debt) == expected.get("overage", length(account.debt))
    assert burnt == expected.get("total_grant_usage", burnt)
    assert burnt + sum(left.values()) == expected.get("total_available", burnt + sum(left.values()))
