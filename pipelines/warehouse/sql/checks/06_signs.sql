-- What adds tokens is positive, what takes them negative; money follows the direction of its row.
SELECT transaction_id, account_id, transaction_type, token_amount, amount_cents
FROM books.token_transactions
WHERE NOT coalesce(CASE
        WHEN transaction_type IN ('purchase', 'auto_recharge', 'admin_grant', 'bonus') THEN token_amount > 0
        WHEN transaction_type IN ('usage', 'admin_deduction', 'expiry') THEN token_amount < 0
        WHEN transaction_type = 'chargeback' THEN token_amount <= 0 AND coalesce(amount_cents, 0) <= 0
        WHEN transaction_type = 'chargeback_reversal' THEN token_amount >= 0 AND coalesce(amount_cents, 0) >= 0
        WHEN transaction_type = 'refund' THEN sign(token_amount) * sign(coalesce(amount_cents, token_amount)) >= 0
        WHEN transaction_type IN ('opening', 'correction') THEN true
    END, false)
   OR (token_amount = 0 AND coalesce(amount_cents, 0) = 0)
   OR (amount_cents IS NOT NULL AND currency IS NULL)
