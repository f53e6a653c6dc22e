"""What a simulation reads of the published copy: calls in runs, every other ledger row, lots that end, accounts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from billing_core.charges import TierCharge, TokenCharge
from billing_core.rating import EVENT_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import duckdb

    from billing_core.price_book import PriceBook

RUN_ROWS = 500_000
"""Calls that are priced at a time."""

_ACCOUNTS = """
CREATE OR REPLACE TEMP TABLE simulated_accounts AS
SELECT (row_number() OVER (ORDER BY account_id) - 1)::INTEGER AS account, account_id
FROM books.token_accounts WHERE hash(account_id) % $shards = $shard
"""
_COUNTS = tuple(name for name in EVENT_COLUMNS if name.endswith("_tokens") and name != "total_tokens")
_ALWAYS = ("operation_type", "model", "total_tokens", "image_count", "success", "gateway_cache_hit", "cancelled")
_STATED = {
    "provider": "provider",
    "image_size": "image_size",
    "image_quality": "image_quality",
    "account": "account_id",
}
_CALLS = """
SELECT {columns}
FROM books.usage_current AS call
JOIN simulated_accounts USING (account_id)
{versions}
WHERE occurred_at >= coalesce(make_timestamptz($begins), occurred_at)
    AND occurred_at < coalesce(make_timestamptz($ends), 'infinity'::TIMESTAMPTZ)
"""
# The account as it was when the call happened, as known now; its first version reaches back without limit.
_VERSIONS = """
ASOF LEFT JOIN (
    SELECT account_id, plan, workspace_id AS workspace, CASE
        WHEN row_number() OVER (PARTITION BY account_id ORDER BY updated_at) = 1 THEN '-infinity'::TIMESTAMPTZ
        ELSE updated_at END AS starts_at
    FROM (
        FROM books.account_versions QUALIFY row_number() OVER (
            PARTITION BY account_id, updated_at
            ORDER BY created_at DESC, file_id DESC NULLS LAST, line_no DESC NULLS LAST
        ) = 1
    )
) AS version ON version.account_id = call.account_id AND version.starts_at <= call.occurred_at
"""
# Every row but those of calls: what a call costs comes from the price books. What lots do by themselves is kept apart.
_OTHERS = """
SELECT account, epoch_us(occurred_at) AS occurred_us, row.transaction_id::VARCHAR AS transaction_id, transaction_type,
    token_amount, row.lot_id::VARCHAR AS lot_id, corrects_transaction_id::VARCHAR AS corrects_transaction_id,
    CASE WHEN transaction_type = 'expiry' THEN 0 WHEN token_amount < 0 THEN 2 ELSE 1 END AS rank,
    transaction_type = 'expiry' OR named.is_expiry IS NOT NULL AS by_lots
FROM books.token_transactions AS row
JOIN simulated_accounts USING (account_id)
LEFT JOIN (
    SELECT transaction_id, true AS is_expiry FROM books.token_transactions WHERE transaction_type = 'expiry'
) AS named ON named.transaction_id = row.corrects_transaction_id
WHERE usage_id IS NULL AND token_amount <> 0
"""
_LOTS = """
SELECT account, lot_id::VARCHAR AS lot_id, transaction_id::VARCHAR AS transaction_id, priority,
    epoch_us(effective_at) AS effective_us, epoch_us(expires_at) AS expires_us
FROM finance.credit_lots JOIN simulated_accounts USING (account_id)
WHERE account_id IN (SELECT account_id FROM finance.credit_lots WHERE expires_at IS NOT NULL)
"""
_PEOPLE = """
WITH bought AS (
    SELECT account_id, currency, sum(token_amount)::BIGINT AS tokens,
        sum(amount_cents - coalesce(tax_cents, 0))::BIGINT AS money,
        arg_max(token_amount, account_seq) AS last_tokens,
        arg_max({'id': metadata->>'package_id'}, account_seq).id AS last_package_id
    FROM books.token_transactions
    WHERE transaction_type IN ('purchase', 'auto_recharge') AND amount_cents > 0
    GROUP BY ALL
), given AS (
    SELECT account_id, sum(token_amount)::BIGINT AS tokens FROM books.token_transactions
    WHERE transaction_type IN ('bonus', 'admin_grant')
        AND occurred_at >= coalesce(make_timestamptz($begins), occurred_at)
        AND occurred_at < coalesce(make_timestamptz($ends), 'infinity'::TIMESTAMPTZ)
    GROUP BY account_id
)
SELECT account, account_id, lower(coalesce(owner.currency, 'usd')) AS currency, auto_recharge_enabled,
    auto_recharge_threshold, auto_recharge_amount, stripe_customer_id IS NOT NULL AS has_customer,
    default_payment_method_id IS NOT NULL AS has_payment_method, balance, coalesce(bought.tokens, 0) AS bought_tokens,
    coalesce(bought.money, 0) AS bought_money, bought.last_tokens, bought.last_package_id,
    coalesce(given.tokens, 0) AS given_tokens
