"""Every check is turned red by a planted defect: that check, and only those that the same defect must also show."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from billing_core.errors import CheckFailedError
from pipelines.billing import publish_books
from pipelines.verification import proofs, verify_books
from pipelines.warehouse.checks import checks, delta_texts
from pipelines.warehouse.hashes import history_hash
from tests.warehouse.ledger_books import LedgerBooks, at

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

RATES = (
    "[[settings]]\nnew_user_bonus_tokens = 50\n"
    '[[settings]]\neffective_from = 2026-09-05\nnew_user_bonus_tokens = 50\ndefault_token_multiplier = "2"\n'
    '[[rate]]\nid = "cyd"\nmatch = { account = "cyd" }\nmultiplier = "1.5"\n'
    '[[rate]]\nid = "cyds-chats"\nmatch = { account = "cyd", operation = "chat" }\nmultiplier = "1.5"\n'
    '[[rate]]\nid = "team"\nmatch = { workspace = "w", plan = "pro" }\nmultiplier = "1.5"\n'
)
ALWAYS = {"block_hashes", "published_copy"}
"""A row that was changed is not what was sealed, nor what was published."""
USAGE = "books.token_usage"
LEDGER = "books.token_transactions"
MOVES = "finance.lot_allocations"
FIRST_CHARGE = f"rowid = (SELECT min(rowid) FROM {LEDGER} WHERE transaction_type = 'usage' AND account_id = 'ada')"

# As if a run had looked at nothing: what stands in recon then has no ground.
_RUN = (
    "INSERT INTO recon.parameters VALUES (TIMESTAMPTZ '1970-01-01 00:00:00+00', 'UTC', 'files', 'a', false, NULL, NULL,"
    " [], [], [], false, 0, 0); "
)

# name of the defect: (what an attacker runs, checks that must turn red, checks that may).
DEFECTS: dict[str, tuple[str, set[str], set[str]]] = {
    "a disposition is rewritten": (
        "UPDATE audit.line_dispositions SET disposition = 'duplicate' WHERE file_id = 3 AND line_no = 1",
        {"line_conservation"}, {"seals", "block_hashes", "published_copy"},
    ),
    "a record vanishes from the trail": (
        "DELETE FROM audit.line_dispositions WHERE file_id = 3 AND line_no = 1",
        {"line_conservation"}, {"published_copy"},
    ),
    "a file is said to hold more": (
        "UPDATE audit.usage_files SET received = received + 1, accepted = accepted + 1 WHERE file_id = 3",
        {"line_conservation", "seals", "block_hashes"}, ALWAYS,
    ),
    "a call is removed": (
        f"DELETE FROM {USAGE} WHERE usage_id = (SELECT min(usage_id) FROM {USAGE} WHERE billable_tokens > 0)",
        {"line_conservation", "one_row_per_event", "seals"}, {*ALWAYS, "account_balance"},
    ),
    "a charge is removed": (
        f"DELETE FROM {LEDGER} WHERE {FIRST_CHARGE}",
        {"one_row_per_event", "running_balance", "account_balance", "seals"}, {*ALWAYS, "lots", "corrections"},
    ),
    "a charge is moved to another account": (
        (f"UPDATE {LEDGER} SET account_id = 'bob', account_seq = 2, balance_before = 50,"
            f" balance_after = 50 + token_amount WHERE {FIRST_CHARGE}"),
        {"one_row_per_event", "running_balance"}, {*ALWAYS, "account_balance", "lots", "corrections"},
    ),
    "a charge grows": (
        (f"UPDATE {LEDGER} SET token_amount = token_amount - 1, balance_after = balance_after - 1"
            f" WHERE {FIRST_CHARGE}"),
        {"one_row_per_event", "running_balance", "account_balance"}, {*ALWAYS, "lots"},
    ),
    "a number is missing": (
        f"UPDATE {LEDGER} SET account_seq = 1000 WHERE account_id = 'ada' AND account_seq = 2",
        {"running_balance"}, {*ALWAYS, "account_balance"},
    ),
    "a balance is raised": (
        "UPDATE books.token_accounts SET balance = balance + 1 WHERE account_id = 'ada'",
        {"account_balance"}, {"published_copy"},
    ),
    "a lifetime figure is lowered": (
        "UPDATE books.token_accounts SET lifetime_spent_cents = lifetime_spent_cents - 1 WHERE account_id = 'ada'",
        {"account_balance"}, {"published_copy"},
    ),
    "an account in debt looks well": (
        "UPDATE books.token_accounts SET status = 'active', balance_level = 'ok' WHERE account_id = 'cyd'",
        {"account_balance", "accounts_as_stated"}, {"published_copy"},
    ),
    "a lot holds more than was bought": (
        "UPDATE finance.credit_lots SET token_amount = token_amount + 1 WHERE transaction_type = 'purchase'",
        {"lots"}, ALWAYS,
    ),
    "a lot cost less than was paid": (
        "UPDATE finance.credit_lots SET cost_basis = cost_basis - 1 WHERE transaction_type = 'purchase'",
        {"lots"}, ALWAYS,
    ),
    "a lot ends later": (
        "UPDATE finance.credit_lots SET expires_at = expires_at + INTERVAL 1 DAY WHERE expires_at IS NOT NULL",
        {"block_hashes", "lots_as_stated"}, ALWAYS,
    ),
    "paid tokens burned before free ones": (
        (f"UPDATE {MOVES} SET lot_id = (SELECT lot_id FROM finance.credit_lots WHERE transaction_type = 'purchase')"
            f" WHERE rowid = (SELECT min(rowid) FROM {MOVES} WHERE kind = 'burn' AND account_id = 'ada'"
            " AND lot_id IN (SELECT lot_id FROM finance.credit_lots WHERE transaction_type = 'bonus'))"),
        {"burn_order"}, {*ALWAYS, "lots", "lots_as_stated"},
    ),
    "a burn lies elsewhere on the tape": (
        (f"UPDATE {MOVES} SET debit_from = debit_from + 1, debit_to = debit_to + 1"
            f" WHERE rowid = (SELECT min(rowid) FROM {MOVES} WHERE kind = 'burn')"),
        {"lots"}, ALWAYS,
    ),
    "a burn happened before its lot": (
        f"UPDATE {MOVES} SET allocated_at = TIMESTAMPTZ '2020-01-01 00:00:00+00' WHERE kind = 'burn'",
        {"lots"}, {*ALWAYS, "periods"},
    ),
    "the same tokens are given back twice": (
        f"INSERT INTO {MOVES} SELECT * FROM {MOVES} WHERE kind = 'release' AND debit_from IS NOT NULL LIMIT 1",
        {"lots", "seals"}, ALWAYS,
    ),
    "debt is forgiven in silence": ("DELETE FROM finance.open_debt", {"lots"}, {"published_copy"}),
    "an expiry brings money in": (
        f"UPDATE {LEDGER} SET amount_cents = 5, currency = 'usd' WHERE transaction_type = 'expiry'",
        {"signs"}, ALWAYS,
    ),
    "a carrier line carries what nobody moved": (
        f"{_RUN} INSERT INTO recon.lines VALUES ('pi_1', '2026-09', 'usd', 'break', 'amount_mismatch', 5)",
        {"reconciliation_residual"}, {"published_copy"},
    ),
    "a match names a row that is not there": (
        (f"{_RUN} INSERT INTO recon.placements (group_key, kind, state, movement_id)"
        " VALUES ('pi_1', 'payment', 'matched', 'txn_1')"),
        {"match_groups"}, {"published_copy"},
    ),
    "a payout is not the sum of its items": (
        ("INSERT INTO recon.breaks BY NAME SELECT 'brk_1' AS break_id, 'payout_total_mismatch' AS code,"
        " 'critical' AS severity, 'break' AS state, 0 AS residual_amount, 5 AS amount_at_stake,"
        " now() AS first_seen, 0 AS age_days, '' AS resolution, 'po_1' AS subject"),
        {"stripe_balance"}, {"published_copy"},
    ),
    "more is refunded than was paid": (
        f"{_RUN} UPDATE {LEDGER} SET amount_cents = -2000 WHERE transaction_type = 'refund'",
        {"returned_money"}, {*ALWAYS, "account_balance", "credits_posted"},
    ),
    "a refund brings money in": (
        f"UPDATE {LEDGER} SET amount_cents = -amount_cents WHERE transaction_type = 'refund'",
        {"signs", "account_balance", "credits_posted"}, {*ALWAYS, "returned_money"},
    ),
    "money without a currency": (
        f"UPDATE {LEDGER} SET currency = NULL WHERE transaction_type = 'refund'",
        {"signs"}, {*ALWAYS, "account_balance", "credits_posted"},
    ),
    "a price is not what its rule says": (
        (f"UPDATE {USAGE} SET total_tokens = total_tokens + 10, input_tokens = input_tokens + 10"
            f" WHERE usage_id = (SELECT min(usage_id) FROM {USAGE} WHERE billable_tokens > 0)"),
        {"recomputed_price"}, {*ALWAYS, "account_balance", "recomputed_cost"},
    ),
    "the multiplier of the time is rewritten": (
        "UPDATE books.system_settings SET default_token_multiplier = 1 WHERE effective_from IS NULL",
        {"recomputed_price", "dated_versions"}, {"published_copy"},
    ),
    "a call is charged by a wider rule of the same price": (
        (f"UPDATE {USAGE} SET rate_id = 'cyd', rate_version = wide.rate_version FROM books.rates AS wide"
            " WHERE wide.rate_id = 'cyd' AND token_usage.rate_id = 'cyds-chats'"),
        {"narrowest_rule"}, ALWAYS,
    ),
    "the plan was another": (
        "UPDATE books.account_versions SET plan = 'free' WHERE account_id = 'bob'",
        {"narrowest_rule", "block_hashes"}, ALWAYS,
    ),
    "the workspace was another": (
        "UPDATE books.account_versions SET workspace_id = 'v' WHERE account_id = 'bob'",
        {"narrowest_rule", "block_hashes"}, {*ALWAYS, "accounts_as_stated"},
    ),
    "the file did not hold the rule": (
        "UPDATE books.rate_states SET is_in_file = false WHERE rate_id = 'team'",
        {"narrowest_rule", "block_hashes"}, ALWAYS,
    ),
    "a cost is not what its price says": (
        f"UPDATE {USAGE} SET provider_cost_nanousd = provider_cost_nanousd + 1 WHERE provider_cost_nanousd > 0",
        {"recomputed_cost", "block_hashes"}, ALWAYS,
    ),
    "an unknown cost is taken for none": (
        f"UPDATE {USAGE} SET model = 'gpt-99', provider_cost_nanousd = 0",
        {"recomputed_cost", "block_hashes"}, {*ALWAYS, "narrowest_rule"},
    ),
    "a provider's price is rewritten": (
        "UPDATE books.provider_prices SET price_usd = price_usd + 0.01 WHERE unit = 'input_tokens'",
        {"recomputed_cost", "block_hashes"}, ALWAYS,
    ),
    "settings leave a gap": (
        "UPDATE books.system_settings SET effective_to = effective_to - INTERVAL 1 DAY WHERE effective_to IS NOT NULL",
        {"settings_cover_time"}, {"published_copy", "recomputed_price"},
    ),
    "settings overlap": (
        "UPDATE books.system_settings SET effective_to = NULL",
        {"settings_cover_time"}, {"published_copy"},
    ),
    "a column of binary floats": (
        "ALTER TABLE finance.open_debt ADD COLUMN share DOUBLE",
        {"no_floats"}, {"published_copy"},
    ),
    "a head is rewritten": (
        "UPDATE audit.postings SET head = repeat('0', 64) WHERE posting_id = 2",
        {"seals", "chain_of_heads"}, {"published_copy"},
    ),
    "a figure of a posting is rewritten": (
        "UPDATE audit.postings SET tokens_billed = tokens_billed + 1 WHERE posting_id = 2",
        {"chain_of_heads"}, {"published_copy"},
    ),
    "a block is rewritten to match": (
        "UPDATE audit.blocks SET sha256 = repeat('0', 64) WHERE posting_id = 2 AND block_no = 1",
        {"chain_of_heads", "block_hashes"}, {"published_copy"},
    ),
    "a row is backdated": (
        f"UPDATE {LEDGER} SET recorded_at = recorded_at - INTERVAL 1 DAY WHERE transaction_type = 'refund'",
        {"recorded_at"}, ALWAYS,
    ),
    "a second welcome": (
        (f"UPDATE {LEDGER} SET transaction_type = 'bonus', metadata = '{{\"welcome\":true}}'"
            " WHERE transaction_type = 'purchase' AND account_id = 'ada'"),
        {"welcome_once"}, {*ALWAYS, "account_balance", "lots", "credits_posted", "accounts_as_stated"},
    ),
    "a correction names nothing": (
        f"UPDATE {LEDGER} SET corrects_transaction_id = uuid() WHERE transaction_type = 'correction'",
        {"corrections"}, ALWAYS,
    ),
    "a credit record loses its ledger row": (
        f"DELETE FROM {LEDGER} WHERE transaction_type = 'refund'",
        {"credits_posted", "running_balance", "account_balance"}, {*ALWAYS, "lots", "seals"},
    ),
    "a grant nobody entered": (
        f"UPDATE {LEDGER} SET transaction_id = uuid() WHERE transaction_type = 'purchase'",
        {"credits_posted"}, {*ALWAYS, "lots", "corrections"},
    ),
    "a rule is rewritten": (
        "UPDATE books.rates SET book_sha256 = repeat('0', 64)",
        {"block_hashes"}, {"published_copy"},
    ),
    "a reason is rewritten": (
        "UPDATE audit.line_dispositions SET reason = 'blank_line' WHERE disposition = 'superseded'",
        {"block_hashes"}, {"published_copy"},
    ),
    "a later version is rewritten": (
        "UPDATE books.usage_versions SET version = version + 1",
        {"block_hashes"}, ALWAYS,
    ),
    "the money of a refund is doubled": (
        f"UPDATE {LEDGER} SET amount_cents = amount_cents * 2 WHERE transaction_type = 'refund'",
        {"credits_posted", "account_balance"}, {*ALWAYS, "returned_money", "reconciliation_residual"},
    ),
    "a welcome is kept back": (
        f"DELETE FROM {LEDGER} WHERE transaction_type = 'bonus' AND account_id = 'cyd'",
        {"credits_posted"}, {*ALWAYS, "lots", "running_balance", "account_balance", "seals"},
    ),
    "a customer is another's": (
        "UPDATE books.token_accounts SET stripe_customer_id = 'cus_other' WHERE account_id = 'ada'",
        {"accounts_as_stated"}, {"published_copy"},
    ),
    "an account is blocked by nobody": (
        "UPDATE books.token_accounts SET status = 'blocked' WHERE account_id = 'ada'",
        {"accounts_as_stated"}, {"published_copy"},
    ),
    "a level hides that little is left": (
        ("UPDATE books.token_accounts SET balance_level = CASE balance_level WHEN 'ok' THEN 'low' ELSE 'ok' END"
            " WHERE account_id = 'ada'"),
        {"accounts_as_stated"}, {"published_copy"},
    ),
    "a lot ranks before others": (
        "UPDATE finance.credit_lots SET priority = priority - 1 WHERE transaction_type = 'purchase'",
        {"lots_as_stated"}, ALWAYS,
    ),
    "a row stands in another month": (
        f"UPDATE {LEDGER} SET period = '1999-09' WHERE transaction_type = 'expiry'",
        {"periods"}, {*ALWAYS, "reconciliation_residual"},
    ),
    "a threshold is rewritten": (
        "UPDATE books.system_settings SET low_balance_threshold = 7 WHERE effective_from IS NULL",
        {"dated_versions"}, {"published_copy", "accounts_as_stated"},
    ),
    "a package gets cheaper": (
        "UPDATE books.token_pricing SET price_cents = price_cents - 1 WHERE package_id = 'pro'",
        {"dated_versions"}, {"published_copy"},
    ),
    "a posting is said to be of another kind": (
        "UPDATE audit.postings SET kind = 'retry' WHERE posting_id = 2",
        {"chain_of_heads"}, {"published_copy"},
    ),
    "an id stands twice": (
        (f"UPDATE {LEDGER} SET transaction_id = (SELECT transaction_id FROM {LEDGER} WHERE {FIRST_CHARGE})"
            " WHERE transaction_type = 'usage' AND account_id = 'cyd'"),
        {"unique_ids"}, ALWAYS,
    ),
    "a key stands in two events": (
        f"UPDATE {USAGE} SET event_key = (SELECT min(event_key) FROM {USAGE})",
        {"unique_ids"}, {*ALWAYS},
    ),
    "a description is rewritten": (
        f"UPDATE {LEDGER} SET description = 'something else' WHERE transaction_type = 'expiry'",
        {"block_hashes"}, ALWAYS,
    ),
    "an account version is rewritten": (
        "UPDATE books.account_versions SET plan = 'enterprise' WHERE account_id = 'ada'",
        {"block_hashes"}, ALWAYS,
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def posted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three accounts with every kind of row, billed over six dates and published."""
    books = LedgerBooks(tmp_path_factory.mktemp("posted") / "books", rates=RATES)
    for name in ("ada", "cyd"):
        books.account(name)
    books.account("bob", workspace_id="w", plan="pro")
    books.credit("p", "purchase", 1000, 1, amount_cents=1000, currency="usd")
    books.credit("gift", "bonus", 60, 1, expires_at=at(3))
    books.call("e1", 2, 100)
    books.call("c1", 2, 100, account_id="cyd")
    books.version(1, 2, 100, t=at(2, 12))
    books.version(2, 4, 40, t=at(2, 12))
    books.credit("r", "refund", -100, 5, amount_cents=100, currency="usd", source_credit_id="p")
    books.call("e2", 6, 100)
    books.credit("brief", "bonus", 70, 1, account_id="bob", expires_at=at(4))
    books.call("late", 2, 10, file_day=6, account_id="bob")
    books.bill(6)
    publish_books(books.opened())
    books.close()
    return books.root


