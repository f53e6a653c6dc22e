"""Reconciling from the command line: bridges, breaks, the entry that settles one, the word that explains one."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from pipelines.stripe_double import actions as do
from pipelines.stripe_double.export import write_objects
from pipelines.stripe_double.world import World
from tests.cli.conftest import Command, write_inputs
from tests.empty_warehouse import place_books
from tests.pipelines.small_books import place_instance

if TYPE_CHECKING:
    from pathlib import Path

STRIPE = '[stripe]\nmode = "files"\naccount = "acct_t"\nlivemode = false\n'


def _second(day: int, hour: int) -> int:
    return int(datetime(2026, 9, day, hour, tzinfo=UTC).timestamp())


def _credit(number: int, day: int, payment: str | None, cents: int = 1_500, **more: Any) -> str:
    row = {"credit_id": f"c{number}", "account_id": "ada", "transaction_type": "purchase", "token_amount": 150_000}
    row |= {"amount_cents": cents, "currency": "usd", "package_id": "starter", "stripe_payment_intent_id": payment}
    return json.dumps(row | {"occurred_at": f"2026-09-{day:02d}T10:00:30Z"} | more) + "\n"


@pytest.fixture(scope="module")
def paid_books(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two payments that fit, one that nobody credited, one that was credited twice; billed through 4 September."""
    fresh = Command(tmp_path_factory.mktemp("paid").resolve() / "books")
    write_inputs(fresh.root)
    place_books(fresh.folder)
    place_instance(fresh.folder)
    world = World(seed=5, now=_second(5, 6), account="acct_t", livemode=False)
    for_ada = {"account_id": "ada"}
    fits, lost, twice = (do.pay(world, amount=1_500, at=_second(day, 10), metadata=for_ada) for day in (2, 3, 4))
    write_objects(world, fresh.root / "stripe")
    (fresh.root / "credits").mkdir()
    lines = (
        _credit(1, 2, fits.payment_intent) + _credit(2, 4, twice.payment_intent) + _credit(3, 4, twice.payment_intent)
    )
    (fresh.root / "credits/2026-09-04.jsonl").write_text(lines, encoding="utf-8")
    with (fresh.root / "tollbook.toml").open("a", encoding="utf-8") as config:
        config.write(STRIPE)
    assert lost.charge is not None
    assert fresh("run").code == 0
    return fresh.root


@pytest.fixture
def paid(paid_books: Path, tmp_path: Path) -> Command:
    """The command on a copy of the paid books."""
    root = tmp_path.resolve() / "books"
    shutil.copytree(paid_books, root)
    return Command(root)


def _codes(tollbook: Command) -> dict[str, str]:
    return {row["code"]: row["state"] for row in tollbook("--json", "recon", "list").document["breaks"]}


def test_run_reconciles_and_breaks_can_be_settled(paid: Command) -> None:
    """What a run found is settled by its proposed entries: booked once, and posted by the next run."""
    _settle(paid)


@pytest.mark.slow
def test_settled_breaks_are_settled_in_a_rebuild_too(paid: Command) -> None:
    """The books verify, and are the same when they are made anew from their journals."""
    _settle(paid)
    assert paid("verify").code == 0
    assert paid("--json", "verify", "--rebuild").document["history_equal"]


def _settle(paid: Command) -> None:
    assert _codes(paid) == {"payment_not_credited": "break", "duplicate_credit": "break"}
    found = paid("--json", "recon", "list").document["breaks"]
    for row in found:
        shown = paid("--json", "recon", "show", row["break_id"][:12]).document
        assert len(shown["proposed"]) == 1
        assert "books it" in paid("recon", "show", row["break_id"]).out
        wrong = paid("recon", "post", row["break_id"], "--actor", "ann", "--reason", "x", "--account", "bob")
        assert (wrong.code, "the entry is for ada" in wrong.err) == (2, True)
        booked = paid("--json", "recon", "post", row["break_id"], "--actor", "ann", "--reason", "webhook lost")
        assert len(booked.document["booked"]) == 1
        again = paid("--json", "recon", "post", row["break_id"], "--actor", "ann", "--reason", "again").document
        assert (again["booked"], again["already_booked"]) == ([], 1)
        shown_again = paid("recon", "show", row["break_id"]).out
        assert "by ann: webhook lost. A run that bills 2026-09-05 posts it" in shown_again
    assert paid("run", "--through", "today").code == 0
    assert _codes(paid) == {}
    result = paid("--json", "reconcile")
    assert result.code == 0
    (cell,) = result.document["summary"]
    assert (cell["ledger_total"], cell["stripe_total"], cell["residual"], cell["breaks"]) == (4_500, 4_500, 0, 0)


