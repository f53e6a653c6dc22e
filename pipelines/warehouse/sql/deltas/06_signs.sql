SELECT transaction_id FROM books.token_transactions
WHERE posting_id = $posting_id
  AND ((transaction_type IN ('purchase', 'auto_recharge', 'admin_grant', 'bonus') AND token_amount <= 0)
    OR (transaction_type IN ('usage', 'admin_deduction', 'expiry') AND token_amount >= 0)
    OR (amount_cents IS NOT NULL AND currency IS NULL))
