"""Check 7 by kind of charge: sound books pass, and any figure, count, rule or place that is changed turns it red."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb
import pytest

from pipelines.warehouse.checks import delta_texts
from pipelines.warehouse.connection import prepare
from tests.warehouse.ledger_books import LedgerBooks, at
from tests.warehouse.test_price_rules import EVERY_KIND, bill_october

if TYPE_CHECKING:
    from collections.abc import Iterator

USAGE = "books.token_usage"
KINDS = ("weighted", "twice", "blocks", "call", "hd", "image_dall_e_3", "default_multiplier", "graduated", "volume")
DEFECTS = {
    **{f"{rate}: a figure grows": f"UPDATE {USAGE} SET billable_tokens = billable_tokens + 1 WHERE rate_id = '{rate}'"
        for rate in KINDS},
    "weighted: a cached token becomes a plain one":
        f"UPDATE {USAGE} SET cache_read_tokens = cache_read_tokens - 10 WHERE cache_read_tokens > 0",
    "weighted: a thought becomes a word": f"UPDATE {USAGE} SET reasoning_tokens = 0 WHERE reasoning_tokens > 0",
    "weighted: a long call is taken for a short one":
        f"UPDATE {USAGE} SET input_tokens = 1000, output_tokens = 2 WHERE input_tokens = 1001",
    "weighted: the rule is rewritten":
        "UPDATE books.rates SET charge = replace(charge::VARCHAR, '\"4\"', '\"5\"')::JSON WHERE rate_id = 'weighted'",
    "multiplier: the rule is rewritten":
        "UPDATE books.rates SET charge = replace(charge::VARCHAR, '2.000001', '2')::JSON WHERE rate_id = 'twice'",
    "multiplier: another account": f"UPDATE {USAGE} SET account_id = 'cyd' WHERE rate_id = 'twice'",
    "package: more tokens": f"UPDATE {USAGE} SET total_tokens = 1001, input_tokens = 1001 WHERE rate_id = 'blocks'",
    "fixed: another provider": f"UPDATE {USAGE} SET provider = 'other' WHERE rate_id = 'call'",
    "fixed: another quality": f"UPDATE {USAGE} SET image_quality = 'standard' WHERE rate_id = 'hd'",
    "fixed: another model": f"UPDATE {USAGE} SET model = 'dall-e-2' WHERE rate_id = 'hd'",
    "fixed: another cost on the row": f"UPDATE {USAGE} SET fixed_cost = 1 WHERE rate_id = 'blocks'",
    "any: a model outside the pattern": f"UPDATE {USAGE} SET model = 'gemini' WHERE rate_id = 'weighted'",
    "any: no rule at all": f"UPDATE {USAGE} SET rate_id = NULL, charge_type = NULL WHERE rate_id = 'twice'",
    "any: a rule that nobody knows": f"UPDATE {USAGE} SET rate_version = 'x' WHERE rate_id = 'twice'",
    "any: another kind": f"UPDATE {USAGE} SET charge_type = 'fixed' WHERE rate_id = 'twice'",
    "any: before the rule began": "UPDATE books.rates SET effective_from = now() WHERE rate_id = 'twice'",
    "tiers: a place is shifted": "UPDATE books.tier_positions SET position = position + 1 WHERE position > 0",
    "tiers: a place is missing": "DELETE FROM books.tier_positions WHERE position = 0",
    "tiers: the rule is rewritten":
        "UPDATE books.rates SET charge = replace(charge::VARCHAR, '1.1', '1.2')::JSON WHERE rate_id = 'graduated'",
    "tiers: a true-up goes too far":
        "UPDATE books.usage_revisions SET billable_tokens = 0, multiplier = 0 WHERE revision_reason = 'trued_up'",
}  # fmt: skip
WRONG_RULES = {
    "a wider one: that of the settings":
        f"UPDATE {USAGE} SET rate_id = 'default_multiplier', rate_version = settings_version, multiplier = 1.5,"
        " billable_tokens = 150 WHERE rate_id = 'twice'",
    "of another plan": "UPDATE books.account_versions SET plan = 'free' WHERE account_id = 'bob'",
    "of the plan, which came later": "UPDATE books.account_versions SET posting_id = 9 WHERE account_id = 'bob'",
    "of a plan that the account had": "UPDATE books.account_versions SET plan = 'block' WHERE account_id = 'cyd'",
    "of another account": f"UPDATE {USAGE} SET account_id = 'cyd' WHERE rate_id = 'twice'",
    "ended by then": "UPDATE books.rate_states SET effective_to = TIMESTAMPTZ '2026-09-02 00:00:00+00'",
    "not in the file by then": "UPDATE books.rate_states SET is_in_file = false WHERE rate_id = 'blocks'",
    "not known by then": "UPDATE books.rate_states SET posting_id = 9 WHERE rate_id = 'hd'",
    "none, though one names the model":
        f"UPDATE {USAGE} SET rate_id = NULL, rate_version = NULL, charge_type = NULL, fixed_cost = NULL,"
        " billable_tokens = NULL WHERE rate_id = 'hd'",
}  # fmt: skip
GUARDED = (
    USAGE, "books.usage_revisions", "books.rates", "books.rate_states", "books.tier_positions",
    "books.account_versions",
)  # fmt: skip


@pytest.fixture(scope="module")
def posted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    """The database of books with a call of every kind and a month that was trued up, without its guards."""
    books = LedgerBooks(tmp_path_factory.mktemp("priced") / "books", rates=EVERY_KIND)
    books.account()
    books.account("bob", plan="block")
    books.account("cyd")
    parts = {"cache_read_tokens": 40, "cache_write_1h_tokens": 10, "reasoning_tokens": 5, "audio_input_tokens": 20}
    books.call("w", 2, 100, model="claude-x", output_tokens=20, **parts)
    books.call("l", 2, 1001, model="anthropic/claude-x", output_tokens=1)
    books.call("t", 2, 100, model="gpt-5")
    books.call("o", 2, 1000, model="gpt-5", account_id="bob")
    books.call("f", 2, 100, provider="flat")
    image = {"operation_type": "image", "image_count": 2, "model": "dall-e-3"}
    books.call("i", 2, 0, image_quality="HD", image_size="1024x1024", **image)
    books.call("j", 2, 0, image_quality="standard", **image)
    books.call("d", 2, 100)
    books.call("c", 2, 100, account_id="cyd")
    for event, model, hour in (("g1", "g-1", 1), ("g2", "g-1", 2), ("v1", "v-1", 1), ("v2", "v-1", 2)):
        books.call(event, 2, 70, model=model, occurred_at=at(2, hour))
    books.bill(2)
    bill_october(books, 1)
    books.close()
    with duckdb.connect(str(books.folder.database)) as connection:
        prepare(connection, books.folder.database.parent / "tmp", "500MB", None)
        for name, schema, table in connection.execute(
            "SELECT trigger_name, schema_name, table_name FROM duckdb_triggers()"
        ).fetchall():
            if f"{schema}.{table}" in GUARDED:
                connection.execute(f"DROP TRIGGER {name} ON {schema}.{table}")
        yield connection


def failing(connection: duckdb.DuckDBPyConnection, check: str = "recomputed_price") -> tuple[int, int]:
    """Rows that the full form finds, and the delta forms of all postings together."""
    (full,) = connection.execute(f"SELECT count(*) FROM checks.{check}").fetchall()[0]
    delta = delta_texts()[check]
    postings = connection.execute("SELECT posting_id FROM audit.postings").fetchall()
    return full, sum(len(connection.execute(delta, {"posting_id": number}).fetchall()) for (number,) in postings)


def test_every_kind_is_there_and_sound(posted: duckdb.DuckDBPyConnection) -> None:
    """Neither form finds anything."""
    found = {rate for (rate,) in posted.execute(f"SELECT DISTINCT rate_id FROM {USAGE}").fetchall()}
    assert set(KINDS) <= found
    assert posted.execute("SELECT count(*) FROM books.usage_revisions").fetchall() == [(1,)]
    assert failing(posted) == (0, 0)
    assert failing(posted, "narrowest_rule") == (0, 0)


@pytest.mark.parametrize("name", DEFECTS)
def test_defect_turns_both_forms_red(posted: duckdb.DuckDBPyConnection, name: str) -> None:
    """Whatever part of a price is not what its rule says."""
    assert min(failing_with(posted, DEFECTS[name], "recomputed_price")) > 0


@pytest.mark.parametrize("name", WRONG_RULES)
def test_a_call_of_a_wrong_rule_turns_both_forms_red(posted: duckdb.DuckDBPyConnection, name: str) -> None:
    """By whatever of the rule, the call or its account the narrowest one was another."""
    assert min(failing_with(posted, WRONG_RULES[name], "narrowest_rule")) > 0


def test_the_right_price_of_a_wrong_rule_is_found_by_the_rule_alone(posted: duckdb.DuckDBPyConnection) -> None:
    """The figure is what the named rule says, so only the rule itself is wrong."""
    assert failing_with(posted, WRONG_RULES["a wider one: that of the settings"], "recomputed_price") == (0, 0)


def failing_with(connection: duckdb.DuckDBPyConnection, statement: str, check: str) -> tuple[int, int]:
    """The rows that both forms find after a statement, which is taken back."""
    connection.execute("BEGIN")
    try:
        connection.execute(statement)
        return failing(connection, check)
    finally:
        connection.execute("ROLLBACK")
