"""Price books tried on history: what they bill, who runs dry, which recharges fire; and that nothing is written."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import replace
from datetime import UTC, date, datetime
from math import ceil
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from billing_core.packages import SEED_PACKAGES
from pipelines.books.config import load_config
from pipelines.simulate import simulation
from pipelines.simulate.affected import Affected, affected_calls
from pipelines.simulate.candidates import load_candidates
from pipelines.simulate.history import Span
from pipelines.simulate.report import totals
from pipelines.simulate.simulation import Question, simulate
from reports.published import open_published
from tests.cli.conftest import Command
from tests.simulate import trial_books

if TYPE_CHECKING:
    from pathlib import Path

    from pipelines.books.folder import BooksFolder
    from pipelines.simulate.outcome import Account

NOW, LAST = "2026-09-04T06:00:00Z", date(2026, 9, 3)
TOKENS = {event: tokens_in + tokens_out for _, event, _, _, _, tokens_in, tokens_out in trial_books.CALLS}


@pytest.fixture(scope="module")
def books(tmp_path_factory: pytest.TempPathFactory) -> BooksFolder:
    """The trial books, billed day by day and published."""
    root = tmp_path_factory.mktemp("trial") / "books"
    trial_books.write(root)
    command = Command(root.resolve())
    command.bill(NOW, LAST)
    return command.folder


def _tried(
    books: BooksFolder,
    tmp_path: Path,
    *texts: str,
    span: Span | None = None,
    totals_only: bool = False,
    published: Path | None = None,
) -> dict[str, Account]:
    """Simulate rates texts, named b1, b2 ...; accounts by id."""
    paths = []
    for number, text in enumerate(texts, start=1):
        paths.append(tmp_path / f"b{number}.toml")
        paths[-1].write_text(text, encoding="utf-8")
    config = load_config(books)
    candidates = load_candidates(books, config, paths)
    question = Question(
        books={candidate.name: candidate.prices for candidate in candidates}, span=span or Span(),
        packages=SEED_PACKAGES, posted_packages=SEED_PACKAGES, timezone="UTC", totals_only=totals_only,
    )  # fmt: skip
    with open_published(published or books.published) as reader:
        return {account.account_id: account for account in simulate(reader, question)}


def _asked(books: BooksFolder, query: str) -> list[Any]:
    with duckdb.connect(str(books.published), read_only=True) as reader:
        return reader.execute(query).fetchall()


def _multiplier(text: str) -> str:
    return f'[[settings]]\ndefault_token_multiplier = "{text}"\n'


def test_rates_in_force_give_what_was_posted(books: BooksFolder, tmp_path: Path) -> None:
    """Tokens of every account are those of its ledger, its last balance the ledger's; no call is billed otherwise."""
    found = _tried(books, tmp_path, trial_books.RATES)
    posted = dict(_asked(books, "SELECT account_id, -sum(token_amount)::BIGINT FROM books.token_transactions"
                                " WHERE transaction_type = 'usage' GROUP BY 1"))  # fmt: skip
    balances = dict(_asked(books, "SELECT account_id, balance FROM books.token_accounts"))
    assert {name: account.figures["b1"].tokens for name, account in found.items() if name in posted} == posted
    assert {name: account.figures["b1"].balance for name, account in found.items()} == balances
    for account in found.values():
        assert account.figures["b1"] == account.figures["posted"]


def test_other_prices_are_exact_per_call(books: BooksFolder, tmp_path: Path) -> None:
    """Each call rounded up by itself under two books at once; failed and held calls stay free, images as they were."""
    found = _tried(books, tmp_path, _multiplier("1.234567"), _multiplier("3"))
    expected = {"b1": {"ada": 0, "bob": 0, "eve": 6_000}, "b2": {"ada": 0, "bob": 0, "eve": 6_000}}
    for _, event, account, *_ in trial_books.CALLS:
        expected["b1"][account] += ceil(TOKENS[event] * 1_234_567 / 1_000_000)
        expected["b2"][account] += TOKENS[event] * 3
    for book, by_account in expected.items():
        assert {name: found[name].figures[book].tokens for name in by_account} == by_account
    assert (found["eve"].figures["b1"].held_calls, found["eve"].figures["b2"].changed_calls) == (1, 2)


def test_only_calls_of_the_span_are_priced_anew(books: BooksFolder, tmp_path: Path) -> None:
    """From one microsecond on, before another: sums are of the span, balances keep what was posted outside."""
    begins = _us(datetime(2026, 9, 2, 10, tzinfo=UTC))
    ada = _tried(books, tmp_path, _multiplier("2"), span=Span(begins, _us(datetime(2026, 9, 3, 12, tzinfo=UTC))))["ada"]
    assert (ada.calls, ada.figures["posted"].tokens, ada.figures["b1"].tokens) == (1, 3_000, 4_000)
    posted, tried = ada.figures["posted"].balance, ada.figures["b1"].balance
    assert posted is not None
    assert tried == posted - 1_000


