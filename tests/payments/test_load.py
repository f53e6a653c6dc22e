"""Files of Stripe objects: bare or in envelopes, grown, changed, hostile; the latest look of each object stays."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from billing_core.errors import IntegrityError
from pipelines.books.config import load_config
from pipelines.payments.load import replay_objects
from pipelines.stripe_double import actions as do
from pipelines.stripe_double.export import write_objects
from pipelines.warehouse.stripe import KEYS

if TYPE_CHECKING:
    from pathlib import Path

    from pipelines.stripe_double.world import World
    from tests.payments.stripe_books import StripeBooks

DAY = 86_400
GOLDEN = ("payment_intent", "charge", "refund", "dispute", "balance_transaction", "payout", "customer", "event")


def write(books: StripeBooks, name: str, *things: Any, append: bool = False) -> Path:
    """Write lines below stripe/."""
    path = books.folder.root / "stripe" / name
    path.parent.mkdir(exist_ok=True)
    text = "".join(f"{thing if isinstance(thing, str) else json.dumps(thing)}\n" for thing in things)
    with path.open("a" if append else "w", encoding="utf-8") as file:
        file.write(text)
    return path


def charge(world: World, **fields: Any) -> dict[str, Any]:
    """The charge of a sale, with some fields changed."""
    return {**world.get(str(do.pay(world, amount=1500).charge)), **fields}


def envelope(thing: dict[str, Any], fetched_at: str, **fields: Any) -> dict[str, Any]:
    """A line that says when it was fetched."""
    return {"fetched_at": fetched_at, "data": thing, **fields}


def rejected(books: StripeBooks) -> list[tuple[Any, ...]]:
    """What was not taken, and why."""
    return books.rows("SELECT source_line, reason, object_type, detail FROM stripe.rejected ORDER BY source_line")


def test_files_of_a_whole_account_load(books: StripeBooks, world: World) -> None:
    """Every kind of object, payout items and snapshots, exact amounts and rates; a second load finds nothing new."""
    paid = do.pay(world, amount=1500, currency="eur", settlement="usd", rate="1.0837", at=world.now - 9 * DAY)
    do.dispute(world, str(do.pay(world, amount=99, at=world.now - 9 * DAY).charge), at=world.now - 8 * DAY)
    do.checkout(world, paid, prices=[("price_1", "prod_1")])
    payout = str(do.payout(world))
    do.arrive(world, payout)
    do.snapshot(world)
    write_objects(world, books.folder.root / "stripe")
    assert books.load().rejected == 0
    moved = books.rows(
        "SELECT amount, fee, net, exchange_rate FROM stripe.balance_transactions WHERE exchange_rate IS NOT NULL"
    )
    assert moved == [(1626, 77, 1549, Decimal("1.0837"))]
    assert len(books.rows("SELECT unnest(balance_transaction_ids) FROM stripe.disputes")) == 1
    assert books.rows("SELECT count(*) FROM stripe.payout_items")[0][0] == len(world.payout_items[payout])
    assert books.rows("SELECT balance_type, currency FROM stripe.balances") == [("payments", "usd")]
    assert books.load().objects == 0


def test_stripes_own_sample_objects_load(books: StripeBooks, shared_dir: Path) -> None:
    """The real-shaped object of each kind is taken as it is."""
    cases = json.loads((shared_dir / "golden" / "stripe_objects.json").read_text(encoding="utf-8"))["cases"]
    wanted = [case["inputs"]["object"] for case in cases if case["expected"]["object"] in GOLDEN]
    write(books, "samples.jsonl", *wanted)
    books.load()
    assert rejected(books) == []
    assert {table for table in KEYS if books.rows(f"SELECT * FROM stripe.{table}")} == {f"{kind}s" for kind in GOLDEN}


def test_later_look_wins_in_whatever_order(books: StripeBooks, world: World) -> None:
    """By the instant of fetching; the earliest look is remembered as such."""
    thing = charge(world)
    late = envelope({**thing, "description": "late"}, "2026-11-03T00:00:00Z")
    early = envelope({**thing, "description": "early"}, "2026-11-01T00:00:00+00:00")
    write(books, "a.jsonl", late)
    books.load()
    write(books, "b.jsonl", early)
    books.load()
    ((description, first, last),) = books.rows("SELECT description, first_fetched_at, fetched_at FROM stripe.charges")
    assert (description, first.day, last.day) == ("late", 1, 3)


def test_later_export_replaces_an_earlier_one(books: StripeBooks, world: World) -> None:
    """Bare objects count as of when the books first saw them, whatever the files are called."""
    thing = charge(world, description="old")
    write(books, "z.jsonl", thing)
    books.load()
    world.now += DAY
    write(books, "a.jsonl", {**thing, "description": "new"})
    books.load()
    assert books.rows("SELECT description, source_file FROM stripe.charges") == [("new", "stripe/a.jsonl")]


def test_file_may_grow_and_may_be_replaced(books: StripeBooks, world: World) -> None:
    """Only new lines are read of a file that grew; one that was written anew is read whole and named."""
    first, second = charge(world), charge(world)
    write(books, "charges.jsonl", first)
    books.load()
    world.now += 60
    write(books, "charges.jsonl", second, append=True)
    assert books.load().objects == 1
    world.now += 60
    write(books, "charges.jsonl", {**second, "description": "newest"}, first)
    loaded = books.load()
    assert loaded.objects == 2
    assert loaded.notices == ["stripe/charges.jsonl: changed since it was loaded; read from its beginning"]
    assert sorted(books.rows("SELECT charge_id, description FROM stripe.charges")) == sorted(
        [(first["id"], None), (second["id"], "newest")]
    )


def test_compressed_file_loads(books: StripeBooks, world: World) -> None:
    """Gzip is unpacked where the pattern names it."""
    path = books.folder.root / "stripe" / "charges.jsonl.gz"
    path.write_bytes(gzip.compress(json.dumps(charge(world)).encode()))
    text = books.folder.config.read_text(encoding="utf-8")
    books.folder.config.write_text(text.replace('mode = "api"', 'mode = "files"\npath = "stripe/*.jsonl*"'))
    assert books.load().objects == 1


@pytest.mark.parametrize(
    ("change", "reason", "detail"),
    [
        ({"amount": 15.0}, "invalid_field", "amount: expected a whole number of 64 bits"),
        ({"amount": "1500"}, "invalid_field", "amount: expected a whole number of 64 bits"),
        ({"amount": True}, "invalid_field", "amount: expected a whole number of 64 bits"),
        ({"amount": 2**63}, "invalid_field", "amount: expected a whole number of 64 bits"),
        ({"amount": None}, "missing_field", "amount: missing; every such object has it"),
        ({"currency": "USD"}, "invalid_field", "currency: expected a currency of three lower-case letters"),
        ({"created": None}, "missing_field", "created: missing; every such object has it"),
        ({"id": None}, "missing_field", "charge_id: missing; every such object has it"),
        ({"created": 10**15}, "invalid_field", "created: expected Unix seconds"),
        ({"metadata": []}, "invalid_field", "metadata: expected an object"),
        ({"payment_intent": 7}, "invalid_field", "payment_intent_id: expected an id"),
        ({"livemode": True}, "other_mode", "livemode: an object of live mode in books of test mode"),
    ],
)  # fmt: skip
def test_what_cannot_be_taken_is_listed_with_its_reason(
    books: StripeBooks, world: World, change: dict[str, Any], reason: str, detail: str
) -> None:
    """The line is rejected by itself; the lines around it are taken."""
    write(books, "charges.jsonl", charge(world), charge(world, **change), charge(world))
    books.load()
    assert [(row[0], row[1], row[3]) for row in rejected(books)] == [(2, reason, detail)]
    assert len(books.ids("charges")) == 2


def test_lines_that_are_no_objects_are_listed(books: StripeBooks, world: World) -> None:
    """Text, lists, unknown kinds, NaN, deep nesting, a balance without its instant; blank lines are nothing."""
    lines = [
        "{",
        "[]",
        '{"object": "invoice", "id": "in_1"}',
        '{"amount": NaN}',
        "[" * 100_000,
        "",
        '{"object": "balance"}',
    ]
    write(books, "odd.jsonl", *lines, envelope(charge(world), "yesterday"))
    books.load()
    assert [(row[0], row[1]) for row in rejected(books)] == [
        (1, "invalid_json"), (2, "not_an_object"), (3, "unknown_object"), (4, "invalid_json"), (5, "invalid_json"),
        (7, "missing_field"), (8, "invalid_field"),
    ]  # fmt: skip


def test_rejected_lines_do_not_leak_what_they_say(books: StripeBooks) -> None:
    """Neither the value of a field nor a long or odd kind is repeated."""
    write(books, "a.jsonl", {"object": "charge", "id": "sk_live_secret of a customer", "amount": "secret"})
    books.load()
    assert "secret" not in str(books.rows("SELECT object_id, detail FROM stripe.rejected"))


def test_other_account_is_refused(books: StripeBooks, world: World) -> None:
    """An envelope of another account than the first one's, or the configured one's."""
    of = [envelope(charge(world), "2026-11-01T00:00:00Z", stripe_account=name) for name in ("acct_1", "acct_2")]
    lines = [json.dumps(line, separators=(",", ":")) for line in of]
    write(books, "a.jsonl", *lines)
    books.load()
    assert [row[1] for row in rejected(books)] == ["other_account"]
    assert books.rows("SELECT DISTINCT stripe_account FROM stripe.charges") == [("acct_1",)]


def test_change_of_the_configured_account_loads_anew(books: StripeBooks, world: World) -> None:
    """Objects of an unnamed account are of the named one once the configuration names it."""
    write(books, "a.jsonl", charge(world))
    books.load()
    assert books.rows("SELECT stripe_account FROM stripe.charges") == [("unspecified",)]
    text = books.folder.config.read_text(encoding="utf-8")
    books.folder.config.write_text(text.replace('mode = "api"', 'mode = "api"\naccount = "acct_9"'), encoding="utf-8")
    books.load()
    assert books.rows("SELECT stripe_account FROM stripe.charges") == [("acct_9",)]


def test_rebuild_refuses_a_file_that_is_no_longer_what_was_seen(books: StripeBooks, world: World) -> None:
    """Replaying the journal over an edited file would date its lines wrongly."""
    write(books, "a.jsonl", charge(world))
    books.load()
    write(books, "a.jsonl", charge(world, description="edited"))
    for table in (*KEYS, "loaded_files"):
        books.connection.execute(f"DELETE FROM stripe.{table}")
    with pytest.raises(IntegrityError, match=r"a\.jsonl: it no longer begins with what was seen at"):
        replay_objects(books.connection, books.folder, load_config(books.folder, environ={}))


def test_every_order_of_loading_gives_the_same_tables(books: StripeBooks, world: World) -> None:
    """Looks of one object in several files, loaded file by file in any order."""
    thing = charge(world)
    at = datetime(2026, 11, 1, tzinfo=UTC)
    files = {
        f"{name}.jsonl": [
            envelope({**thing, "description": f"{name}{index}"}, (at + timedelta(hours=(index * 7) % 5)).isoformat())
            for index in range(3)
        ]
        for name in "abc"
    }
    results = set()
    for order in ("abc", "cab", "bca"):
        for path in (books.folder.root / "stripe").glob("*.jsonl"):
            path.unlink()
        books.folder.stripe_log.unlink(missing_ok=True)
        for table in (*KEYS, "loaded_files"):
            books.connection.execute(f"DELETE FROM stripe.{table}")
        for name in order:
            write(books, f"{name}.jsonl", *files[f"{name}.jsonl"])
            books.load()
        results.add(tuple(books.rows("SELECT description, source_file, source_line FROM stripe.charges")))
    assert len(results) == 1
