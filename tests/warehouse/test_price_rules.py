"""Price rules through real postings: what each kind of charge writes. The fixture proves every check afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.warehouse.ledger_books import LedgerBooks, failing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SETTINGS = '[[settings]]\ndefault_token_multiplier = "1.5"\nnew_user_bonus_tokens = 0\n'
EVERY_KIND = f"""{SETTINGS}
[[rate]]
id = "weighted"
match = {{ model = "claude-*" }}
weights = {{ input = "1", output = "4", cache_read = "0.1", cache_write_1h = "2", reasoning = "5", audio = "3" }}
long_context = {{ above = 1000, weights = {{ input = "2", output = "6" }} }}
[[rate]]
id = "twice"
match = {{ account = "ada", model = "gpt-5" }}
multiplier = "2.000001"
[[rate]]
id = "call"
match = {{ provider = "flat" }}
fixed = 70
per = "call"
[[rate]]
id = "hd"
match = {{ model = "dall-e-3", image_quality = "hd", image_size = "1024x1024" }}
fixed = 9000
per = "image"
[[rate]]
id = "blocks"
match = {{ plan = "block" }}
package = {{ tokens = 1000, cost = 1500 }}
[[rate]]
id = "graduated"
match = {{ model = "g-*" }}
graduated = [{{ up_to = 100, multiplier = "2" }}, {{ up_to = 150, multiplier = "1.1" }}, {{ multiplier = "0.5" }}]
[[rate]]
id = "volume"
match = {{ model = "v-*" }}
volume = [{{ up_to = 100, multiplier = "2" }}, {{ multiplier = "0.5" }}]
"""


@pytest.fixture
def ruled(tmp_path: Path) -> Iterator[LedgerBooks]:
    """Books with a rule of every kind."""
    made = LedgerBooks(tmp_path / "books", rates=EVERY_KIND)
    made.account()
    made.account("bob", plan="block")
    yield made
    assert failing(made.opened().connection) == {}
    made.close()


def billed(books: LedgerBooks) -> dict[str, tuple[int | None, str | None, str | None]]:
    """(billable tokens, rate, charge type) of each call as it stands now, by project: the tests put its name there."""
    found = books.rows("SELECT project_id, billable_tokens, rate_id, charge_type FROM books.usage_current")
    return {name: tuple(rest) for name, *rest in found}


def test_every_kind_of_charge_is_posted_and_recomputed(ruled: LedgerBooks) -> None:
    """Each call falls under its rule, and check 7 computes the same from the tables alone."""
    parts = {"cache_read_tokens": 40, "cache_write_1h_tokens": 10, "reasoning_tokens": 5, "audio_input_tokens": 20}
    ruled.call("w", 2, 100, model="claude-x", output_tokens=20, project_id="weighted", **parts)
    ruled.call("l", 2, 1001, model="anthropic/claude-x", output_tokens=1, project_id="long")
    ruled.call("t", 2, 100, model="gpt-5", project_id="twice")
    ruled.call("o", 2, 100, model="gpt-5", account_id="bob", project_id="block")
    ruled.call("f", 2, 100, provider="flat", project_id="call")
    image = {"operation_type": "image", "image_count": 2, "model": "dall-e-3"}
    ruled.call("i", 2, 0, image_quality="HD", image_size="1024x1024", project_id="hd", **image)
    ruled.call("j", 2, 0, image_quality="standard", project_id="family", **image)
    ruled.call("d", 2, 100, project_id="default")
    ruled.bill(2)
    assert billed(ruled) == {
        # 30 x 1 + 40 x 0.1 + 10 x 2 + 20 x 3 + 15 x 4 + 5 x 5
        "weighted": (199, "weighted", "weighted"),
        "long": (2008, "weighted", "weighted"),
        "twice": (201, "twice", "multiplier"),
        "block": (1500, "blocks", "fixed"),
        "call": (70, "call", "fixed"),
        "hd": (18000, "hd", "fixed"),
        "family": (12000, "image_dall_e_3", "fixed"),
        "default": (150, "default_multiplier", "multiplier"),
    }