def test_rule_for_a_plan_holds_from_its_microsecond_on(books: BooksFolder, tmp_path: Path) -> None:
    """Ada's plan changed at 10:00:00: her call a microsecond before is not of the new plan, the one at it is."""
    rule = '[[rate]]\nid = "team"\nmatch = { plan = "team" }\nmultiplier = "1"\n'
    ada = _tried(books, tmp_path, _multiplier("1.5") + rule)["ada"]
    expected = ceil(TOKENS["e1"] * 1.5) + 3_000 + TOKENS["e5"] + TOKENS["e8"]
    assert ada.figures["b1"].tokens == expected


def test_tiers_stand_at_the_month(books: BooksFolder, tmp_path: Path) -> None:
    """Graduated tiers take each call at its place in the month, also when only a later part of it is asked for."""
    rule = '[[rate]]\nid = "steps"\nmatch = { model = "*" }\n'
    rule += 'graduated = [{ up_to = 3000, multiplier = "2" }, { multiplier = "1" }]\n'
    whole = _tried(books, tmp_path, _multiplier("1.5") + rule)["ada"].figures["b1"].tokens
    assert whole == 3_000 * 2 + (TOKENS["e1"] + TOKENS["e4"] + TOKENS["e5"] + TOKENS["e8"] - 3_000)
    later = Span(_us(datetime(2026, 9, 3, tzinfo=UTC)))
    for totals_only in (False, True):
        found = _tried(books, tmp_path, _multiplier("1.5") + rule, span=later, totals_only=totals_only)["ada"]
        assert found.figures["b1"].tokens == TOKENS["e8"]
    volume = rule.replace("graduated", "volume")
    assert _tried(books, tmp_path, _multiplier("1.5") + volume)["ada"].figures["b1"].tokens == sum(
        TOKENS[event] for event in ("e1", "e4", "e5", "e8")
    )


def test_tokens_that_were_spent_do_not_expire(books: BooksFolder, tmp_path: Path) -> None:
    """Eve's bonus pays for all her calls and then ends: dearer calls leave less to expire, her balance is the same."""
    eve = _tried(books, tmp_path, _multiplier("3"))["eve"].figures
    assert eve["b1"].tokens - eve["posted"].tokens == 3 * 1_507 - 2_100 - 161
    assert (eve["posted"].balance, eve["b1"].balance) == (685_000, 685_000)


def test_who_runs_dry_and_when(books: BooksFolder, tmp_path: Path) -> None:
    """Bob has 10,000 tokens, 1,000 more from 09:00: at 1.5 his call of 13:00 is too much, at 1.1 none.

    At 10 it is his call of 08:00, which came two days late and stands at its own time.
    """
    bob = _tried(books, tmp_path, _multiplier("1.1"), _multiplier("10"))["bob"].figures
    assert bob["posted"].ran_dry_us == _us(datetime(2026, 9, 1, 13, tzinfo=UTC))
    assert bob["b1"].ran_dry_us is None
    assert bob["b2"].ran_dry_us == _us(datetime(2026, 9, 1, 8, tzinfo=UTC))


def test_recharges_fire_below_the_threshold_and_say_why_not(books: BooksFolder, tmp_path: Path) -> None:
    """Ada falls to 4,999 on the second day at 1, never below 5,998 at 0.5; Bob asked too but has no customer."""
    found = _tried(books, tmp_path, _multiplier("1"), _multiplier("0.5"))
    ada = found["ada"].figures
    assert [ada[name].recharges for name in ("posted", "b1", "b2")] == [1, 1, 0]
    assert (ada["b1"].recharged_tokens, ada["b1"].recharged_money) == (150_000, 1_500)
    assert ada["b1"].balance == 10_000 - 1_001 - 4_000 - 3_001, "a recharge that nobody made moves no balance"
    skips = {name: account.recharge_skip for name, account in found.items()}
    assert skips == {"ada": None, "bob": "no_customer", "eve": None, "zoe": None}
    first_day = Span(ends=_us(datetime(2026, 9, 2, tzinfo=UTC)))
    assert _tried(books, tmp_path, _multiplier("1"), span=first_day)["ada"].figures["b1"].recharges == 0


def test_revenue_and_margin(books: BooksFolder, tmp_path: Path) -> None:
    """Eve bought the pro package, Bob what no package is: his own price; ada nothing: the smallest package."""
    found = _tried(books, tmp_path, _multiplier("2"))
    assert {name: account.price.basis for name, account in found.items() if account.price} == {
        "ada": "starter", "bob": "own purchases", "eve": "pro", "zoe": "starter",
    }  # fmt: skip
    bob = found["bob"].figures["b1"]
    assert bob.revenue == round(bob.tokens * 30 / 1_000)
    whole = totals(list(found.values()), "b1", totals_only=False)
    assert whole["revenue"]["eur"] == bob.revenue
    ((unknown,),) = _asked(books, "SELECT count(*) - count(provider_cost_nanousd) FROM books.token_usage")
    assert whole["margin"]["uncosted_calls"] == unknown


