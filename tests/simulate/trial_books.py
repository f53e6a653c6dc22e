"""Small books for simulations: purchases, an ending bonus, a refund, late and failed calls, recharges, plans."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pipelines.books.folder import BooksFolder
from tests.empty_warehouse import place_books

if TYPE_CHECKING:
    from pathlib import Path

RECHARGE = {"auto_recharge_enabled": True, "auto_recharge_threshold": 5_000, "auto_recharge_amount": 150_000}
PAYER = {"stripe_customer_id": "cus_1", "default_payment_method_id": "pm_1"}
ACCOUNTS: tuple[dict[str, Any], ...] = (
    {"account_id": "ada", "currency": "usd", "plan": "free", **RECHARGE, **PAYER},
    {"account_id": "ada", "currency": "usd", "plan": "team", **RECHARGE, **PAYER, "updated_at": "2026-09-02T10:00:00Z"},
    {"account_id": "bob", "currency": "eur", **RECHARGE},
    {"account_id": "eve", "currency": "usd"},
    {"account_id": "zoe", "currency": "usd"},
)
CREDITS: tuple[dict[str, Any], ...] = (
    {"credit_id": "c1", "account_id": "eve", "transaction_type": "purchase", "token_amount": 750_000,
     "amount_cents": 6_500, "currency": "usd", "package_id": "pro", "stripe_payment_intent_id": "pi_1",
     "occurred_at": "2026-09-01T09:00:00Z"},
    {"credit_id": "c2", "account_id": "eve", "transaction_type": "refund", "token_amount": -75_000,
     "amount_cents": 650, "currency": "usd", "stripe_payment_intent_id": "pi_1", "stripe_refund_id": "re_1",
     "occurred_at": "2026-09-03T09:00:00Z"},
    {"credit_id": "c3", "account_id": "eve", "transaction_type": "bonus", "token_amount": 20_000, "priority": 1,
     "occurred_at": "2026-09-01T10:00:00Z", "expires_at": "2026-09-03T00:00:00Z"},
    {"credit_id": "c4", "account_id": "bob", "transaction_type": "purchase", "token_amount": 1_000,
     "amount_cents": 30, "currency": "eur", "occurred_at": "2026-09-01T09:00:00Z"},
)  # fmt: skip
# event, account, when, model, input, output; the last day's file holds a call of the first day.
CALLS = (
    ("2026-09-01", "e1", "ada", "2026-09-01T11:00:00Z", "gpt-4o", 1_000, 1),
    ("2026-09-01", "e2", "eve", "2026-09-01T12:00:00Z", "gpt-4o", 1_000, 400),
    ("2026-09-01", "e3", "bob", "2026-09-01T13:00:00Z", "claude-x", 3_000, 3_333),
    ("2026-09-02", "e4", "ada", "2026-09-02T09:59:59.999999Z", "gpt-4o", 2_000, 0),
    ("2026-09-02", "e5", "ada", "2026-09-02T10:00:00Z", "gpt-4o", 2_000, 0),
    ("2026-09-02", "e6", "eve", "2026-09-02T12:00:00Z", "claude-x", 100, 7),
    ("2026-09-03", "e7", "bob", "2026-09-01T08:00:00Z", "gpt-4o", 500, 501),
    ("2026-09-03", "e8", "ada", "2026-09-03T12:00:00Z", "gpt-4o", 3_001, 0),
)
RATES = """\
[[settings]]
default_token_multiplier = "1.5"

[[settings]]
effective_from = 2026-09-03
default_token_multiplier = "1.6"
"""
FLAGGED = """\
kind = "usage"
dedup = ["id"]
convention = "inclusive"
integers = "strict"

[time]
path = "at"

[account]
try = ["user"]

[fields]
model = "model"
input_tokens = "in"
output_tokens = "out"

[gateway_cache_hit]
path = "hit"
in = [true]

[cancelled]
path = "stopped"
in = [true]
"""
CONFIG = """\
[books]
start = 2026-09-01
[[usage]]
path = "usage/**/*"
profile = "tollbook"
[accounts]
path = "accounts/*.jsonl"
[intake]
settle_seconds = 0
"""


def write(root: Path) -> None:
    """Write the folder of opened books; it is billed through 2026-09-03 by the tests."""
    place_books(BooksFolder(root.resolve()))
    for name in ("usage", "accounts", "credits"):
        (root / name).mkdir(parents=True)
    (root / "tollbook.toml").write_text(CONFIG, encoding="utf-8")
    (root / "rates.toml").write_text(RATES, encoding="utf-8")
    born = {"created_at": "2026-09-01T00:00:00Z", "updated_at": "2026-09-01T00:00:00Z"}
    _lines(root / "accounts/2026-09-01.jsonl", [{**born, **account} for account in ACCOUNTS])
    _lines(root / "credits/2026-09-01.jsonl", list(CREDITS))
    for day in sorted({call[0] for call in CALLS}):
        _lines(root / f"usage/{day}.jsonl", [_call(*call[1:]) for call in CALLS if call[0] == day])
    extra = {"account_id": "eve", "occurred_at": "2026-09-02T13:00:00Z"}
    image = {"operation_type": "image", "input_tokens": 0, "output_tokens": 0, "image_count": 2}
    _lines(
        root / "usage/2026-09-02-more.jsonl",
        [
            {
                **extra,
                "event_id": "failed",
                "model": "gpt-4o",
                "input_tokens": 900,
                "output_tokens": 0,
                "success": False,
            },
            {**extra, **image, "event_id": "seen", "model": "dall-e-2"},
            {**extra, **image, "event_id": "held", "model": "some-painter"},
        ],
    )


def write_flagged(root: Path) -> None:
    """A second source, of three calls of zoe: a plain one, one from the gateway's cache, one that was cancelled."""
    with (root / "tollbook.toml").open("a", encoding="utf-8") as config:
        config.write('[[usage]]\npath = "gateway/**/*"\nprofile = "flagged"\n')
    (root / "profiles").mkdir()
    (root / "profiles/flagged.toml").write_text(FLAGGED, encoding="utf-8")
    (root / "gateway").mkdir()
    call = {"user": "zoe", "at": "2026-09-02T10:00:00Z", "model": "gpt-4o", "out": 0}
    calls = [
        {**call, "id": "plain", "in": 100},
        {**call, "id": "hit", "in": 1_000, "hit": True},
        {**call, "id": "stopped", "in": 10_000, "stopped": True},
    ]
    _lines(root / "gateway/2026-09-02.jsonl", calls)


def _call(event: str, account: str, at: str, model: str, tokens_in: int, tokens_out: int) -> dict[str, Any]:
    return {"event_id": event, "account_id": account, "occurred_at": at, "model": model,
            "input_tokens": tokens_in, "output_tokens": tokens_out}  # fmt: skip


def _lines(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
