"""Odd worlds are reconciled as the plain model says, cent by cent and row by row."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import pytest

from bench.recon.engine import run
from tests.reconciliation.conftest import opened_world, recon_content
from tests.reconciliation.odd_worlds import odd_world
from tests.reconciliation.plain_model import Sides, open_amounts, period, role, sides
from tests.reconciliation.plain_returns import found_disputes, found_refunds

if TYPE_CHECKING:
    import duckdb

    from bench.recon.world import Row
    from tests.reconciliation.conftest import OpenWorld

SEEDS = [*range(3), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(3, 63))]
KEYS = {
    "payment_intents": "payment_intent_id",
    "charges": "charge_id",
    "refunds": "refund_id",
    "disputes": "dispute_id",
    "balance_transactions": "balance_transaction_id",
    "checkout_sessions": "checkout_session_id",
}


class Match(NamedTuple):
    """A row of recon.matches."""

    group_key: str
    kind: str
    state: str
    code: str | None
    confidence: str | None
    transaction_id: str | None
    movement_id: str | None
    ledger: tuple[int, str, str] | None
    """(amount, currency, month), and the same of Stripe's side."""
    stripe: tuple[int, str, str] | None


class Line(NamedTuple):
    """A carrier line of bridge A."""

    group_key: str
    period: str
    currency: str
    state: str
    code: str
    amount: int


@dataclass(frozen=True)
class Reconciled:
    """An odd world after its reconciliation, beside what the model says of it."""

    model: Sides
    matches: list[Match]
    lines: list[Line]
    residuals: list[tuple[object, ...]]
    candidates: set[tuple[str, str]]

    def groups(self) -> dict[str, Match]:
        """Where each row of the ledger went, by transaction id."""
        return {item.transaction_id: item for item in self.matches if item.transaction_id}

    def money(self) -> dict[str, Row]:
        """The ledger's rows with money, by transaction id."""
        return {row["transaction_id"]: row for row in self.model.ledger}


