-- An account's row says what the last version of it, the admin's words and its purchases say; its status and level follow.
WITH horizon AS (
    SELECT (max(billing_date) + 1)::TIMESTAMPTZ AS ends FROM audit.postings
), stated AS (
    SELECT * FROM books.account_versions
    QUALIFY row_number() OVER (
        PARTITION BY account_id
        ORDER BY updated_at DESC, created_at DESC, file_id DESC NULLS LAST, line_no DESC NULLS LAST
    ) = 1
), first_purchases AS (
    SELECT account_id, arg_min(currency, (occurred_at, transaction_id)) AS currency
    FROM books.token_transactions
    WHERE transaction_type IN ('purchase', 'auto_recharge') AND currency IS NOT NULL
    GROUP BY account_id
), words AS (
    SELECT account_id, arg_max(action, seq) FILTER (action IN ('block', 'unblock')) AS word,
        max(occurred_at) FILTER (action = 'unblock') AS unblocked_at
    FROM audit.admin_actions, horizon
    WHERE account_id IS NOT NULL AND occurred_at < ends AND held_reason IS NULL
    GROUP BY account_id
), expected AS (
    SELECT stated.*, coalesce(stated.currency, first_purchases.currency) AS own_currency,
        coalesce(words.word = 'block', false) OR (coalesce(stated.status = 'blocked', false)
            AND (words.unblocked_at IS NULL OR words.unblocked_at <= stated.updated_at)) AS blocked
    FROM stated
    LEFT JOIN first_purchases USING (account_id)
    LEFT JOIN words USING (account_id)
), levels AS (
    -- The level by the thresholds at the end of the billing date that moved the account last, of any version that held.
    SELECT account.account_id,
        bool_or(account.balance_level = CASE
            WHEN account.balance < 0 THEN 'negative'
            WHEN account.balance <= settings.critical_balance_threshold THEN 'critical'
            WHEN account.balance <= settings.low_balance_threshold THEN 'low' ELSE 'ok' END) AS follows
    FROM books.token_accounts AS account
    JOIN audit.postings AS posting ON posting.recorded_at = account.updated_at
    JOIN books.system_settings AS settings
        ON (settings.effective_from IS NULL OR settings.effective_from < (posting.billing_date + 1)::TIMESTAMPTZ)
        AND (settings.effective_to IS NULL OR settings.effective_to >= (posting.billing_date + 1)::TIMESTAMPTZ
            OR settings.superseded_by IS NOT NULL)
    GROUP BY account.account_id
)
SELECT account.account_id, account.status, account.balance_level, account.currency, expected.own_currency,
    expected.blocked, coalesce(levels.follows, false) AS level_follows
FROM books.token_accounts AS account
LEFT JOIN expected USING (account_id)
LEFT JOIN levels USING (account_id)
WHERE expected.account_id IS NULL
   OR (account.user_id, account.workspace_id, account.auto_recharge_enabled, account.auto_recharge_threshold,
        account.auto_recharge_amount, account.stripe_customer_id, account.default_payment_method_id, account.created_at,
        account.currency)
    IS DISTINCT FROM (coalesce(expected.user_id, account.account_id), expected.workspace_id,
        coalesce(expected.auto_recharge_enabled, false), expected.auto_recharge_threshold,
        expected.auto_recharge_amount, expected.stripe_customer_id, expected.default_payment_method_id,
        expected.created_at, expected.own_currency)
   OR account.status <> CASE
        WHEN expected.blocked THEN 'blocked'
        WHEN account.balance < 0 OR coalesce(expected.status = 'suspended', false) THEN 'suspended' ELSE 'active' END
   OR NOT coalesce(levels.follows, false)