@pytest.fixture
def books(posted: Path, tmp_path: Path) -> Iterator[LedgerBooks]:
    """A copy of the posted books."""
    shutil.copytree(posted, tmp_path / "books")
    copy = LedgerBooks(tmp_path / "books", rates=RATES)
    yield copy
    copy.close()


def attack(database: Path, *statements: str) -> None:
    """Run statements on the closed file as its owner can: the guards are dropped and made again around them."""
    with duckdb.connect(str(database)) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        guards = connection.execute(
            "SELECT trigger_name, schema_name, table_name, sql FROM duckdb_triggers()"
        ).fetchall()
        for name, schema, table, _ in guards:
            connection.execute(f"DROP TRIGGER {name} ON {schema}.{table}")
        for statement in statements:
            connection.execute(statement)
        for *_, text in guards:
            connection.execute(text)


@pytest.fixture(scope="module")
def unguarded(posted: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LedgerBooks]:
    """A copy of them, opened, that nothing protects: what a test plants there it takes back."""
    root = tmp_path_factory.mktemp("unguarded") / "books"
    shutil.copytree(posted, root)
    books = LedgerBooks(root, rates=RATES)
    for name, table in books.rows("SELECT trigger_name, schema_name || '.' || table_name FROM duckdb_triggers()"):
        books.opened().connection.execute(f"DROP TRIGGER {name} ON {table}")
    yield books
    books.close()


