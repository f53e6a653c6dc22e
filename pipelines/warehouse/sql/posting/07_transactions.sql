-- Ledger rows: usage straight from its events, everything else from the entries; both in account order.
INSERT INTO books.token_transactions BY NAME
SELECT
    rated.transaction_id, usage.account_id, seq.account_seq, usage.workspace_id, 'usage' AS transaction_type,
    -rated.billable_tokens AS token_amount, seq.balance_before, seq.balance_after, rated.usage_id, usage.occurred_at,
    $recorded_at AS recorded_at, strftime(timezone($timezone, usage.occurred_at), '%Y-%m') AS period,
    $posting_id AS posting_id
FROM sequenced AS seq
JOIN usage_rated AS rated ON rated.row_id = seq.entry_id
JOIN classified_usage AS usage ON usage.row_id = seq.entry_id
ORDER BY usage.account_id, seq.account_seq;

INSERT INTO books.token_transactions BY NAME
SELECT
    entry.transaction_id, entry.account_id, seq.account_seq, entry.workspace_id, entry.transaction_type,
    entry.token_amount, seq.balance_before, seq.balance_after, entry.amount_cents, entry.currency, entry.usage_id,
    entry.stripe_payment_intent_id, entry.stripe_refund_id, entry.admin_user_id, entry.corrects_transaction_id,
    entry.lot_id, entry.tax_cents, entry.discount_cents, entry.settled_by, entry.description, entry.metadata,
    entry.occurred_at, $recorded_at AS recorded_at,
    strftime(timezone($timezone, entry.occurred_at), '%Y-%m') AS period, $posting_id AS posting_id
FROM sequenced AS seq
JOIN entries AS entry USING (entry_id)
ORDER BY entry.account_id, seq.account_seq;