def test_margin_is_of_dollars_and_known_costs_alone(books: BooksFolder, tmp_path: Path) -> None:
    """Two of Eve's calls and one of Bob's have a cost: her revenue of those two less theirs; his euro stay apart."""
    copy = tmp_path / "costed.duckdb"
    shutil.copyfile(books.published, copy)
    with duckdb.connect(str(copy)) as connection:
        connection.execute("UPDATE books.token_usage SET provider_cost_nanousd = NULL").fetchall()
        connection.execute(
            "UPDATE books.token_usage SET provider_cost_nanousd = 1234567 WHERE account_id IN ('eve', 'bob')"
            " AND total_tokens IN (1400, 107, 6333)"
        ).fetchall()
    found = _tried(books, tmp_path, _multiplier("200"), published=copy)
    margin = totals(list(found.values()), "b1", totals_only=False)["margin"]
    revenue = round(1_507 * 200 * 6_500 / 750_000)
    assert margin == {
        "revenue_cents": revenue,
        "provider_cost_nanousd": 2 * 1_234_567,
        "margin_nanousd": revenue * 10**7 - 2 * 1_234_567,
        "margin_per_mille": round((revenue * 10**7 - 2 * 1_234_567) * 1_000 / (revenue * 10**7)),
        "uncosted_calls": 8,
        "cost_of_other_currencies_nanousd": 1_234_567,
    }


def test_posted_calls_that_a_change_concerns_are_counted(books: BooksFolder, tmp_path: Path) -> None:
    """Since the 2nd seven calls were posted: one free, one held, one of images; the others cost more at 2."""
    path = tmp_path / "b.toml"
    path.write_text(_multiplier("2"), encoding="utf-8")
    (candidate,) = load_candidates(books, load_config(books), [path])
    with open_published(books.published) as reader:
        affected = affected_calls(reader, candidate.prices, _us(datetime(2026, 9, 2, tzinfo=UTC)), "UTC")
        nothing = affected_calls(reader, candidate.prices, _us(datetime(2027, 1, 1, tzinfo=UTC)), "UTC")
    change = 2 * (2_000 + 2_000 + 107 + 3_001) - (3_000 + 3_000 + 161 + 4_802)
    assert affected == Affected(7, 4, change)
    assert nothing == Affected(0, 0, 0)


def test_shards_leave_no_trace(books: BooksFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A shard of two calls at a time gives the same as all at once."""
    at_once = _tried(books, tmp_path, _multiplier("2"), trial_books.RATES)
    monkeypatch.setattr(simulation, "SHARD_CALLS", 2)
    assert _tried(books, tmp_path, _multiplier("2"), trial_books.RATES) == at_once


def test_totals_are_the_sums_of_the_whole(books: BooksFolder, tmp_path: Path) -> None:
    """Tokens and money of --totals are those of a full simulation; balances are left out."""
    whole = _tried(books, tmp_path, _multiplier("2"))
    short = _tried(books, tmp_path, _multiplier("2"), totals_only=True)
    for name, account in short.items():
        figures = whole[name].figures["b1"]
        assert account.figures["b1"] == replace(
            figures, balance=None, ran_dry_us=None, recharges=0, recharged_tokens=0, recharged_money=0
        )


def test_policies_are_tried_on_the_calls_that_they_are_about(tmp_path: Path) -> None:
    """Cache hits and cancelled streams were posted as free; the rates in force agree, others bill one or both."""
    root = tmp_path / "books"
    trial_books.write(root)
    trial_books.write_flagged(root)
    free = _multiplier("1.5") + 'gateway_cache_hit = "free"\ncancelled_stream = "free"\n'
    (root / "rates.toml").write_text(free, encoding="utf-8")
    command = Command(root.resolve())
    command.bill(NOW, LAST)
    tries = (free, free.replace('hit = "free"', 'hit = "bill"'), _multiplier("1.5"))
    zoe = _tried(command.folder, tmp_path, *tries)["zoe"].figures
    assert [zoe[name].tokens for name in ("posted", "b1", "b2", "b3")] == [150, 150, 1_650, 16_650]
    assert zoe["b1"].changed_calls == 0


def test_history_posted_under_edited_rates_is_counted(books: BooksFolder, tmp_path: Path) -> None:
    """The file was edited after posting: the trial of it says how many calls were billed otherwise."""
    edited = trial_books.RATES.replace('"1.6"', '"1.7"')
    found = _tried(books, tmp_path, edited)
    assert sum(account.figures["b1"].changed_calls for account in found.values()) == 1


def test_nothing_is_written(books: BooksFolder, tmp_path: Path) -> None:
    """No byte and no name in the books folder changes."""

    def state() -> dict[str, str]:
        return {
            str(path): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(books.root.rglob("*")) if path.is_file()
        }  # fmt: skip

    before = state()
    _tried(books, tmp_path, _multiplier("2"))
    assert state() == before


def _us(instant: datetime) -> int:
    return int(instant.timestamp()) * 1_000_000
