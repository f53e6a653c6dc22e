"""One story per break that an entry settles: what Stripe did, and what the app wrote of it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pipelines.stripe_double import actions as do
from pipelines.stripe_double.export import write_objects
from pipelines.stripe_double.world import World

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pipelines.stripe_double.actions import Paid

Row = dict[str, Any]
STRIPE = '[stripe]\nmode = "files"\naccount = "acct_t"\nlivemode = false\n'
STARTER = {"token_amount": 150_000, "amount_cents": 1_500, "currency": "usd", "package_id": "starter"}


class Story:
    """One account's dealings in September: payments at Stripe, credit records of the app."""

    def __init__(self, world: World, account: str) -> None:
        """A customer without any payment yet."""
        self.world, self.account, self.rows = world, account, list[Row]()

    def pay(self, day: int = 2, amount: int = 1_500, **more: Any) -> Paid:
        """Fifteen dollars, unless said otherwise."""
        metadata = {"account_id": self.account}
        return do.pay(self.world, amount=amount, at=second(day, 10), metadata=metadata, **more)

    def credit(self, payment: str | None, day: int = 2, **more: Any) -> Row:
        """What the app credited: a starter package, unless said otherwise."""
        row: Row = {"credit_id": f"{self.account}-{len(self.rows)}", "account_id": self.account}
        row |= {"transaction_type": "purchase", "stripe_payment_intent_id": payment, **STARTER}
        self.rows.append(row | {"occurred_at": f"2026-09-{day:02d}T10:00:30Z"} | more)
        return self.rows[-1]

    def refund_row(self, payment: str, cents: int, tokens: int, refund: str | None = None) -> None:
        """A refund in the app's books."""
        row = {"transaction_type": "refund", "amount_cents": -cents, "token_amount": -tokens, "package_id": None}
        self.credit(payment, 3, **row, stripe_refund_id=refund)


def _refunded(story: Story, cents: int, **more: Any) -> tuple[Paid, str]:
    paid = story.pay()
    story.credit(paid.payment_intent)
    assert paid.charge is not None
    return paid, do.refund(story.world, paid.charge, amount=cents, at=second(3, 10), **more)


def _disputed(story: Story) -> tuple[Paid, str]:
    paid = story.pay()
    story.credit(paid.payment_intent)
    assert paid.charge is not None
    return paid, do.dispute(story.world, paid.charge, at=second(3, 10))


def _lost_webhook(story: Story) -> None:
    story.pay()


def _nobody_paid(story: Story) -> None:
    story.credit("pi_nobody")


def _processing(story: Story) -> None:
    story.credit(story.pay(method="sepa_debit", settled=False).payment_intent)


def _came_back(story: Story) -> None:
    paid = story.pay(method="sepa_debit")
    story.credit(paid.payment_intent)
    do.fail_debit(story.world, paid, at=second(3, 10))


def _declined(story: Story) -> None:
    declined = do.decline(story.world, amount=1_500, at=second(2, 10), metadata={"account_id": story.account})
    story.credit(declined.payment_intent)


def _twice(story: Story) -> None:
    paid = story.pay()
    story.credit(paid.payment_intent)
    story.credit(paid.payment_intent)


def _dearer(story: Story) -> None:
    story.credit(story.pay(amount=1_400).payment_intent)


def _in_euros(story: Story) -> None:
    story.credit(story.pay().payment_intent, currency="eur")


def _too_many_tokens(story: Story) -> None:
    story.credit(story.pay().payment_intent, token_amount=155_000)


def _too_few_tokens(story: Story) -> None:
    story.credit(story.pay().payment_intent, token_amount=145_000)


def _captured_in_part(story: Story) -> None:
    story.credit(story.pay(capture=1_000).payment_intent)


def _refund_unknown(story: Story) -> None:
    _refunded(story, 500)


def _refund_invented(story: Story) -> None:
    paid = story.pay()
    story.credit(paid.payment_intent)
    story.refund_row(paid.payment_intent, 500, 50_000)


