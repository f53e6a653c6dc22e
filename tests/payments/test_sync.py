"""A sync brings everything, once; it goes on after an interruption and sees what changes later."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from billing_core.errors import ConfigurationError, PaymentServiceError
from pipelines.payments.sync import checked_account
from pipelines.stripe_double import actions as do
from pipelines.stripe_double.faults import Fault
from pipelines.warehouse.stripe import KEYS

if TYPE_CHECKING:
    from pipelines.stripe_double.service import Service
    from pipelines.stripe_double.world import World
    from tests.payments.stripe_books import StripeBooks

DAY = 86_400


def trade(world: World, count: int = 30) -> list[do.Paid]:
    """Some weeks of an account: sales, refunds, a dispute, payouts; all more than a minute ago."""
    begin, step = world.now - 60 * DAY, 50 * DAY // count
    customer = do.customer(world, at=begin)
    paid = [
        do.pay(world, amount=1000 + 7 * index, customer=customer, at=begin + index * step, metadata={"n": str(index)})
        for index in range(count)
    ]
    for index in range(0, count, 5):
        do.refund(world, str(paid[index].charge), amount=100, at=begin + index * step + DAY)
    do.dispute(world, str(paid[1].charge), at=begin + 3 * DAY)
    do.checkout(world, paid[2], at=begin + 2 * DAY, prices=[("price_1", "prod_1")])
    for day in range(10, 50, 10):
        payout = do.payout(world, at=begin + day * DAY)
        if payout is not None:
            do.arrive(world, payout, at=begin + (day + 2) * DAY)
    return paid


def assert_mirrors(books: StripeBooks, world: World) -> None:
    """Each table holds the objects of the world, as they are, once."""
    for kind in ("payment_intent", "charge", "refund", "dispute", "balance_transaction", "payout", "customer"):
        table = f"{kind}s"
        assert books.ids(table) == sorted(thing["id"] for thing in world.objects(kind)), table
    amounts = books.rows("SELECT balance_transaction_id, amount, fee, net, status FROM stripe.balance_transactions")
    expected = {
        thing["id"]: (thing["amount"], thing["fee"], thing["net"], thing["status"])
        for thing in world.objects("balance_transaction")
    }
    assert {row[0]: row[1:] for row in amounts} == expected
    items = books.rows("SELECT payout_id, balance_transaction_id FROM stripe.payout_items ORDER BY ALL")
    completed = {thing["id"] for thing in world.objects("payout") if thing["reconciliation_status"] == "completed"}
    assert items == sorted((po, item) for po, found in world.payout_items.items() for item in found if po in completed)


def test_first_sync_brings_everything(books: StripeBooks, world: World) -> None:
    """All kinds, all pages, the balance and the mark of a whole sync."""
    trade(world, 130)
    state = books.sync()
    assert state.is_full
    assert_mirrors(books, world)
    assert books.rows("SELECT price_ids, product_ids FROM stripe.checkout_sessions") == [(["price_1"], ["prod_1"])]
    balance = world.balance()
    assert books.rows("SELECT available, pending FROM stripe.balances WHERE currency = 'usd'") == [
        (balance["available"][0]["amount"], balance["pending"][0]["amount"])
    ]
    assert books.rows("SELECT is_full, epoch(window_end)::BIGINT FROM stripe.syncs") == [(True, world.now - 60)]
    assert books.rows("SELECT * FROM stripe.rejected") == []


def test_second_sync_brings_what_is_new_and_what_changed(books: StripeBooks, world: World) -> None:
    """New objects, changed ones far older than the weeks that are listed anew, and movements that became available."""
    paid = trade(world)
    books.sync()
    world.now += DAY
    do.pay(world, amount=4200, at=world.now - 3600)
    do.refund(world, str(paid[0].charge), at=world.now - 1800)
    dispute = next(iter(books.ids("disputes")))
    do.close_dispute(world, dispute, "won", at=world.now - 900)
    assert not books.sync().is_full
    assert_mirrors(books, world)
    assert books.rows("SELECT status FROM stripe.disputes") == [("won",)]


def test_old_object_is_seen_to_change_by_its_event(books: StripeBooks, world: World) -> None:
    """The lists no longer reach it; the change feed names it and it is looked at."""
    begin = world.now - 300 * DAY
    paid = do.pay(world, amount=900, at=begin)
    do.pay(world, amount=800, at=begin)
    books.sync()
    world.now += DAY
    do.refund(world, str(paid.charge), at=world.now - 600)
    world.edit(str(paid.charge), description="changed")
    books.service.seen.clear()
    books.sync()
    assert books.rows(f"SELECT description FROM stripe.charges WHERE charge_id = '{paid.charge}'") == [("changed",)]
    assert [line for line in books.service.seen if line.startswith("GET charges/")] == [f"GET charges/{paid.charge}"]


def test_old_object_that_is_not_final_is_looked_at_without_an_event(books: StripeBooks, world: World) -> None:
    """A bank debit under way and an open dispute are asked for each time; final ones never."""
    begin = world.now - 300 * DAY
    debit = do.pay(world, amount=900, method="sepa_debit", settled=False, at=begin)
    lost = do.dispute(world, str(do.pay(world, amount=500, at=begin).charge), at=begin)
    do.close_dispute(world, lost, "lost", at=begin)
    books.sync()
    world.edit(debit.payment_intent, status="succeeded", amount_received=900)
    world.now += DAY
    books.service.seen.clear()
    books.sync()
    assert (debit.payment_intent, "succeeded") in books.rows(
        "SELECT payment_intent_id, status FROM stripe.payment_intents"
    )
    looked_at = {line for line in books.service.seen if "/" in line and "checkout" not in line}
    assert looked_at == {f"GET payment_intents/{debit.payment_intent}", f"GET charges/{debit.charge}"}


def test_object_that_becomes_visible_late_is_not_missed(books: StripeBooks, world: World) -> None:
    """A movement created before the end of a window, but shown after it, comes with the next sync."""
    late = do.pay(world, amount=700, at=world.now - 90)
    for identity in (late.charge, late.payment_intent, late.balance_transaction):
        world.hidden_until[str(identity)] = world.now + 300
    books.sync()
    assert books.ids("balance_transactions") == []
    world.now += 400
    books.sync()
    assert books.ids("balance_transactions") == [late.balance_transaction]
    assert books.ids("charges") == [late.charge]


def test_charge_without_a_movement_is_asked_for_until_it_has_one(books: StripeBooks, world: World) -> None:
    """Capture is asynchronous: the link appears later, even on a charge older than the lists reach."""
    paid = do.pay(world, amount=700, at=world.now - 100 * DAY)
    world.unlinked_until[str(paid.charge)] = world.now + 10
    books.sync()
    assert books.rows("SELECT balance_transaction_id FROM stripe.charges") == [(None,)]
    world.now += 100
    books.sync()
    assert books.rows("SELECT balance_transaction_id FROM stripe.charges") == [(paid.balance_transaction,)]


def test_after_a_long_pause_everything_is_listed_anew(books: StripeBooks, world: World) -> None:
    """The change feed does not reach back: an old object changed without a trace in it."""
    paid = do.pay(world, amount=900, at=world.now - 300 * DAY)
    books.sync()
    world.edit(str(paid.charge), description="changed")
    world.now += 40 * DAY
    assert books.sync().is_full
    assert books.rows("SELECT description FROM stripe.charges") == [("changed",)]


def test_unchanged_objects_are_not_written_again(books: StripeBooks, world: World) -> None:
    """A second sync writes its balance and its mark, nothing else."""
    trade(world)
    books.sync()
    world.now += 60
    books.sync(full=True)
    (path,) = sorted((books.folder.root / "stripe").glob("api-*.jsonl"))[1:]
    assert len(path.read_text(encoding="utf-8").splitlines()) == 2


class StoppedError(Exception):
    """The process ends here."""


def stop_after(service: Service, requests: int) -> None:
    """Let the double end the process, in effect, before it answers a further request."""
    answer = service.answer

    def stopped(*arguments: Any) -> Any:
        if service.requests >= requests:
            raise StoppedError
        return answer(*arguments)

    service.answer = stopped  # type: ignore[method-assign,assignment]


def go_on(service: Service) -> None:
    """Undo it."""
    del service.answer


def test_sync_goes_on_from_any_page(books: StripeBooks, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stopped before each request in turn, and gone on with: the same tables, and no object asked for in vain."""
    monkeypatch.setattr("pipelines.payments.client.PAGE_SIZE", 8)
    trade(world, 25)
    stops = 0
    while stops < 100:
        stop_after(books.service, books.service.requests + 3)
        try:
            books.fetch()
        except StoppedError:
            stops += 1
            continue
        finally:
            go_on(books.service)
        break
    books.load()
    assert stops > 8
    assert_mirrors(books, world)
    (path,) = (books.folder.root / "stripe").glob("api-*.jsonl")
    lines = path.read_text(encoding="utf-8").splitlines()
    assert len(lines) == len({line.split('"data":', 1)[1] for line in lines})
    assert books.rows("SELECT count(*) FROM stripe.syncs") == [(1,)]


