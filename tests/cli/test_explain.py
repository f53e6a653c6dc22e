"""`tollbook explain`: from any id to the line, the rule, the arithmetic, the ledger row and what paid for it."""

from __future__ import annotations

import json
from datetime import date
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from tests.cli.conftest import Command, write_inputs
from tests.empty_warehouse import place_books

if TYPE_CHECKING:
    from pathlib import Path

CREDITS: tuple[dict[str, Any], ...] = (
    {"credit_id": "buy-1", "transaction_type": "purchase", "token_amount": 150_000, "amount_cents": 1_500,
     "currency": "usd", "package_id": "starter", "stripe_payment_intent_id": "pi_1",
     "occurred_at": "2026-09-01T00:30:00Z", "priority": 1},
    {"credit_id": "back-1", "transaction_type": "refund", "token_amount": -50_000, "amount_cents": 500,
     "currency": "usd", "stripe_payment_intent_id": "pi_1", "stripe_refund_id": "re_1",
     "occurred_at": "2026-09-02T12:00:00Z"},
    {"credit_id": "gift-1", "transaction_type": "bonus", "token_amount": 500, "occurred_at": "2026-09-01T00:40:00Z",
     "expires_at": "2026-09-02T00:00:00Z", "priority": 90},
    {"credit_id": "later", "transaction_type": "bonus", "token_amount": 7, "occurred_at": "2026-09-20T00:00:00Z"},
)  # fmt: skip


RULES = """\
[[settings]]
[[rate]]
id = "kinds"
match = { model = "claude*" }
weights = { input = "1", output = "4.25" }
[[rate]]
id = "steps"
match = { account = "ada", model = "gpt-4o" }
graduated = [{ up_to = 150, multiplier = "2" }, { multiplier = "1" }]
"""


