"""One event, one record: repeats, conflicts, versions, history."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from pipelines.intake.profiles import load_profile
from pipelines.intake.reading import read_retried
from pipelines.intake.sources import RetriedRecord, Source
from tests.intake.world import PLAIN, World, profile_of, usage

if TYPE_CHECKING:
    from pipelines.intake.profiles import Profile

VERSIONED = profile_of(
    'kind = "usage"\ndedup = ["id"]\nversion = "v"\n[time]\npath = "t"\n[account]\ntry = ["account"]\n'
    '[fields]\nmodel = "model"\ninput_tokens = "in"\noutput_tokens = "out"\ncache_read_tokens = "cached"\n'
)


def lines(*records: dict[str, Any]) -> str:
    """JSON lines."""
    return "".join(json.dumps(record) + "\n" for record in records)


def version(number: float, **changes: Any) -> dict[str, Any]:
    """A versioned record."""
    return {"id": "e", "v": number, "t": "2026-10-05T10:00:00Z", "account": "a", "in": 10, "out": 5} | changes


def dispositions(world: World, kind: str = "usage") -> list[str]:
    """Dispositions in order."""
    return [fate[2] for fate in world.fates(kind)]


def test_repeat_in_one_posting_is_a_duplicate_of_the_first(world: World) -> None:
    """Contents are compared on mapped columns: order of keys and unmapped keys do not matter."""
    same = dict(reversed(usage().items())) | {"unmapped": 1}
    world.add("a.jsonl", lines(usage(), same))
    world.add("b.jsonl", lines(usage()))
    world.read()
    assert dispositions(world) == ["accepted", "duplicate", "duplicate"]


def test_two_contents_before_posting_are_all_conflicts(world: World) -> None:
    """Order does not matter: neither is billed, both are kept with the differing field."""
    world.add("a.jsonl", lines(usage(), usage(input_tokens=101), usage()))
    world.read()
    assert dispositions(world) == ["conflict", "conflict", "duplicate"]
    assert world.rows("SELECT DISTINCT reason, detail FROM classified_usage WHERE disposition = 'conflict'") == [
        ("conflict", "input_tokens")
    ]
    kept = world.rows("SELECT raw, kind, reason FROM quarantined_records ORDER BY line_no")
    assert kept == [
        (json.dumps(usage()).encode(), "usage", "conflict"),
        (json.dumps(usage(input_tokens=101)).encode(), "usage", "conflict"),
    ]


def test_posted_record_stands_against_a_later_other_content(world: World) -> None:
    """Equal content is a duplicate, another is the conflict, and its repeat is a duplicate of that conflict."""
    world.add("a.jsonl", lines(usage()))
    world.read()
    world.post()
    world.add("b.jsonl", lines(usage(), usage(model="gpt-5"), usage("new")))
    world.read()
    assert dispositions(world) == ["duplicate", "conflict", "accepted"]
    world.post()
    world.add("c.jsonl", lines(usage(model="gpt-5"), usage(model="gpt-6")))
    world.read()
    assert dispositions(world) == ["duplicate", "conflict"]


def test_open_conflict_keeps_its_key_closed(world: World) -> None:
    """A key whose contents conflict stays held: a repeat is a duplicate, a third content another conflict."""
    world.add("a.jsonl", lines(usage(), usage(input_tokens=101)))
    world.read()
    world.post()
    world.add("b.jsonl", lines(usage(), usage(input_tokens=102)))
    world.read()
    assert dispositions(world) == ["duplicate", "conflict"]


def test_sources_do_not_share_keys(world: World) -> None:
    """The same id in two sources is two events."""
    world.add("a.jsonl", lines(usage()), source="one")
    world.add("b.jsonl", lines(usage()), source="two")
    world.read()
    assert dispositions(world) == ["accepted", "accepted"]


def test_quarantined_line_never_claims_its_key(world: World) -> None:
    """A corrected line with the same id is accepted; a byte-equal repeat of the bad one is its duplicate."""
    bad = usage(input_tokens=-1)
    world.add("a.jsonl", lines(bad, usage(), bad))
    world.read()
    assert dispositions(world) == ["quarantined", "accepted", "duplicate"]
    world.post()
    world.add("b.jsonl", lines(bad))
    world.read()
    assert dispositions(world) == ["duplicate"]
    assert world.rows("SELECT count(*) FROM quarantined_records") == [(0,)]


def test_event_key_is_the_hash_of_source_and_ids(world: World) -> None:
    """sha256 of the compact JSON array."""
    world.add("a.jsonl", lines(usage('e"é\n1'[:3])), source="my source")
    world.read()
    text = json.dumps(["my source", 'e"é'], separators=(",", ":"), ensure_ascii=False)
    assert world.rows(f"SELECT lower(hex(event_key)) = sha256('{text}') FROM classified_usage") == [(True,)]


def test_greatest_version_stands_and_fills_from_earlier_ones(world: World) -> None:
    """The others are superseded; what the greatest leaves out comes from before."""
    world.add(
        "a.jsonl", lines(version(1, model="m"), version(3, **{"in": None, "out": 9}), version(2, model="n")), VERSIONED
    )
    world.read()
    assert sorted(dispositions(world)) == ["accepted", "superseded", "superseded"]
    assert world.one("version::INTEGER, model, input_tokens, output_tokens, supersedes") == (3, "n", 10, 9, False)


def test_later_version_of_a_posted_event_supersedes_it(world: World) -> None:
    """The old record gets a transition; earlier and equal versions change nothing."""
    world.add("a.jsonl", lines(version(2)), VERSIONED)
    world.read()
    world.post()
    world.add("b.jsonl", lines(version(3, out=None, cached=4), version(1, out=1), version(2)), VERSIONED)
    world.read()
    assert world.one("version::INTEGER, output_tokens, cache_read_tokens, supersedes") == (3, 5, 4, True)
    assert world.rows("SELECT file_id, line_no, disposition, previous_disposition FROM disposition_transitions") == [
        (1, 1, "superseded", "accepted")
    ]
    assert sorted(dispositions(world)) == ["accepted", "superseded", "superseded"]
    world.post()
    for again, fate in (
        (version(3, out=None, cached=4), "duplicate"),
        (version(2), "superseded"),
        (version(3, out=6), "conflict"),
    ):
        world.add("c.jsonl", lines(again), VERSIONED)
        world.read()
        assert dispositions(world) == [fate]
        assert world.rows("SELECT count(*) FROM disposition_transitions") == [(0,)]


def test_refused_version_does_not_stand(world: World) -> None:
    """A greatest version that is impossible after filling is quarantined; the next lower one stands."""
    world.add("a.jsonl", lines(version(1, cached=8), version(2, **{"in": 3})), VERSIONED)
    world.read()
    assert dispositions(world) == ["accepted", "quarantined"] or sorted(dispositions(world)) == [
        "accepted",
        "quarantined",
    ]
    assert world.one("version::INTEGER, input_tokens") == (1, 10)
    assert world.rows("SELECT reason, raw IS NOT NULL FROM quarantined_records") == [("inconsistent_usage", True)]


def test_one_version_with_two_contents_is_a_conflict(world: World) -> None:
    """Both are held."""
    world.add("a.jsonl", lines(version(1), version(1, out=6)), VERSIONED)
    world.read()
    assert dispositions(world) == ["conflict", "conflict"]
    assert world.rows("SELECT count(*) FROM quarantined_records") == [(2,)]


def keyed_by(rule: str) -> Profile:
    """A profile without ids."""
    return profile_of(
        f'kind = "usage"\ndedup = "{rule}"\n[time]\npath = "t"\n[account]\nconstant = '
        f'"a"\n[fields]\ninput_tokens = "n"\n'
    )


@pytest.mark.parametrize(
    ("rule", "first", "second"),
    [
        ("line", ["accepted", "duplicate", "accepted"], ["duplicate", "duplicate", "duplicate", "accepted"]),
        ("line_ordinal", ["accepted", "accepted", "accepted"], ["duplicate", "duplicate", "accepted", "accepted"]),
        ("file_line", ["accepted", "accepted", "accepted"], ["accepted", "accepted", "accepted", "accepted"]),
    ],
)
def test_keys_without_ids(world: World, rule: str, first: list[str], second: list[str]) -> None:
    """Whole line; k-th equal line of a file; place in the file."""
    one, two, three = ({"t": "2026-10-05T10:00:00Z", "n": n} for n in (1, 2, 3))
    world.add("a.jsonl", lines(one, one, two), keyed_by(rule))
    world.read()
    assert dispositions(world) == first
    world.post()
    world.add("b.jsonl", lines(one, one, one, three), keyed_by(rule))
    world.read()
    assert dispositions(world) == second


def test_account_versions(world: World) -> None:
    """An equal version is a duplicate, here and in history; another content of the same instant is one more version."""
    account = {"account_id": "a", "created_at": "2026-09-01T00:00:00Z", "status": "active"}
    profile = load_profile("accounts", None)
    world.add("a.jsonl", lines(account, account, account | {"status": "blocked"}), profile)
    world.read()
    assert dispositions(world, "accounts") == ["accepted", "duplicate", "accepted"]
    world.post()
    world.add("b.jsonl", lines(account, account | {"updated_at": "2026-09-02T00:00:00Z"}), profile)
    world.read()
    assert dispositions(world, "accounts") == ["duplicate", "accepted"]


CREDIT = {
    "credit_id": "c1",
    "account_id": "a",
    "transaction_type": "purchase",
    "token_amount": 100,
    "amount_cents": 500,
    "occurred_at": "2026-10-01T00:00:00Z",
}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, None),
        ({"transaction_type": "expiry"}, "unknown_type"),
        ({"transaction_type": "gift"}, "unknown_type"),
        ({"token_amount": -1}, "wrong_sign"),
        ({"token_amount": 1.5}, "invalid_integer"),
        ({"token_amount": 0, "amount_cents": 0}, "zero_amount"),
        ({"transaction_type": "admin_deduction"}, "wrong_sign"),
        ({"transaction_type": "admin_deduction", "token_amount": -5}, None),
        ({"transaction_type": "chargeback"}, "wrong_sign"),
        ({"transaction_type": "refund", "token_amount": -5}, None),
        ({"transaction_type": "refund"}, "unknown_corrected"),
        ({"transaction_type": "correction", "source_credit_id": "nothing"}, "unknown_corrected"),
        ({"currency": "EUR"}, None),
        ({"currency": "xyz"}, "unknown_currency"),
        ({"account_id": None}, "missing_account"),
        ({"credit_id": None}, "missing_id"),
        ({"expires_at": "2026-09-30T00:00:00Z"}, "time_out_of_range"),
        ({"token_amount": 2**63}, "amount_out_of_range"),
    ],
)
def test_credit_rules(world: World, changes: dict[str, Any], reason: str | None) -> None:
    """Types, signs, currency and what a positive correction must name."""
    world.add("c.jsonl", lines(CREDIT | changes), load_profile("credits", None))
    world.read()
    assert [fate[2:] for fate in world.fates("credits")] == [("quarantined" if reason else "accepted", reason)]


def test_credit_history(world: World) -> None:
    """Repeats are duplicates although the posting filled the currency; another amount is a conflict."""
    profile = load_profile("credits", None)
    world.add("c.jsonl", lines(CREDIT), profile)
    world.read()
    world.post()
    world.add("d.jsonl", lines(CREDIT, CREDIT | {"amount_cents": 501}), profile)
    world.read()
    assert dispositions(world, "credits") == ["duplicate", "conflict"]


def test_retry_admits_a_record_whose_account_now_exists(world: World) -> None:
    """It leaves a transition; one that stays quarantined leaves nothing."""
    world.context = replace(world.context, auto_create=False)
    world.add("u.jsonl", lines(usage(account_id="later"), usage("e2", account_id="never")))
    world.read()
    assert [fate[3] for fate in world.fates()] == ["unknown_account"] * 2
    raws = world.rows("SELECT line_no, raw FROM quarantined_records ORDER BY line_no")
    world.post()
    world.add(
        "a.jsonl", lines({"account_id": "later", "created_at": "2026-09-01T00:00:00Z"}), load_profile("accounts", None)
    )
    world.read()
    world.post()
    world.con.execute(
        "INSERT INTO books.token_accounts SELECT 'later', NULL, NULL, 0, 0, 0, 0, 0, false, NULL, "
        "NULL, NULL, NULL, NULL, "
        "'active', 'ok', NULL, now(), now()"
    )
    source = Source("app", "usage", "*", PLAIN)
    retried = [(RetriedRecord(1, number, 1, "u.jsonl", "00", raw), source) for number, raw in raws]
    read_retried(world.con, retried, world.context)
    assert world.rows("SELECT line_no, disposition, account_id, retried FROM classified_usage") == [
        (1, "accepted", "later", True)
    ]
    assert world.rows("SELECT line_no, disposition, previous_disposition FROM disposition_transitions") == [
        (1, "accepted", "quarantined")
    ]
    assert world.rows("SELECT count(*) FROM quarantined_records") == [(0,)]