@contextmanager
def planted(books: LedgerBooks, statement: str) -> Iterator[duckdb.DuckDBPyConnection]:
    """The books with a defect, until it is taken back."""
    connection = books.opened().connection
    connection.execute("BEGIN")
    try:
        connection.execute(statement)
        yield connection
    finally:
        connection.execute("ROLLBACK")


def red(books: LedgerBooks) -> set[str]:
    """The checks of a full verification that found something."""
    return {outcome.name for outcome in verify_books(books.folder).outcomes if not outcome.passed}


def test_sound_books_are_green(books: LedgerBooks) -> None:
    """Every kind of row is there, and no check finds anything."""
    assert red(books) == set()
    kinds = {row[0] for row in books.rows(f"SELECT DISTINCT transaction_type FROM {LEDGER}")}
    assert kinds == {"bonus", "purchase", "usage", "expiry", "correction", "refund"}


def test_every_check_has_a_defect() -> None:
    """No check in force goes without a defect that turns it red."""
    turned = set().union(*(must for _, must, _ in DEFECTS.values()))
    assert {check.name for check in checks()} | {"block_hashes", "chain_of_heads"} <= turned


def _planted() -> Iterator[Any]:
    """Every defect; between them those of the default suite turn red each check whose delta is not shown below."""
    turned = set(delta_texts())
    for name, (_, must, _) in DEFECTS.items():
        yield pytest.param(name, marks=() if must - turned else pytest.mark.slow)
        turned |= must