@pytest.fixture(scope="module", params=SEEDS)
def reconciled(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Reconciled:
    """One world of each seed, reconciled once for all that is asked of it."""
    world, changes = odd_world(request.param)
    with opened_world(tmp_path_factory.mktemp("odd") / "world.duckdb", world) as (connection, plain):
        terms = replace(plain, **changes)
        run(connection, terms)
        return Reconciled(
            model=sides(world, terms),
            matches=_matches(connection),
            lines=_lines(connection),
            residuals=_residuals(connection),
            candidates=_candidates(connection),
        )


def _matches(connection: duckdb.DuckDBPyConnection) -> list[Match]:
    found = connection.execute(
        "SELECT group_key, kind, state, code, confidence, transaction_id::VARCHAR, movement_id,"
        " ledger_amount, ledger_currency, ledger_period, stripe_amount, stripe_currency, stripe_period"
        " FROM recon.matches"
    ).fetchall()
    return [Match._make((*row[:7], row[7:10] if row[5] else None, row[10:] if row[6] else None)) for row in found]


def _lines(connection: duckdb.DuckDBPyConnection) -> list[Line]:
    found = connection.execute("SELECT group_key, period, currency, state, code, amount FROM recon.lines").fetchall()
    return [Line(*row) for row in found]


def _residuals(connection: duckdb.DuckDBPyConnection) -> list[tuple[object, ...]]:
    return connection.execute("SELECT * FROM recon.bridge WHERE line = 'residual' AND amount <> 0").fetchall()


def _candidates(connection: duckdb.DuckDBPyConnection) -> set[tuple[str, str]]:
    return set(connection.execute("SELECT transaction_id::VARCHAR, payment_key FROM recon.candidates").fetchall())


def test_every_row_of_the_ledger_is_in_one_group(reconciled: Reconciled) -> None:
    """Each row with money that Stripe settles has one place, with its own amount, currency and month."""
    expected = Counter(
        (row["transaction_id"], (row["amount_cents"], row["currency"], row["period"]))
        for row in reconciled.model.ledger
    )
    assert Counter((item.transaction_id, item.ledger) for item in reconciled.matches if item.ledger) == expected


def test_every_movement_is_in_one_group(reconciled: Reconciled) -> None:
    """The movements are the model's: as many, signed, in the customer's currency, in the month of the books' zone."""
    model = reconciled.model
    expected = Counter(
        (item.movement_id, (item.amount, item.currency, period(item.moved_at, model.timezone)))
        for item in model.movements
    )
    assert Counter((item.movement_id, item.stripe) for item in reconciled.matches if item.stripe) == expected


def test_no_bridge_leaves_anything_over(reconciled: Reconciled) -> None:
    """The residual of all four bridges is 0, in every month and currency."""
    assert reconciled.residuals == []


def test_carrier_lines_are_all_that_keeps_the_sides_apart(reconciled: Reconciled) -> None:
    """Stripe less ledger, by the model's own sums per month and currency, is what the lines add up to."""
    carried: Counter[tuple[str, str]] = Counter()
    for line in reconciled.lines:
        carried[line.period, line.currency] += line.amount
    assert {place: amount for place, amount in carried.items() if amount} == open_amounts(reconciled.model)


def test_group_has_a_line_for_what_is_open_in_it(reconciled: Reconciled) -> None:
    """One line per month and currency that a group leaves open, with its amount, and none beside."""
    left: Counter[tuple[str, str, str]] = Counter()
    for item in reconciled.matches:
        for sign, side in ((-1, item.ledger), (1, item.stripe)):
            if side is not None:
                amount, currency, month = side
                left[item.group_key, month, currency] += sign * amount
    lines = sorted((line.group_key, line.period, line.currency, line.amount) for line in reconciled.lines)
    assert lines == sorted((*place, amount) for place, amount in left.items() if amount)


def test_group_has_one_state_and_one_code(reconciled: Reconciled) -> None:
    """All rows and lines of a group say the same of it."""
    said: dict[str, set[tuple[str, str | None]]] = defaultdict(set)
    for match in reconciled.matches:
        said[match.group_key].add((match.state, match.code))
    for line in reconciled.lines:
        said[line.group_key].add((line.state, line.code))
    assert {key: states for key, states in said.items() if len(states) > 1} == {}


def test_timing_comes_to_nothing(reconciled: Reconciled) -> None:
    """The timing lines of all months add up to 0 in every group and currency."""
    moved: Counter[tuple[str, str]] = Counter()
    for line in reconciled.lines:
        if line.state == "timing":
            moved[line.group_key, line.currency] += line.amount
    assert {place: amount for place, amount in moved.items() if amount} == {}


def test_credits_find_their_payment(reconciled: Reconciled) -> None:
    """A credit is in the group of the payment that the model finds, and by itself where it finds none or several."""
    model, groups = reconciled.model, reconciled.groups()
    names = [row["transaction_id"] for row in model.ledger if role(row) == "credit"]
    expected = {name: model.named.get(name) or model.guessed.get(name) or name for name in names}
    assert {name: groups[name].group_key for name in names} == expected


def test_looks_count_only_where_nothing_is_named(reconciled: Reconciled) -> None:
    """The credits that are called guesses are those that the model had to guess."""
    credited = {name for name, row in reconciled.money().items() if role(row) == "credit"}
    guesses = {name for name, item in reconciled.groups().items() if item.confidence == "heuristic"}
    assert guesses & credited == set(reconciled.model.guessed)


def test_candidates_are_listed_where_none_is_chosen(reconciled: Reconciled) -> None:
    """A credit that names two payments, or looks like several, and each of these."""
    assert reconciled.candidates == reconciled.model.candidates


def test_refunds_find_theirs(reconciled: Reconciled) -> None:
    """By the id that they name, else the k-th of an amount with the k-th; with none of Stripe's where there is none."""
    mirror, groups, found = reconciled.model.mirror, reconciled.groups(), found_refunds(reconciled.model)
    refunds = {refund["refund_id"] for refund in mirror.refunds}
    assert {name: groups[name].group_key if groups[name].group_key in refunds else None for name in found} == found


def test_chargebacks_find_their_dispute(reconciled: Reconciled) -> None:
    """The k-th of a payment is in the group of its k-th dispute; with none of Stripe's where there is none."""
    mirror, groups, found = reconciled.model.mirror, reconciled.groups(), found_disputes(reconciled.model)
    disputes = {dispute["dispute_id"] for dispute in mirror.disputes}
    assert {name: groups[name].group_key if groups[name].group_key in disputes else None for name in found} == found


def test_corrections_are_with_what_they_correct(reconciled: Reconciled) -> None:
    """However long the chain is, a correction is in the group of the row that it names."""
    groups, money = reconciled.groups(), reconciled.money()
    based = {
        name: groups[row["corrects_transaction_id"]].group_key
        for name, row in money.items()
        if role(row) == "adjustment" and row["corrects_transaction_id"] in money
    }
    assert {name: groups[name].group_key for name in based} == based


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(0, 63, 3))
def test_order_and_threads_change_nothing(open_world: OpenWorld, seed: int) -> None:
    """The mirror's rows in any order, read by one thread or several, give the same tables."""
    world, changes = odd_world(seed, 120)
    with open_world(world) as (connection, plain):
        terms = replace(plain, **changes)
        run(connection, terms)
        before = recon_content(connection)
        for table, key in KEYS.items():
            connection.execute(f"CREATE TEMP TABLE shuffled AS FROM stripe.{table} ORDER BY hash({key})")
            connection.execute(f"DELETE FROM stripe.{table}")
            connection.execute(f"INSERT INTO stripe.{table} FROM shuffled")
            connection.execute("DROP TABLE shuffled")
        connection.execute("SET threads = 1")
        run(connection, terms)
        assert recon_content(connection) == before