def test_torn_line_of_a_crash_is_cut(books: StripeBooks, world: World) -> None:
    """Half a line at the end of the extract is asked for again."""
    trade(world)
    stop_after(books.service, 6)
    with pytest.raises(StoppedError):
        books.fetch()
    go_on(books.service)
    (path,) = (books.folder.root / "stripe").glob("api-*.jsonl")
    with path.open("ab") as file:
        file.write(b'{"fetched_at":"2026-')
    books.load()
    books.sync()
    assert_mirrors(books, world)
    assert books.rows("SELECT * FROM stripe.rejected") == []


@pytest.mark.parametrize("kind", ["429", "500", "drop", "cut"])
def test_disturbed_requests_are_repeated(books: StripeBooks, world: World, kind: Any) -> None:
    """Every second request fails in one way; the tables are the same."""
    trade(world)
    books.service.faults.script.extend([Fault(kind), None] * 100)
    books.sync()
    assert books.service.faults.happened[kind] > 10
    assert_mirrors(books, world)


def test_retry_after_is_waited_out(books: StripeBooks) -> None:
    """A refusal that says how long to wait is waited out as it says; else the pauses grow."""
    books.service.faults.script.extend([Fault("429", "7"), *[Fault("429")] * 4])
    assert books.api().one("balance") is not None
    assert books.slept[0] == 7
    assert 0.5 <= books.slept[1] <= 1
    assert 4 <= books.slept[4] <= 8


