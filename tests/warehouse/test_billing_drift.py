"""Billing drift: why the app says it charged other tokens than the books, each cause planted and found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.warehouse.ledger_books import LedgerBooks, failing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

RATES = """\
[[settings]]
default_token_multiplier = "1.1"
[[settings]]
effective_from = 2026-09-03
default_token_multiplier = "1.3"
image_generation_cost_dall_e_3 = 7000
[[rate]]
id = "wide"
match = { model = "dall-e-3", operation = "image", image_size = "1792x1024" }
fixed = 9000
per = "image"
[[rate]]
id = "mini"
match = { model = "gpt-4o-mini" }
multiplier = "2"
"""
IMAGE: dict[str, Any] = {"operation_type": "image", "model": "dall-e-3", "image_count": 2}


@pytest.fixture
def drifting(tmp_path: Path) -> Iterator[LedgerBooks]:
    """Books at 1.1 until the third of September and 1.3 from then on; wide images cost more."""
    made = LedgerBooks(tmp_path / "books", rates=RATES)
    made.account()
    yield made
    assert failing(made.opened().connection) == {}
    made.close()


def test_each_cause_is_found_by_its_figure(drifting: LedgerBooks) -> None:
    """One call per cause, with the difference in tokens; a call that agrees is not listed."""
    call = drifting.call
    call("e1", 1, 100, billable_tokens=110, project_id="agrees")
    call("e2", 1, 100, billable_tokens=111, project_id="float_rounding")
    call("e3", 1, 1000, billable_tokens=1300, project_id="stale_multiplier")
    call("e4", 4, 1000, billable_tokens=1100, project_id="stale_multiplier, the old one")
    call("e5", 1, 0, **IMAGE, image_size="1024x1024", billable_tokens=18_000, project_id="wrong_image_size")
    call("e6", 1, 0, **IMAGE, image_size="1024x1024", billable_tokens=14_000, project_id="stale_image_cost")
    call("e7", 1, 0, **IMAGE, image_size="1024x1024", billable_tokens=24_000, project_id="wrong_image_count")
    call("e8", 1, 1000, success=False, billable_tokens=1100, project_id="charged_a_free_call")
    call("e9", 1, 1000, billable_tokens=0, project_id="not_charged")
    call("e10", 1, 1000, billable_tokens=1234, project_id="unknown")
    call("e11", 1, 1000, model="gpt-4o-mini", billable_tokens=1100, project_id="other_rule")
    drifting.bill(4)
    found = drifting.rows(
        "SELECT project_id, cause, difference_tokens FROM finance.billing_drift_calls"
        " JOIN books.token_usage USING (usage_id) ORDER BY ALL"
    )
    assert found == [
        ("charged_a_free_call", "charged_a_free_call", 1100),
        ("float_rounding", "float_rounding", 1),
        ("not_charged", "not_charged", -1100),
        ("other_rule", "other_rule", -900),
        ("stale_image_cost", "stale_image_cost", 2000),
        ("stale_multiplier", "stale_multiplier", 200),
        ("stale_multiplier, the old one", "stale_multiplier", -200),
        ("unknown", "unknown", 134),
        ("wrong_image_count", "wrong_image_count", 12_000),
        ("wrong_image_size", "wrong_image_size", 6000),
    ]
    assert drifting.rows(
        "SELECT model, cause, calls, reported_tokens, billable_tokens, difference_tokens FROM finance.billing_drift"
        " WHERE cause = 'stale_multiplier'"
    ) == [("gpt-4o", "stale_multiplier", 2, 2400, 2400, 0)]