def test_reconcile_exits_with_three_and_prints_the_bridge(paid: Command) -> None:
    """Ledger total, each carrier, Stripe total, residual 0; critical breaks make the exit code, a higher bar not."""
    result = paid("reconcile")
    assert result.code == 3
    said = " ".join(result.out.split())
    for line in ("ledger 45.00 USD", "payment_not_credited break 15.00 USD", "duplicate_credit break -15.00 USD"):
        assert line in said
    assert "= Stripe 45.00 USD" in said
    assert "residual 0 in every bridge" in said
    assert "exit code 3: 2 findings at or over high" in result.err
    assert paid("reconcile", "--fail-on", "never").code == 0
    empty = paid("reconcile", "--period", "2026-08")
    assert (empty.code, "nothing is of 2026-08 to compare" in empty.out) == (0, True)


def test_as_of_looks_no_further(paid: Command) -> None:
    """On the evening of 2 September there was one payment, with its purchase."""
    result = paid("--json", "reconcile", "--as-of", "2026-09-03T00:00:00Z")
    assert result.code == 0
    assert [(cell["ledger_total"], cell["stripe_total"]) for cell in result.document["summary"]] == [(1_500, 1_500)]


@pytest.mark.slow
def test_override_explains_until_it_expires(paid: Command) -> None:
    """An explained break is no finding and stays in the bridge; the first sighting is remembered from run to run."""
    (row,) = paid("--json", "recon", "list", "--code", "duplicate_credit").document["breaks"]
    given = ("--actor", "ben", "--reason", "goodwill", "--until")
    late = paid("recon", "override", row["break_id"], *given, "2026-09-05")
    assert (late.code, "2026-09-05 is over" in late.err) == (2, True)
    assert paid("recon", "override", row["break_id"], *given, "2026-09-20").code == 0
    paid("reconcile")
    assert _codes(paid)["duplicate_credit"] == "overridden"
    shown = paid("recon", "show", row["break_id"]).out
    assert "by ben on 2026-09-05 06:00:00 UTC until 2026-09-20: goodwill" in shown
    (cell,) = paid("--json", "reconcile").document["summary"]
    assert (cell["overridden"], cell["residual"]) == (-1_500, 0)
    paid("reconcile", "--as-of", "2026-09-21T00:00:00Z")
    (later,) = paid("--json", "recon", "list", "--code", "duplicate_credit").document["breaks"]
    assert (later["state"], later["first_seen"]) == ("break", row["first_seen"])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("recon", "show", "brk_nothing"), "no break has this id"),
        (("recon", "show", "brk_"), "more than one begins so: brk_"),
        (("recon", "list", "--code", "payment_not_credit"), "did you mean payment_not_credited?"),
        (("recon", "list", "--state", "open"), "expected one of break, expected"),
        (("recon", "list", "--period", "2026-9"), "expected a month"),
        (("reconcile", "--period", "2026-13"), "expected a month"),
        (("reconcile", "--as-of", "soon"), "expected an instant"),
    ],
)
def test_wrong_words_are_told(paid: Command, arguments: tuple[str, ...], words: str) -> None:
    """What is wrong, and what would be right; exit code 2."""
    result = paid(*arguments)
    assert result.code == 2
    assert words in result.err


def test_sync_without_files_says_where_it_looked(tollbook: Command) -> None:
    """Nothing to load is no failure, but nothing to compare with either."""
    with (tollbook.root / "tollbook.toml").open("a", encoding="utf-8") as config:
        config.write(STRIPE)
    result = tollbook("stripe", "sync")
    assert (result.code, "no file matches stripe/*.jsonl ([stripe] path)" in result.err) == (0, True)
    assert "nothing is reconciled yet" in tollbook("recon", "list").out


def test_books_without_stripe_say_so(tollbook: Command) -> None:
    """Reconciling what is switched off is an error of configuration; a run is none."""
    result = tollbook("reconcile")
    assert result.code == 2
    assert '[stripe] mode is "off"' in result.err
