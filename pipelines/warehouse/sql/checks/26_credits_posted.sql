-- Every credit record, admin entry and welcome bonus that came due is one ledger row with its tokens, and no such row has
-- another origin; a refund that waits for its purchase is the one exception.
WITH horizon AS (
    SELECT (max(billing_date) + 1)::TIMESTAMPTZ AS ends FROM audit.postings
), due AS (
    SELECT transaction_id, account_id, transaction_type, token_amount
    FROM books.credits, horizon
    WHERE posted_at < ends AND (token_amount <> 0 OR amount_cents <> 0)
      AND transaction_id NOT IN (SELECT transaction_id FROM books.credits_waiting)
), actions AS (
    SELECT seq, account_id, CASE action WHEN 'grant' THEN 'admin_grant' ELSE 'admin_deduction' END AS transaction_type,
        CASE action WHEN 'grant' THEN token_amount ELSE -token_amount END AS token_amount
    FROM audit.admin_actions, horizon
    WHERE action IN ('grant', 'deduct') AND occurred_at < ends
), posted AS (
    SELECT transaction_id, account_id, transaction_type, token_amount, (metadata ->> '$.seq')::BIGINT AS seq,
        coalesce(metadata ->> '$.welcome' = 'true', false) AS is_welcome
    FROM books.token_transactions
    WHERE transaction_type NOT IN ('usage', 'expiry') AND (transaction_type <> 'correction' OR metadata ->> '$.credit_id' IS NOT NULL)
)
SELECT due.transaction_id, due.account_id, due.transaction_type, due.token_amount, posted.token_amount AS posted_tokens
FROM due LEFT JOIN posted USING (transaction_id)
WHERE (posted.account_id, posted.transaction_type, posted.token_amount)
    IS DISTINCT FROM (due.account_id, due.transaction_type, due.token_amount)
UNION ALL
SELECT posted.transaction_id, actions.account_id, actions.transaction_type, actions.token_amount, posted.token_amount
FROM actions LEFT JOIN posted USING (seq)
WHERE (posted.account_id, posted.transaction_type, posted.token_amount)
    IS DISTINCT FROM (actions.account_id, actions.transaction_type, actions.token_amount)
UNION ALL
SELECT transaction_id, account_id, transaction_type, NULL, token_amount
FROM posted
WHERE NOT (is_welcome AND transaction_type = 'bonus')
  AND coalesce(seq NOT IN (SELECT seq FROM actions), true)
  AND transaction_id NOT IN (SELECT transaction_id FROM due)