def test_giving_up_keeps_what_was_fetched(books: StripeBooks, world: World) -> None:
    """After ten tries the command ends with words and exit code 5; the next one goes on."""
    trade(world)
    books.service.faults.script.extend([None] * 4 + [Fault("500")] * 10)
    with pytest.raises(
        PaymentServiceError, match=r"Stripe answered 500 for /v1/payment_intents, 10 tries.*goes on"
    ) as gone:
        books.fetch()
    assert gone.value.exit_code == 5
    asked = books.service.requests
    books.sync()
    assert_mirrors(books, world)
    assert "GET balance" not in books.service.seen[asked:]


def test_refused_keys_and_missing_permissions_are_said(books: StripeBooks) -> None:
    """401 names the variable, 403 the resource; neither is tried again."""
    books.service.forbidden = frozenset({"payouts"})
    with pytest.raises(PaymentServiceError, match=r"STRIPE_API_KEY may not read payouts \(403"):
        books.fetch()
    asked = books.service.requests
    with pytest.raises(PaymentServiceError, match=r"refused the key in STRIPE_API_KEY \(401"):
        books.api("rk_test_another").page("charges")
    assert books.service.requests == asked + 1


def test_account_of_the_key_must_be_the_configured_one(books: StripeBooks, world: World) -> None:
    """Another account is refused; a key that may not tell needs the configuration's word."""
    assert checked_account(books.api(), None) == world.account
    assert checked_account(books.api(), world.account) == world.account
    with pytest.raises(ConfigurationError, match="belongs to acct_1TollbookDouble, but these books are of acct_2"):
        checked_account(books.api(), "acct_2")
    books.service.forbidden = frozenset({"account"})
    assert checked_account(books.api(), "acct_2") == "acct_2"
    with pytest.raises(ConfigurationError, match="may not read its account; name it"):
        checked_account(books.api(), None)


def test_rebuilding_from_the_files_gives_the_same_tables(books: StripeBooks, world: World) -> None:
    """Emptied tables are filled from the files alone, to the last column."""
    paid = trade(world)
    books.sync()
    world.now += DAY
    do.refund(world, str(paid[3].charge), at=world.now - 600)
    books.sync()
    before = {table: books.rows(f"SELECT * FROM stripe.{table} ORDER BY ALL") for table in KEYS}
    asked = books.service.requests
    for table in (*KEYS, "loaded_files"):
        books.connection.execute(f"DELETE FROM stripe.{table}")
    books.load()
    assert {table: books.rows(f"SELECT * FROM stripe.{table} ORDER BY ALL") for table in KEYS} == before
    assert books.service.requests == asked