def _refund_too_large(story: Story) -> None:
    paid, refund = _refunded(story, 500)
    story.refund_row(paid.payment_intent, 550, 55_000, refund)


def _refund_too_small(story: Story) -> None:
    paid, refund = _refunded(story, 500)
    story.refund_row(paid.payment_intent, 450, 45_000, refund)


def _refund_bounced(story: Story) -> None:
    paid, refund = _refunded(story, 500)
    story.refund_row(paid.payment_intent, 500, 50_000, refund)
    do.fail_refund(story.world, refund, at=second(4, 10))


def _dispute_open(story: Story) -> None:
    _disputed(story)


def _dispute_lost(story: Story) -> None:
    do.close_dispute(story.world, _disputed(story)[1], "lost", at=second(4, 10))


def _dispute_won(story: Story) -> None:
    paid, dispute = _disputed(story)
    row = {"transaction_type": "chargeback", "amount_cents": -1_500, "token_amount": -150_000, "package_id": None}
    story.credit(paid.payment_intent, 3, **row)
    do.close_dispute(story.world, dispute, "won", at=second(4, 10))


def _twice_by_charge(story: Story) -> None:
    paid = story.pay()
    story.credit(paid.payment_intent)
    story.credit(None, stripe_charge_id=paid.charge)


def _dearer_by_charge(story: Story) -> None:
    story.credit(None, amount_cents=1_700, stripe_charge_id=story.pay().charge)


def _nameless_refunded(story: Story) -> None:
    paid = story.pay()
    story.credit(None)
    assert paid.charge is not None
    do.refund(story.world, paid.charge, amount=500, at=second(3, 10))


STORIES: dict[str, tuple[str, Callable[[Story], None]]] = {
    "lost": ("payment_not_credited", _lost_webhook),
    "phantom": ("credit_without_payment", _nobody_paid),
    "early": ("credit_on_unsettled", _processing),
    "bounced": ("credit_on_failed_payment", _came_back),
    "declined": ("credit_on_failed_payment", _declined),
    "twice": ("duplicate_credit", _twice),
    "coupon": ("amount_mismatch", _dearer),
    "euros": ("currency_mismatch", _in_euros),
    "generous": ("tokens_mismatch", _too_many_tokens),
    "stingy": ("tokens_mismatch", _too_few_tokens),
    "partial": ("partial_capture_overcredit", _captured_in_part),
    "dashboard": ("refund_not_recorded", _refund_unknown),
    "invented": ("refund_without_stripe", _refund_invented),
    "large": ("refund_amount_mismatch", _refund_too_large),
    "small": ("refund_amount_mismatch", _refund_too_small),
    "returned": ("refund_failed_not_reversed", _refund_bounced),
    "held": ("dispute_opened_not_held", _dispute_open),
    "beaten": ("dispute_lost_not_debited", _dispute_lost),
    "winner": ("dispute_won_not_reinstated", _dispute_won),
    "again": ("duplicate_credit", _twice_by_charge),
    "dear": ("amount_mismatch", _dearer_by_charge),
    "nameless": ("refund_not_recorded", _nameless_refunded),
}
"""By account: the code that its story breaks with, and the story."""


def second(day: int, hour: int) -> int:
    """Unix seconds of an hour of September 2026."""
    return int(datetime(2026, 9, day, hour, tzinfo=UTC).timestamp())


def tell(root: Path, *accounts: str) -> None:
    """Write these accounts' stories into a books folder: accounts, credits, Stripe's objects, the configuration."""
    world = World(seed=5, now=second(5, 6), account="acct_t", livemode=False)
    rows: list[Row] = []
    for account in accounts:
        story = Story(world, account)
        STORIES[account][1](story)
        rows += story.rows
    write_objects(world, root / "stripe")
    stated = [{"account_id": name, "created_at": "2026-09-01T00:00:00Z"} for name in accounts]
    _write(root / "accounts/stories.jsonl", stated)
    _write(root / "credits/2026-09-04.jsonl", rows)
    with (root / "tollbook.toml").open("a", encoding="utf-8") as config:
        config.write(STRIPE)


def _write(path: Path, rows: list[Row]) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