@pytest.mark.parametrize("defect", list(_planted()))
def test_planted_defect_turns_its_check_red(unguarded: LedgerBooks, defect: str) -> None:
    """The named checks turn red, and no other than those that the defect concerns as well."""
    statement, must, may = DEFECTS[defect]
    with planted(unguarded, statement) as connection:
        proved = proofs(connection, unguarded.folder, unguarded.opened().config)
        found = {outcome.name for outcome in proved if not outcome.passed}
    assert must <= found <= must | may


def test_published_copy_of_another_state_is_found(books: LedgerBooks) -> None:
    """One row changed in the copy that readers see is found, and the live books stay green otherwise."""
    with duckdb.connect(str(books.folder.published)) as connection:
        connection.execute("UPDATE books.token_accounts SET balance = balance + 1")
    assert red(books) == {"published_copy"}


MINE = "WHERE posting_id = (SELECT max(posting_id) FROM audit.postings)"
MY_CALLS = f"{MINE} AND transaction_type = 'usage'"
# What faulty code would have written into the last posting, by the delta form that must find it.
PLANTED: dict[str, str] = {
    "line_conservation": f"INSERT INTO audit.line_dispositions SELECT * FROM audit.line_dispositions {MINE} LIMIT 1",
    "one_row_per_event": f"DELETE FROM {LEDGER} {MY_CALLS}",
    "running_balance": f"UPDATE {LEDGER} SET balance_before = 1, balance_after = 1 + token_amount {MINE}",
    "account_balance": "UPDATE books.token_accounts SET balance = balance + 1 WHERE account_id = 'ada'",
    "lots": f"DELETE FROM {MOVES} {MINE}",
    "signs": f"UPDATE {LEDGER} SET amount_cents = 5 {MY_CALLS}",
    "recomputed_price": f"UPDATE {USAGE} SET total_tokens = total_tokens + 10, input_tokens = input_tokens + 10 {MINE}",
    "narrowest_rule": "UPDATE books.account_versions SET plan = 'free' WHERE account_id = 'bob'",
    "settings_cover_time": "UPDATE books.system_settings SET effective_to = NULL",
    "welcome_once": (
        f"UPDATE {LEDGER} SET transaction_type = 'bonus', token_amount = -token_amount,"
        f" balance_after = balance_before - token_amount, metadata = '{{\"welcome\":true}}' {MY_CALLS}"
    ),
    "corrections": f"UPDATE {LEDGER} SET corrects_transaction_id = uuid() {MINE}",
    "credits_posted": f"UPDATE {LEDGER} SET metadata = '{{\"seq\":7}}' {MY_CALLS}".replace(
        "SET", "SET transaction_type = 'admin_deduction',"
    ),
}
BEFORE_THE_LAST = f"""
CREATE OR REPLACE TEMP TABLE settled_accounts AS SELECT account_id FROM books.account_heads;
CREATE OR REPLACE TEMP TABLE due_credits AS FROM books.credits {MINE};
CREATE OR REPLACE TEMP TABLE due_actions AS FROM audit.admin_actions LIMIT 0;
CREATE OR REPLACE TEMP TABLE opening_heads AS
SELECT head.account_id, coalesce(arg_max(balance_after, row.account_seq), 0) AS balance,
    coalesce(max(row.account_seq), 0) AS account_seq, true AS welcomed
FROM books.account_heads AS head
LEFT JOIN {LEDGER} AS row
    ON row.account_id = head.account_id AND row.posting_id < (SELECT max(posting_id) FROM audit.postings)
GROUP BY head.account_id
"""
"""The temporary tables that a posting hands to its deltas, as they were before the last one."""


