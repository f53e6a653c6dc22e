"""Archived deliveries: signed by Stripe or not taken; twice, late or of another version they undo nothing."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest

from billing_core.errors import ConfigurationError
from pipelines.stripe_double import actions as do
from pipelines.stripe_double.webhooks import delivery, write_archive

if TYPE_CHECKING:
    from pipelines.stripe_double.world import World
    from tests.payments.stripe_books import StripeBooks

SECRET = "whsec_double"  # noqa: S105 it signs what the tests make up
DAY = 86_400


@pytest.fixture
def archive(books: StripeBooks, monkeypatch: pytest.MonkeyPatch) -> StripeBooks:
    """Books that read an archive."""
    text = books.folder.config.read_text(encoding="utf-8")
    more = 'mode = "files"\nwebhook_secret_env = "WEBHOOK_SECRET"'
    books.folder.config.write_text(text.replace('mode = "api"', more), encoding="utf-8")
    monkeypatch.setenv("WEBHOOK_SECRET", f"whsec_former, {SECRET}")
    return books


def write(books: StripeBooks, *lines: dict[str, Any], name: str = "a.jsonl") -> None:
    """Write deliveries."""
    write_archive(books.folder.root / "stripe" / "webhooks" / name, lines)


def events_of(world: World, kind: str) -> list[dict[str, Any]]:
    """The events of a kind, oldest first."""
    return [event for event in world.objects("event") if event["type"] == kind]


def delivered(event: dict[str, Any], after: int = 5) -> dict[str, Any]:
    """A delivery some seconds after the event."""
    return delivery(event, SECRET, event["created"] + after)


def dispute_story(world: World) -> list[dict[str, Any]]:
    """The events of a dispute from its opening to its end, three days apart."""
    begin = world.now - 30 * DAY
    opened = do.dispute(world, str(do.pay(world, amount=900, at=begin).charge), at=begin + DAY)
    do.close_dispute(world, opened, "won", at=begin + 4 * DAY)
    return [event for event in world.objects("event") if event["type"].startswith("charge.dispute")]


def test_events_make_the_objects_that_they_show(archive: StripeBooks, world: World) -> None:
    """Without any other source the last event of an object says how it is."""
    write(archive, *[delivered(event) for event in world_events(world)])
    assert archive.load().rejected == 0
    assert archive.rows("SELECT status, len(balance_transaction_ids) FROM stripe.disputes") == [("won", 2)]
    assert len(archive.ids("events")) == len(list(world.objects("event")))


def world_events(world: World) -> list[dict[str, Any]]:
    """All events of a world with a dispute."""
    dispute_story(world)
    return list(world.objects("event"))


def test_order_and_repetition_of_deliveries_do_not_matter(archive: StripeBooks, world: World) -> None:
    """Backwards and twice: the same tables, each event once."""
    events = world_events(world)
    write(archive, *[delivered(event) for event in events])
    archive.load()
    expected = archive.tables()
    write(archive, *[delivered(event, 60) for event in [*reversed(events), *events]], name="b.jsonl")
    archive.load()
    assert archive.tables() == expected


def test_event_does_not_undo_what_was_seen_after_it(archive: StripeBooks, world: World) -> None:
    """A dispute that an export shows as won stays won, though its first event comes afterwards."""
    opened, *_ = dispute_story(world)
    (archive.folder.root / "stripe").mkdir(exist_ok=True)
    thing = next(world.objects("dispute"))
    (archive.folder.root / "stripe" / "disputes.jsonl").write_text(json.dumps(thing) + "\n", encoding="utf-8")
    archive.load()
    write(archive, delivered(opened))
    archive.load()
    assert archive.rows("SELECT status FROM stripe.disputes") == [("won",)]
    assert archive.ids("events") == [opened["id"]]


def test_payload_of_another_version_is_not_taken(archive: StripeBooks, world: World) -> None:
    """The event is recorded; what it shows in another shape changes nothing."""
    *_, closed = dispute_story(world)
    write(archive, delivered({**closed, "api_version": "2019-12-03"}))
    archive.load()
    assert archive.rows("SELECT api_version, type FROM stripe.events") == [("2019-12-03", "charge.dispute.closed")]
    assert archive.ids("disputes") == []


def test_fetched_event_is_followed_by_a_look_not_by_its_payload(books: StripeBooks, world: World) -> None:
    """In the API's feed an event rendered by another version, or stale, does not say how the object is."""
    world.api_version = "2019-12-03"
    paid = do.pay(world, amount=900, at=world.now - 300)
    (event,) = events_of(world, "charge.succeeded")
    event["data"]["object"]["amount"] = 1
    books.sync()
    assert books.rows("SELECT charge_id, amount FROM stripe.charges") == [(paid.charge, 900)]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"signature": "t=1,v1=00"}, "bad_signature"),
        ({"signature": None}, "missing_field"),
        ({"payload": None}, "missing_field"),
        ({"received_at": "2027-01-01T00:00:00Z"}, "stale_signature"),
        ({"received_at": "soon"}, "invalid_field"),
        ({"payload": None, "payload_base64": "***"}, "invalid_field"),
    ],
)
def test_delivery_that_is_not_stripes_is_rejected(
    archive: StripeBooks, world: World, change: dict[str, Any], reason: str
) -> None:
    """Bad, missing or stale signatures, bodies that are not what was signed."""
    event = world_events(world)[0]
    write(archive, {**delivered(event), **change})
    archive.load()
    assert archive.rows("SELECT reason FROM stripe.rejected") == [(reason,)]
    assert archive.ids("events") == []


def test_altered_body_is_rejected_and_an_event_of_live_mode_too(archive: StripeBooks, world: World) -> None:
    """One changed amount breaks the signature; a signed event of the other mode is still of the other mode."""
    event = world_events(world)[0]
    line = delivered(event)
    altered = {**line, "payload": line["payload"].replace("900", "901")}
    live = delivered({**event, "livemode": True})
    write(archive, line, altered if altered != line else {**line, "payload": "{}"}, live)
    archive.load()
    assert archive.rows("SELECT source_line, reason FROM stripe.rejected ORDER BY 1") == [
        (2, "bad_signature"), (3, "other_mode"),
    ]  # fmt: skip


def test_body_may_be_kept_as_bytes(archive: StripeBooks, world: World) -> None:
    """Base64 of the very bytes is verified like the text."""
    line = delivered(world_events(world)[0])
    coded = base64.b64encode(line.pop("payload").encode()).decode()
    write(archive, {**line, "payload_base64": coded})
    assert archive.load().rejected == 0


def test_archive_is_not_read_without_its_secret(
    archive: StripeBooks, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not configured: said; configured and not set: refused."""
    write(archive, delivered(world_events(world)[0]))
    monkeypatch.delenv("WEBHOOK_SECRET")
    with pytest.raises(ConfigurationError, match="WEBHOOK_SECRET is not set"):
        archive.load()
    text = archive.folder.config.read_text(encoding="utf-8")
    archive.folder.config.write_text(text.replace('webhook_secret_env = "WEBHOOK_SECRET"', ""), encoding="utf-8")
    assert archive.load().notices == ["stripe/webhooks/a.jsonl: not read: [stripe] webhook_secret_env is not set"]
    assert archive.ids("events") == []
