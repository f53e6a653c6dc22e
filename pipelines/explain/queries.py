"""What is asked of the published copy to explain one call or ledger row. Instants come back as text."""

from __future__ import annotations

CALL = """
SELECT * REPLACE (
    usage_id::VARCHAR AS usage_id, lower(hex(event_key)) AS event_key, multiplier::VARCHAR AS multiplier,
    request_metadata::VARCHAR AS request_metadata, occurred_at::VARCHAR AS occurred_at,
    recorded_at::VARCHAR AS recorded_at, billing_date::VARCHAR AS billing_date
) FROM books.token_usage WHERE usage_id = $id::UUID
"""
REVISIONS = """
SELECT revision_no, revision_reason, total_tokens, image_count, billable_tokens, success, rate_id, rate_version,
    settings_version, recorded_at::VARCHAR AS recorded_at, posting_id, file_id, line_no, record_no
FROM books.usage_revisions WHERE usage_id = $id::UUID ORDER BY revision_no
"""
FILE = """
SELECT file_id, source, kind, path, sha256, size_bytes, byte_from, first_line, profile, profile_sha256,
    file_date::VARCHAR AS file_date, posting_id
FROM audit.usage_files WHERE file_id = $file_id
"""
DISPOSITION = """
SELECT disposition, reason FROM audit.current_dispositions
WHERE file_id = $file_id AND line_no = $line_no AND record_no = $record_no
"""
REPEATS = """
SELECT line.disposition, line.reason, file.path, line.line_no, line.record_no, line.posting_id
FROM audit.line_dispositions AS line JOIN audit.usage_files AS file USING (file_id)
WHERE line.event_key = unhex($event_key) AND NOT (line.file_id = $file_id AND line.line_no = $line_no
    AND line.record_no = $record_no)
ORDER BY line.posting_id, line.file_id, line.line_no, line.record_no
"""
RULE = """
SELECT * REPLACE (effective_from::VARCHAR AS effective_from, effective_to::VARCHAR AS effective_to)
FROM books.rates WHERE rate_id = $rate_id AND rate_version = $rate_version
"""
POSITION = """
SELECT position FROM books.tier_positions WHERE usage_id = $usage_id::UUID AND rate_id = $rate_id
"""
SETTINGS = """
SELECT settings_version, effective_from::VARCHAR AS effective_from, effective_to::VARCHAR AS effective_to,
    updated_by, reason, superseded_by, partial_error, gateway_cache_hit, cancelled_stream
FROM books.system_settings WHERE settings_version = $settings_version
"""
_ROW = """
SELECT transaction_id::VARCHAR AS transaction_id, account_id, account_seq, transaction_type, token_amount,
    balance_before, balance_after, amount_cents, currency, usage_id::VARCHAR AS usage_id, stripe_payment_intent_id,
    stripe_refund_id, admin_user_id, corrects_transaction_id::VARCHAR AS corrects_transaction_id,
    lot_id::VARCHAR AS lot_id, tax_cents, discount_cents, settled_by, description, metadata::VARCHAR AS metadata,
    occurred_at::VARCHAR AS occurred_at, recorded_at::VARCHAR AS recorded_at, period, posting_id
FROM books.token_transactions
"""
ROW = f"{_ROW} WHERE transaction_id = $id::UUID"
ROWS_OF_CALL = f"{_ROW} WHERE usage_id = $id::UUID ORDER BY account_seq"
CORRECTIONS = f"{_ROW} WHERE corrects_transaction_id = $id::UUID ORDER BY account_seq"
WAITING = """
SELECT transaction_id::VARCHAR AS transaction_id, account_id, transaction_type, token_amount, amount_cents, currency,
    posted_at::VARCHAR AS posted_at, file_id, line_no
FROM books.credits WHERE transaction_id = $id::UUID
"""
# Where a row stands on its account's tape: after every token debited before it. Expiries are not on the tape, and of a
# refund or chargeback only what its lot could not give back.
INTERVAL = """
WITH debits AS (
    SELECT row.account_seq,
        CASE WHEN row.transaction_type IN ('refund', 'chargeback')
            THEN -row.token_amount - coalesce(withdrawn.tokens, 0)
            ELSE -row.token_amount END AS tape_tokens
    FROM books.token_transactions AS row
    LEFT JOIN (
        SELECT transaction_id, sum(tokens)::BIGINT AS tokens FROM finance.lot_allocations
        WHERE account_id = $account_id AND kind = 'take_back' GROUP BY transaction_id
    ) AS withdrawn USING (transaction_id)
    WHERE row.account_id = $account_id AND row.account_seq <= $account_seq
        AND row.token_amount < 0 AND row.transaction_type <> 'expiry'
)
SELECT (sum(tape_tokens) - sum(tape_tokens) FILTER (account_seq = $account_seq))::BIGINT AS interval_from,
    sum(tape_tokens)::BIGINT AS interval_to
FROM debits
"""
BURNT = """
SELECT moved.kind, greatest(moved.debit_from, $interval_from) AS debit_from,
    least(moved.debit_to, $interval_to) AS debit_to,
    least(moved.debit_to, $interval_to) - greatest(moved.debit_from, $interval_from) AS tokens,
    moved.allocated_at::VARCHAR AS allocated_at, moved.posting_id, moved.lot_id::VARCHAR AS lot_id,
    lot.transaction_id::VARCHAR AS lot_transaction_id, lot.transaction_type AS lot_type, bought.amount_cents,
    bought.currency, bought.stripe_payment_intent_id, bought.occurred_at::VARCHAR AS lot_opened_at, bought.description
FROM finance.lot_allocations AS moved
LEFT JOIN finance.credit_lots AS lot ON lot.lot_id = moved.lot_id
LEFT JOIN books.token_transactions AS bought ON bought.transaction_id = lot.transaction_id
WHERE moved.account_id = $account_id AND moved.kind IN ('burn', 'repay', 'release')
    AND moved.debit_from < $interval_to AND moved.debit_to > $interval_from
ORDER BY moved.posting_id, moved.allocated_at, debit_from
"""
DEBT = """
SELECT coalesce(sum(least(debit_to, $interval_to) - greatest(debit_from, $interval_from)), 0)::BIGINT AS tokens
FROM finance.open_debt
WHERE account_id = $account_id AND debit_from < $interval_to AND debit_to > $interval_from
"""
LOT = """
SELECT balance.* REPLACE (
        balance.lot_id::VARCHAR AS lot_id, balance.effective_at::VARCHAR AS effective_at,
        balance.expires_at::VARCHAR AS expires_at
    ), lot.cost_basis, lot.currency, lot.settings_version, lot.transaction_id::VARCHAR AS transaction_id
FROM finance.lot_balances AS balance JOIN finance.credit_lots AS lot USING (lot_id)
WHERE lot.lot_id = $lot_id::UUID OR lot.transaction_id = $id::UUID
"""
CREDIT = """
SELECT source, credit_id, package_id, stripe_payment_intent_id, stripe_charge_id, source_credit_id, is_welcome,
    occurred_at::VARCHAR AS occurred_at, effective_at::VARCHAR AS effective_at, lower(hex(event_key)) AS event_key,
    file_id, line_no, 1 AS record_no, posting_id
FROM books.credits WHERE transaction_id = $id::UUID
"""
ACTION = """
SELECT seq, actor, action, reason, occurred_at::VARCHAR AS occurred_at, entry_hash FROM audit.admin_actions
WHERE seq = $seq
"""
HELD = """
SELECT path, file_id, line_no, record_no, source, kind, reason, detail, account_id, parsed::VARCHAR AS parsed,
    posting_id
FROM audit.quarantine_open WHERE event_key = unhex($event_key) ORDER BY posting_id, file_id, line_no LIMIT 1
"""
