-- What came due is in the ledger with its tokens, and of such rows nothing else.
SELECT coalesce(due.transaction_id, row.transaction_id) AS transaction_id
FROM (
    SELECT transaction_id, account_id, token_amount FROM due_credits WHERE token_amount <> 0 OR amount_cents <> 0
    UNION ALL
    SELECT derived_id(occurred_at, 'admin', seq::VARCHAR), account_id,
        CASE action WHEN 'grant' THEN token_amount ELSE -token_amount END
    FROM due_actions WHERE action IN ('grant', 'deduct')
) AS due
FULL JOIN (
    SELECT transaction_id, account_id, token_amount FROM books.token_transactions
    WHERE posting_id = $posting_id AND transaction_type NOT IN ('usage', 'expiry')
      AND (metadata ->> '$.credit_id' IS NOT NULL OR metadata ->> '$.seq' IS NOT NULL)
) AS row USING (transaction_id)
WHERE due.account_id IS DISTINCT FROM row.account_id OR due.token_amount IS DISTINCT FROM row.token_amount