def test_every_delta_has_a_planted_row() -> None:
    """No delta form goes without."""
    assert delta_texts().keys() == PLANTED.keys()


@pytest.mark.parametrize("name", PLANTED)
def test_delta_form_finds_the_planted_row(unguarded: LedgerBooks, name: str) -> None:
    """Run over the last posting as if it had just written the row, the delta names it; the sound posting passes."""
    with planted(unguarded, BEFORE_THE_LAST) as connection:
        assert _delta(connection, name) == 0
        connection.execute(PLANTED[name])
        connection.execute(BEFORE_THE_LAST)
        assert _delta(connection, name) > 0


def _delta(connection: duckdb.DuckDBPyConnection, name: str) -> int:
    """Failing rows of a delta over the last posting."""
    last = connection.execute("SELECT max(posting_id) FROM audit.postings").fetchall()[0][0]
    query = delta_texts()[name]
    return len(connection.execute(query, {"posting_id": last} if "$posting_id" in query else None).fetchall())


@pytest.mark.parametrize(
    ("name", "statement"),
    [
        ("account_balance", "UPDATE books.token_accounts SET balance = balance + 1 WHERE account_id = 'ada'"),
        pytest.param(
            "account_balance",
            "UPDATE books.account_heads SET balance = balance + 1 WHERE account_id = 'ada'",
            marks=pytest.mark.slow,
        ),
        ("lots", "UPDATE finance.credit_lots SET token_amount = token_amount + 1 WHERE transaction_type = 'purchase'"),
    ],
)
def test_posting_on_falsified_books_is_rolled_back(books: LedgerBooks, name: str, statement: str) -> None:
    """The next posting of the account finds what was changed before it, and leaves the books byte for byte."""
    attack(books.folder.database, statement)
    books.call("e3", 7, 10)
    before = _history(books)
    with pytest.raises(CheckFailedError, match=f"{name}: 1 rows") as caught:
        books.bill(7)
    books.close()
    assert caught.value.failing[name] == 1
    assert _history(books) == before


def _history(books: LedgerBooks) -> str:
    with duckdb.connect(str(books.folder.database), read_only=True) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        return history_hash(connection)
