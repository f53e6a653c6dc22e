"""A large world straight into the typed tables: sales, refunds, disputes and payouts by arithmetic on their number.

Faults are planted by the number of the sale, so that the expected counts are known without a list of labels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.recon.tables import DEFAULTS, load_packages

if TYPE_CHECKING:
    import duckdb

UNCREDITED, PHANTOM, AMOUNT, TWICE, UNNAMED, REFUND, DISPUTE = 499, 997, 983, 1009, 331, 20, 200
"""One sale in so many: not credited, credited without payment, with a wrong amount, twice, without ids; refunded, disputed."""
UNRECORDED = 41
"""One refund in so many is not in the ledger."""

_AT = "TIMESTAMPTZ '2026-09-02 00:00:00+00' + to_microseconds((i * {step})::BIGINT)"
_DAY = "date_trunc('day', {at}) + INTERVAL 3 DAY"
_FEE = "(1500 * 29 // 1000 + 30)"
_STATEMENTS = (
    """INSERT INTO books.account_versions BY NAME
    SELECT 'user-' || i AS account_id, 'user-' || i AS user_id, false AS auto_recharge_enabled, 'cus_' || i AS stripe_customer_id,
        TIMESTAMPTZ '2026-08-01' AS created_at, TIMESTAMPTZ '2026-08-01' AS updated_at, 1 AS posting_id
    FROM range({accounts}) AS numbers(i)""",
    """INSERT INTO stripe.payment_intents BY NAME
    SELECT {pi} AS payment_intent_id, 'succeeded' AS status, 1500 AS amount, 0 AS amount_capturable, 1500 AS amount_received,
        'usd' AS currency, {cus} AS customer_id, {ch} AS latest_charge_id, {meta} AS metadata, {at} AS created, {payment_intents}
    FROM range({count}) AS numbers(i)""",
    """INSERT INTO stripe.charges BY NAME
    SELECT {ch} AS charge_id, 'succeeded' AS status, true AS paid, true AS captured, 1500 AS amount, 1500 AS amount_captured,
        'usd' AS currency, {pi} AS payment_intent_id, {cus} AS customer_id, {txn} AS balance_transaction_id,
        'card' AS payment_method_type, 'US' AS payment_method_country, {meta} AS metadata, {at} AS created, {charges}
    FROM range({count}) AS numbers(i)""",
    """INSERT INTO stripe.refunds BY NAME
    SELECT {re} AS refund_id, 'succeeded' AS status, 500 AS amount, 'usd' AS currency, {ch} AS charge_id, {pi} AS payment_intent_id,
        'txn_r' || {id} AS balance_transaction_id, '{{}}' AS metadata, {at} + INTERVAL 1 HOUR AS created, {refunds}
    FROM range({count}) AS numbers(i) WHERE i % {refund} = 1""",
    """INSERT INTO stripe.disputes BY NAME
    SELECT {dp} AS dispute_id, 'lost' AS status, 1500 AS amount, 'usd' AS currency, {ch} AS charge_id, {pi} AS payment_intent_id,
        ['txn_d' || {id}] AS balance_transaction_ids, '{{}}' AS metadata, {at} + INTERVAL 1 HOUR AS created, {disputes}
    FROM range({count}) AS numbers(i) WHERE i % {dispute} = 2""",
    """INSERT INTO stripe.balance_transactions BY NAME
    SELECT txn AS balance_transaction_id, category AS type, category AS reporting_category, amount, 'usd' AS currency, fee,
        amount - fee AS net, 'available' AS status, source AS source_id, 'payments' AS balance_type,
        CASE WHEN fee = 0 THEN '[]' ELSE '[{{"amount":' || fee || ',"currency":"usd","type":"stripe_fee"}}]' END AS fee_details,
        happened AS created, date_trunc('day', happened) + INTERVAL 2 DAY AS available_on, {balance_transactions}
    FROM (
        SELECT {txn} AS txn, 'charge' AS category, 1500 AS amount, {fee} AS fee, {ch} AS source, {at} AS happened
        FROM range({count}) AS numbers(i)
        UNION ALL SELECT 'txn_r' || {id}, 'refund', -500, 0, {re}, {at} + INTERVAL 1 HOUR
        FROM range({count}) AS numbers(i) WHERE i % {refund} = 1
        UNION ALL SELECT 'txn_d' || {id}, 'dispute', -1500, 0, {dp}, {at} + INTERVAL 1 HOUR
        FROM range({count}) AS numbers(i) WHERE i % {dispute} = 2)""",
    "UPDATE stripe.balance_transactions SET type = 'adjustment' WHERE reporting_category = 'dispute'",
    """INSERT INTO stripe.payout_items BY NAME
    SELECT 'po_' || strftime(available_on, '%Y%m%d') AS payout_id, balance_transaction_id, {payout_items}
    FROM stripe.balance_transactions""",
    """INSERT INTO stripe.payouts BY NAME
    SELECT 'po_' || strftime(available_on, '%Y%m%d') AS payout_id, 'paid' AS status, sum(net)::BIGINT AS amount, 'usd' AS currency,
        true AS automatic, 'standard' AS method, 'completed' AS reconciliation_status, '{{}}' AS metadata,
        available_on + INTERVAL 3 HOUR AS created, available_on + INTERVAL 1 DAY AS arrival_date, {payouts}
    FROM stripe.balance_transactions GROUP BY available_on""",
    """INSERT INTO books.token_transactions BY NAME
    SELECT (printf('%012x', epoch_ms(happened)) || '8' || digest[1:3] || '8' || digest[4:18])::UUID AS transaction_id,
        {user} AS account_id, i + 1 AS account_seq, kind AS transaction_type, tokens AS token_amount,
        0 AS balance_before, tokens AS balance_after, amount AS amount_cents, 'usd' AS currency, intent AS stripe_payment_intent_id,
        refund AS stripe_refund_id, 'stripe' AS settled_by,
        '{{"credit_id":"c' || i || '","package_id":"starter","stripe_charge_id":null,"source_credit_id":null}}' AS metadata,
        happened AS occurred_at, happened AS recorded_at, strftime(happened, '%Y-%m') AS period, 0 AS posting_id
    FROM (
        SELECT i, md5('c' || i) AS digest, 'purchase' AS kind, 150000 AS tokens,
            CASE WHEN i % {amount} = 5 THEN 1400 ELSE 1500 END AS amount,
            CASE WHEN i % {unnamed} = 8 THEN NULL ELSE {pi} END AS intent, NULL AS refund, {at} + INTERVAL 5 SECOND AS happened
        FROM range({count}) AS numbers(i) WHERE i % {uncredited} <> 3
        UNION ALL SELECT i, md5('p' || i), 'purchase', 150000, 1500, 'pi_none' || i, NULL, {at} + INTERVAL 5 SECOND
        FROM range({count}) AS numbers(i) WHERE i % {phantom} = 4
        UNION ALL SELECT i, md5('d' || i), 'purchase', 150000, 1500, {pi}, NULL, {at} + INTERVAL 9 SECOND
        FROM range({count}) AS numbers(i) WHERE i % {twice} = 6 AND i % {uncredited} <> 3 AND i % {unnamed} <> 8
        UNION ALL SELECT i, md5('r' || i), 'refund', -50000, -500, {pi}, {re}, {at} + INTERVAL 1 HOUR
        FROM range({count}) AS numbers(i) WHERE i % {refund} = 1 AND (i // {refund}) % {unrecorded} <> 7 AND i % {uncredited} <> 3
        UNION ALL SELECT i, md5('k' || i), 'chargeback', -150000, -1500, {pi}, NULL, {at} + INTERVAL 1 HOUR
        FROM range({count}) AS numbers(i) WHERE i % {dispute} = 2 AND i % {uncredited} <> 3)
    ORDER BY happened""",
)


def fill(connection: duckdb.DuckDBPyConnection, count: int) -> dict[str, int]:
    """Lay out so many sales over eight weeks; returns how many breaks of each code they hold."""
    step = 55 * 86_400_000_000 // count
    accounts = max(count // 20, 1)
    identity = "(hash(i)::VARCHAR || i)"
    words = {
        "count": count,
        "accounts": accounts,
        "at": _AT.format(step=step),
        "id": identity,
        "pi": f"('pi_3' || {identity})",
        "ch": f"('ch_3' || {identity})",
        "re": f"('re_3' || {identity})",
        "dp": f"('dp_3' || {identity})",
        "txn": f"('txn_3' || {identity})",
        # Neighbours in time are customers far apart, so that looks decide nothing but what they should.
        "cus": f"('cus_' || (i * 7919) % {accounts})",
        "user": f"('user-' || (i * 7919) % {accounts})",
        "meta": f"('{{\"account_id\":\"user-' || (i * 7919) % {accounts} || '\"}}')",
        "fee": _FEE,
        "uncredited": UNCREDITED,
        "phantom": PHANTOM,
        "amount": AMOUNT,
        "twice": TWICE,
        "unnamed": UNNAMED,
        "refund": REFUND,
        "dispute": DISPUTE,
        "unrecorded": UNRECORDED,
        **DEFAULTS,
    }
    for statement in _STATEMENTS:
        connection.execute(statement.format(**words))
    load_packages(connection)
    return planted(connection, count)


def planted(connection: duckdb.DuckDBPyConnection, count: int) -> dict[str, int]:
    """Breaks by code, counted by the same arithmetic."""
    is_uncredited, is_unnamed, is_twice = f"i % {UNCREDITED} = 3", f"i % {UNNAMED} = 8", f"i % {TWICE} = 6"
    # A wrong amount without any id: nothing leads from one side to the other.
    is_lost = f"i % {AMOUNT} = 5 AND {is_unnamed} AND NOT {is_uncredited}"
    twice = f"{is_twice} AND NOT {is_uncredited} AND NOT {is_unnamed}"
    query = f"""
        SELECT count(*) FILTER (({is_uncredited} OR {is_lost}) AND i % {DISPUTE} <> 2),
            count(*) FILTER (i % {PHANTOM} = 4) + count(*) FILTER ({is_lost}),
            count(*) FILTER (i % {AMOUNT} = 5 AND NOT {is_uncredited} AND NOT ({twice}) AND NOT {is_unnamed}),
            count(*) FILTER ({twice}),
            count(*) FILTER (i % {REFUND} = 1 AND (i // {REFUND}) % {UNRECORDED} = 7 AND NOT {is_uncredited})
        FROM range({count}) AS numbers(i)"""  # noqa: S608 figures of ours
    names = (
        "payment_not_credited",
        "credit_without_payment",
        "amount_mismatch",
        "duplicate_credit",
        "refund_not_recorded",
    )
    return dict(zip(names, connection.execute(query).fetchall()[0], strict=True))
