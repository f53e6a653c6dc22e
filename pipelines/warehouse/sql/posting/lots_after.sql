-- Lots that this posting opened, and every movement of tokens of a lot.
INSERT INTO finance.credit_lots BY NAME
SELECT lot_id, account_id, transaction_id, transaction_type, token_amount, lot_priority AS priority, effective_at,
    expires_at, currency, coalesce(amount_cents - coalesce(tax_cents, 0), 0) AS cost_basis, settings_version,
    $posting_id AS posting_id
FROM entries
WHERE lot_kind = 'credit'
ORDER BY account_id, lot_id;