FROM books.token_accounts AS owner JOIN simulated_accounts USING (account_id)
LEFT JOIN given ON given.account_id = owner.account_id
LEFT JOIN bought ON bought.account_id = owner.account_id
    AND lower(bought.currency) = lower(coalesce(owner.currency, 'usd'))
ORDER BY account
"""


@dataclass(frozen=True)
class Span:
    """Calls from `begins` (inclusive) to `ends` (exclusive), in epoch microseconds; None without limit."""

    begins: int | None = None
    ends: int | None = None


def count_calls(reader: duckdb.DuckDBPyConnection) -> int:
    """How many calls the copy holds."""
    return int(reader.execute("SELECT count(*) FROM books.token_usage").fetchall()[0][0])


class History:
    """The published copy, or a shard of its accounts, opened for one simulation."""

    def __init__(self, reader: duckdb.DuckDBPyConnection, shard: int = 0, shards: int = 1) -> None:
        """Number the accounts of the shard in the order of their ids; every query is of them alone."""
        self._reader = reader
        reader.execute(_ACCOUNTS, {"shard": shard, "shards": shards})

    def accounts(self, span: Span) -> pl.DataFrame:
        """account, account_id, currency, auto-recharge and purchase columns, free tokens of the span; by account."""
        return self._frame(_PEOPLE, {"begins": span.begins, "ends": span.ends})

    def calls(self, books: Sequence[PriceBook], span: Span) -> Iterator[pl.DataFrame]:
        """The calls of a span in runs: account, row_id, what the books look at, posted tokens and provider cost."""
        query = _CALLS.format(
            columns=", ".join(self._columns(books)), versions=_VERSIONS if _look_at(books, "plan", "workspace") else ""
        )
        bounds = {"begins": span.begins, "ends": span.ends}
        first = 0
        for batch in self._reader.sql(query, params=bounds).to_arrow_reader(RUN_ROWS):
            frame = pl.from_arrow(batch)
            assert isinstance(frame, pl.DataFrame), "a batch of columns"
            yield frame.with_columns(row_id=pl.int_range(first, first + frame.height, dtype=pl.Int64))
            first += frame.height

    def others(self) -> pl.DataFrame:
        """Every ledger row but those of calls: account, occurred_us, rank, token_amount, and what lots need."""
        return self._frame(_OTHERS)

    def ending_lots(self) -> pl.DataFrame:
        """Every lot of the accounts that have one with an end."""
        return self._frame(_LOTS)

    def horizon_us(self) -> int:
        """The end of the last billing date, in epoch microseconds; lots that end before it have ended."""
        found = self._reader.execute(
            "SELECT epoch_us((max(billing_date) + 1)::TIMESTAMPTZ) FROM audit.postings"
        ).fetchall()
        return int(found[0][0] or 0)

    def _columns(self, books: Sequence[PriceBook]) -> list[str]:
        columns = ["account", "epoch_us(occurred_at) AS occurred_us", "billable_tokens AS posted"]
        columns += ["provider_cost_nanousd", *_ALWAYS]
        columns += [name for key, name in _STATED.items() if _look_at(books, key)]
        if any(_tells_kinds_apart(book) for book in books):
            columns += _COUNTS
        if _look_at(books, "plan", "workspace"):
            columns += ["version.plan", "version.workspace"]
        if any(is_tiered(book) for book in books):
            columns += ["usage_id::VARCHAR AS order_id"]
        return ["call.account_id AS account_id" if column == "account_id" else column for column in columns]

    def _frame(self, query: str, parameters: Mapping[str, object] | None = None) -> pl.DataFrame:
        frame: pl.DataFrame = self._reader.sql(query, params=dict(parameters or {})).pl()
        return frame


def is_tiered(book: PriceBook) -> bool:
    """Whether some rule of a book charges by the month's tiers."""
    return any(isinstance(rule.charge, TierCharge) for rule in book.rates)


def _look_at(books: Iterable[PriceBook], *keys: str) -> bool:
    return any(key in rule.match.stated() for book in books for rule in book.rates for key in keys)


def _tells_kinds_apart(book: PriceBook) -> bool:
    """Whether a rule weighs kinds of tokens apart, or looks at the input alone."""
    charges: list[Any] = [rule.charge for rule in book.rates]
    return any(isinstance(c, TokenCharge) and (not c.is_multiplier or c.above is not None) for c in charges)
