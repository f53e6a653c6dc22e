-- Balances after this posting. Everything is an increment; the checks prove them against all rows.
CREATE OR REPLACE TEMP TABLE posted_sums AS
SELECT
    account_id,
    sum(token_amount)::BIGINT AS tokens,
    max(account_seq) AS account_seq,
    coalesce(sum(token_amount) FILTER (transaction_type IN ('purchase', 'auto_recharge')), 0)::BIGINT AS purchased,
    coalesce(-sum(token_amount) FILTER (transaction_type = 'usage' OR (transaction_type = 'correction' AND usage_id IS NOT NULL)), 0)::BIGINT AS used,
    max(occurred_at) FILTER (transaction_type IN ('purchase', 'auto_recharge')) AS last_purchase_at
FROM books.token_transactions
WHERE posting_id = $posting_id
GROUP BY account_id;

CREATE OR REPLACE TEMP TABLE actual_sums AS
SELECT account_id, sum(tokens)::BIGINT AS tokens
FROM (
    SELECT account_id, CASE WHEN success THEN total_tokens ELSE 0 END AS tokens
    FROM books.token_usage WHERE posting_id = $posting_id
    UNION ALL
    SELECT account_id, actual_tokens FROM revised_usage
) AS figures
GROUP BY account_id;

CREATE OR REPLACE TEMP TABLE touched AS
SELECT account_id FROM posted_sums
UNION SELECT account_id FROM actual_sums
UNION SELECT account_id FROM latest_versions
UNION SELECT account_id FROM due_actions;

CREATE OR REPLACE TEMP TABLE account_words AS
SELECT
    account_id,
    arg_max(action, seq) FILTER (action IN ('block', 'unblock')) AS word,
    max(occurred_at) FILTER (action = 'unblock') AS unblocked_at
FROM audit.admin_actions
SEMI JOIN touched USING (account_id)
WHERE occurred_at < $horizon AND held_reason IS NULL
GROUP BY account_id;

-- The last version of each touched account: all that the app says of it; what it leaves out is not known any more.
CREATE OR REPLACE TEMP TABLE touched_versions AS
SELECT * FROM books.account_versions
SEMI JOIN touched USING (account_id)
QUALIFY row_number() OVER (
    PARTITION BY account_id
    ORDER BY updated_at DESC, created_at DESC, file_id DESC NULLS LAST, line_no DESC NULLS LAST
) = 1;

-- An account's currency is the app's word, else that of its first purchase by time, whenever that was read.
CREATE OR REPLACE TEMP TABLE own_currencies AS
WITH unsaid AS (
    SELECT account_id FROM touched_versions
    WHERE currency IS NULL AND (account_id IN (SELECT account_id FROM posted_sums WHERE purchased > 0)
        OR account_id IN (SELECT account_id FROM latest_versions))
), first_purchases AS (
    SELECT account_id, arg_min(currency, (occurred_at, transaction_id)) AS currency
    FROM books.token_transactions
    WHERE transaction_type IN ('purchase', 'auto_recharge') AND currency IS NOT NULL
      AND account_id IN (SELECT account_id FROM unsaid)
    GROUP BY account_id
)
SELECT account.account_id,
    coalesce(version.currency, first.currency,
        CASE WHEN unsaid.account_id IS NULL THEN account.currency END) AS own_currency,
    own_currency IS DISTINCT FROM account.currency AS is_new
FROM books.token_accounts AS account
JOIN touched_versions AS version USING (account_id)
LEFT JOIN unsaid ON unsaid.account_id = account.account_id
LEFT JOIN first_purchases AS first ON first.account_id = account.account_id;

-- The row an account has after the posting, but for status and level, which the core's rules decide.
CREATE OR REPLACE TEMP TABLE next_accounts AS
WITH money AS (
    SELECT account_id, currency, amount_cents, posting_id
    FROM books.token_transactions
    WHERE amount_cents IS NOT NULL
      AND transaction_type IN ('purchase', 'auto_recharge', 'refund', 'chargeback', 'chargeback_reversal')
      AND (posting_id = $posting_id OR account_id IN (SELECT account_id FROM own_currencies WHERE is_new))
), spent AS (
    SELECT account_id, currency, sum(amount_cents)::BIGINT AS cents FROM money GROUP BY ALL
)
SELECT
    account.account_id,
    coalesce(version.user_id, account.account_id) AS user_id,
    version.workspace_id,
    account.balance + coalesce(sums.tokens, 0) AS balance,
    account.lifetime_tokens_purchased + coalesce(sums.purchased, 0) AS lifetime_tokens_purchased,
    account.lifetime_tokens_used + coalesce(sums.used, 0) AS lifetime_tokens_used,
    account.lifetime_actual_tokens_used + coalesce(actual.tokens, 0) AS lifetime_actual_tokens_used,
    own.own_currency AS currency,
    -- Currencies are never added: an account that changes its own starts from all its money rows in the new one.
    CASE WHEN own.is_new THEN 0 ELSE account.lifetime_spent_cents END
        + coalesce(spent.cents, 0) AS lifetime_spent_cents,
    coalesce(version.auto_recharge_enabled, false) AS auto_recharge_enabled,
    version.auto_recharge_threshold, version.auto_recharge_amount, version.stripe_customer_id,
    version.default_payment_method_id,
    coalesce(word = 'block', false)
        OR (coalesce(version.status = 'blocked', false) AND (unblocked_at IS NULL OR unblocked_at <= version.updated_at)) AS blocked,
    coalesce(version.status = 'suspended', false) AS app_suspended,
    greatest(account.last_purchase_at, sums.last_purchase_at) AS last_purchase_at,
    version.created_at,
    coalesce(sums.account_seq, 0) AS account_seq
FROM books.token_accounts AS account
SEMI JOIN touched USING (account_id)
JOIN touched_versions AS version USING (account_id)
JOIN own_currencies AS own USING (account_id)
LEFT JOIN posted_sums AS sums USING (account_id)
LEFT JOIN actual_sums AS actual USING (account_id)
LEFT JOIN spent ON spent.account_id = account.account_id AND spent.currency = own.own_currency
LEFT JOIN account_words AS words ON words.account_id = account.account_id
ORDER BY account.account_id;
