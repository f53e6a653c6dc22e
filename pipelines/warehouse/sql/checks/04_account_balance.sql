-- An account's balance is its last balance_after and the sum of its rows; its lifetime figures are the sums by type.
WITH sums AS (
    SELECT
        account_id, sum(token_amount) AS tokens, arg_max(balance_after, account_seq) AS last_after,
        max(account_seq) AS last_seq,
        coalesce(sum(token_amount) FILTER (transaction_type IN ('purchase', 'auto_recharge')), 0) AS purchased,
        coalesce(-sum(token_amount) FILTER (transaction_type = 'usage' OR (transaction_type = 'correction' AND usage_id IS NOT NULL)), 0) AS used,
        max(occurred_at) FILTER (transaction_type IN ('purchase', 'auto_recharge')) AS last_purchase_at
    FROM books.token_transactions GROUP BY account_id
), actual AS (
    SELECT account_id, sum(total_tokens) AS tokens FROM books.usage_current WHERE success GROUP BY account_id
), spent AS (
    SELECT account_id, currency, sum(amount_cents) AS cents FROM books.token_transactions
    WHERE transaction_type IN ('purchase', 'auto_recharge', 'refund', 'chargeback', 'chargeback_reversal')
      AND amount_cents IS NOT NULL
    GROUP BY ALL
)
SELECT
    coalesce(account.account_id, sums.account_id, head.account_id) AS account_id, account.balance, sums.tokens,
    sums.last_after, head.balance AS head_balance, account.lifetime_tokens_purchased, sums.purchased,
    account.lifetime_tokens_used, sums.used, account.lifetime_actual_tokens_used, actual.tokens AS actual_tokens,
    account.lifetime_spent_cents, spent.cents, account.status, account.balance_level
FROM books.token_accounts AS account
FULL JOIN sums ON sums.account_id = account.account_id
FULL JOIN books.account_heads AS head ON head.account_id = account.account_id
LEFT JOIN actual ON actual.account_id = account.account_id
LEFT JOIN spent ON spent.account_id = account.account_id AND spent.currency = account.currency
WHERE account.account_id IS NULL OR head.account_id IS NULL
   OR account.balance <> coalesce(sums.tokens, 0)
   OR account.balance <> coalesce(sums.last_after, 0)
   OR head.balance <> account.balance
   OR head.account_seq <> coalesce(sums.last_seq, 0)
   OR account.lifetime_tokens_purchased <> coalesce(sums.purchased, 0)
   OR account.lifetime_tokens_used <> coalesce(sums.used, 0)
   OR account.lifetime_actual_tokens_used <> coalesce(actual.tokens, 0)
   OR account.lifetime_spent_cents <> coalesce(spent.cents, 0)
   OR account.last_purchase_at IS DISTINCT FROM sums.last_purchase_at
   OR (account.balance < 0) <> (account.balance_level = 'negative')
   OR (account.balance < 0 AND account.status = 'active')
