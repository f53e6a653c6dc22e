-- What adds tokens is positive, what takes them negative; money follows the direction of its row.
SELECT transaction_id, account_id, transaction_type, token_amount, amount_cents
FROM books.token_transactions
WHERE NOT coalesce(CASE
        WHEN transaction_type IN ('purchase', 'auto_recharge') THEN token_amount > 0 AND coalesce(amount_cents, 0) >= 0
        WHEN transaction_type IN ('admin_grant', 'bonus') THEN token_amount > 0
        WHEN transaction_type IN ('usage', 'expiry') THEN token_amount < 0 AND amount_cents IS NULL
        WHEN transaction_type = 'admin_deduction' THEN token_amount < 0
        WHEN transaction_type = 'chargeback' THEN token_amount <= 0 AND coalesce(amount_cents, 0) <= 0
        WHEN transaction_type = 'chargeback_reversal' THEN token_amount >= 0 AND coalesce(amount_cents, 0) >= 0
        WHEN transaction_type = 'refund' AND token_amount > 0 THEN coalesce(amount_cents, 0) >= 0
        WHEN transaction_type = 'refund' THEN coalesce(amount_cents, 0) <= 0
        WHEN transaction_type IN ('opening', 'correction') THEN true
    END, false)
   OR (token_amount = 0 AND coalesce(amount_cents, 0) = 0)
   OR (amount_cents IS NOT NULL AND currency IS NULL)