@pytest.fixture(scope="module")
def books(tmp_path_factory: pytest.TempPathFactory) -> Command:
    """Books with a purchase, a refund, an expiry, a grant, a repeated call, a failed one, images, and debt."""
    root: Path = tmp_path_factory.mktemp("explained") / "books"
    write_inputs(root)
    (root / "credits").mkdir()
    lines = "".join(json.dumps({"account_id": "ada", **credit}) + "\n" for credit in CREDITS)
    (root / "credits/2026-09-01.jsonl").write_text(lines, encoding="utf-8")
    call = {"account_id": "bob", "occurred_at": "2026-09-02T11:00:00Z", "input_tokens": 10, "output_tokens": 0}
    image = {"operation_type": "image", "input_tokens": 0}
    calls = (
        {**call, "event_id": "failed", "model": "gpt-4o", "success": False},
        {**call, **image, "event_id": "pictures", "model": "dall-e-3", "image_count": 3},
        {**call, **image, "event_id": "unknown", "model": "some-painter", "image_count": 3},
    )
    again = (root / "usage/2026-09-01.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)[0]
    text = again + "".join(json.dumps(each) + "\n" for each in calls)
    (root / "usage/2026-09-03.jsonl").write_text(text, encoding="utf-8")
    command = Command(root.resolve())
    place_books(command.folder)
    grant = command(
        "admin",
        "grant",
        "ada",
        "5",
        "--actor",
        "ana",
        "--reason",
        "sorry",
        env={"TOLLBOOK_NOW": "2026-09-03T09:00:00Z"},
    )
    assert grant.code == 2, "nothing was published yet"
    command.bill("2026-09-03T06:00:00Z", date(2026, 9, 2))
    granted = command(
        "admin",
        "grant",
        "ada",
        "5",
        "--actor",
        "ana",
        "--reason",
        "sorry",
        env={"TOLLBOOK_NOW": "2026-09-03T09:00:00Z"},
    )
    assert granted.code == 0, granted.err
    command.bill("2026-09-05T06:00:00Z", date(2026, 9, 4))
    return command


def _explained(books: Command, *ids: str) -> Any:
    told = books("--json", "explain", *ids)
    assert told.code == 0, told.err
    return told.document


def _id(books: Command, query: str) -> str:
    with duckdb.connect(str(books.folder.published), read_only=True) as reader:
        return str(reader.execute(query).fetchall()[0][0])


def test_a_call_by_its_own_id_shows_everything_behind_it(books: Command) -> None:
    """Line, profile, rule, settings, arithmetic, ledger row, and the purchase that paid for it with its payment."""
    told = _explained(books, "e1")
    line, price = told["line"], told["price"]
    assert (line["path"], line["line_no"], line["disposition"], line["profile"]) == (
        "usage/2026-09-01.jsonl", 1, "accepted", "tollbook",
    )  # fmt: skip
    assert json.loads(line["raw"])["event_id"] == "e1"
    assert price["arithmetic"] == [
        "100 input + 0 output = 100 tokens",
        "100 x 1.5 = 150,000,000 / 1,000,000 = 150",
        "rounded up: 150",
    ]
    assert (price["agrees"], price["rule"]["rate_id"], price["settings"]["superseded_by"]) == (
        True,
        "default_multiplier",
        None,
    )
    (row,) = told["ledger"]
    assert row["balance_after"] == row["balance_before"] - 150
    assert [(piece["kind"], piece["tokens"], piece["stripe_payment_intent_id"]) for piece in told["paid_by"]] == [
        ("burn", 150, "pi_1")
    ]
    text = books("explain", "e1").out
    assert all(word in text for word in ("100 x 1.5", "pi_1", "usage/2026-09-01.jsonl, line 1", "balance"))


def test_every_name_of_a_call_leads_to_it(books: Command) -> None:
    """Its usage id, its event key and its ledger row tell the same."""
    told = _explained(books, "e1")
    call = told["call"]
    for name in (call["usage_id"], call["usage_id"].upper(), call["event_key"], told["ledger"][0]["transaction_id"]):
        assert _explained(books, name)["call"] == call


def test_repeats_of_an_event_are_listed(books: Command) -> None:
    """The line that came again is named with its file and disposition."""
    (again,) = _explained(books, "e1")["line"]["same_event"]
    assert (again["path"], again["line_no"], again["disposition"]) == ("usage/2026-09-03.jsonl", 1, "duplicate")


@pytest.mark.parametrize(
    ("event", "steps", "billed", "rows"),
    [
        ("failed", ["the call failed: 0 tokens, no ledger row"], 0, 0),
        ("pictures", ["3 delivered x 6,000 = 18,000"], 18_000, 1),
        ("unknown", ["no rule names this image model: held, not billed, never priced as another model"], None, 0),
    ],
)
def test_other_ways_to_be_charged(books: Command, event: str, steps: list[str], billed: int | None, rows: int) -> None:
    """A failed call, images at their fixed cost, and an image model that no rule names."""
    told = _explained(books, event)
    assert (told["price"]["arithmetic"], told["price"]["billable_tokens"], len(told["ledger"])) == (steps, billed, rows)
    assert told["price"]["agrees"]
    assert books("explain", event).code == 0


def test_tokens_that_no_lot_covers_are_debt(books: Command) -> None:
    """Bob's pictures cost more than he has: what his bonus paid, and what he owes."""
    pieces = [(piece["kind"], piece["tokens"]) for piece in _explained(books, "pictures")["paid_by"]]
    assert pieces == [("burn", 9_850), ("debt", 8_150)]
    assert "no lot yet: debt" in books("explain", "pictures").out


def test_a_purchase_by_credit_id_shows_its_record_and_lot(books: Command) -> None:
    """The app's record with its raw line, the ledger row, the lot and what is left of it, and the later refund."""
    told = _explained(books, "buy-1")
    assert (told["credit"]["package_id"], told["transaction"]["amount_cents"]) == ("starter", 1_500)
    assert json.loads(told["line"]["raw"])["credit_id"] == "buy-1"
    lot = told["lot"]
    assert (lot["token_amount"], lot["burnt"], lot["taken_back"], lot["remaining"]) == (150_000, 300, 50_000, 99_700)
    assert [row["transaction_type"] for row in told["corrected_by"]] == ["refund"]
    assert "15.00 USD" in books("explain", "buy-1").out


def test_a_refund_an_expiry_a_grant_and_a_bonus_are_explained(books: Command) -> None:
    """The refund names its purchase, the expiry its lot, the grant its journal entry, the welcome bonus itself."""
    refund = _explained(books, "re_1")
    assert refund["corrects"]["transaction_type"] == "purchase"
    by_type = "SELECT transaction_id FROM books.token_transactions WHERE account_id = 'ada' AND transaction_type = "
    expiry = _explained(books, _id(books, f"{by_type}'expiry'"))
    assert (expiry["lot"]["transaction_type"], expiry["lot"]["expired"]) == ("bonus", 500)
    grant = _explained(books, _id(books, f"{by_type}'admin_grant'"))
    assert (grant["admin_action"]["actor"], grant["admin_action"]["reason"]) == ("ana", "sorry")
    welcome = _explained(books, _id(books, f"{by_type}'bonus' AND token_amount = 10000"))
    assert welcome["transaction"]["description"] == "Welcome bonus"
    for told in (refund, expiry, grant, welcome):
        assert books("explain", told["transaction"]["transaction_id"]).code == 0


def test_a_credit_whose_date_has_not_come_is_waiting(books: Command) -> None:
    """Read, kept, not in the ledger: the explanation says when it is due."""
    told = _explained(books, "later")
    assert (told["transaction"], told["waiting"]["token_amount"]) == (None, 7)
    assert "not in the ledger yet" in books("explain", "later").out


def test_a_held_record_says_why(books: Command) -> None:
    """A call of an account that the books do not know."""
    told = _explained(books, "e3")
    assert (told["kind"], told["record"]["reason"]) == ("held", "unknown_account")
    assert "held back: unknown_account" in books("explain", "e3").out


def test_a_payment_with_several_rows_asks_for_one(books: Command) -> None:
    """The PaymentIntent names a purchase and its refund: exit 2 with both ids."""
    told = books("explain", "pi_1")
    assert (told.code, told.err.count("transaction 0")) == (2, 2)


@pytest.mark.parametrize("name", ["nope", "01a05c69-4d00-8f8f-bbae-86c5f1190570", "ab" * 32, "", "'; DROP TABLE x; --"])
def test_unknown_ids_are_refused(books: Command, name: str) -> None:
    """Exit 2 and a sentence that says which ids there are."""
    told = books("explain", name)
    assert (told.code, "the books know nothing named" in told.err) == (2, True)


def test_a_changed_or_missing_file_is_said_and_the_rest_is_told(tollbook: Command) -> None:
    """Raw bytes are shown only if the file still hashes to what was read."""
    path = tollbook.root / "usage/2026-09-01.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"input_tokens": 100', b'"input_tokens": 900', 1))
    line = _explained(tollbook, "e1")["line"]
    assert (line["raw"], "no longer holds the bytes" in line["raw_absent"]) == (None, True)
    path.unlink()
    assert "is not there any more" in _explained(tollbook, "e1")["line"]["raw_absent"]
    assert "no raw text" in tollbook("explain", "e1").out


@pytest.mark.slow
def test_rules_of_every_kind_are_written_out(tmp_path: Path) -> None:
    """Weights, tiers at the call's place in its month, and a cost per image, each as it was billed."""
    root = tmp_path / "books"
    write_inputs(root)
    (root / "rates.toml").write_text(RULES, encoding="utf-8")
    call = {"account_id": "ada", "occurred_at": "2026-09-02T11:00:00Z"}
    calls = (
        {**call, "event_id": "kinds", "model": "claude-x", "input_tokens": 3_000, "output_tokens": 3_333},
        {**call, "event_id": "steps", "model": "gpt-4o", "input_tokens": 150, "output_tokens": 0},
    )
    text = "".join(json.dumps(each) + "\n" for each in calls)
    (root / "usage/2026-09-02.jsonl").write_text(text, encoding="utf-8")
    command = Command(root.resolve())
    place_books(command.folder)
    command.bill("2026-09-05T06:00:00Z", date(2026, 9, 4))
    assert _explained(command, "kinds")["price"]["arithmetic"] == [
        "3,000 input x 1 = 3,000",
        "3,333 output x 4.25 = 14,165.25",
        "sum = 17,165,250,000 / 1,000,000 = 17,165.25",
        "rounded up: 17,166",
    ]
    assert _explained(command, "steps")["price"]["arithmetic"][:3] == [
        "100 tokens of the account's month came before this call of 150",
        "50 in the tier up to 150 x 2 = 100",
        "100 in the tier of all further tokens x 1 = 100",
    ]
    assert all(_explained(command, event)["price"]["agrees"] for event in ("kinds", "steps", "e1", "e2"))
    assert "graduated (multiplier 2, up_to 150) then (multiplier 1) per token" in command("explain", "steps").out
