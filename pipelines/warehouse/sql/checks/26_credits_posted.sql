-- Every credit record, admin entry and welcome bonus that came due is one ledger row with its tokens, money and time, and no
-- such row has another origin; a refund that waits for its purchase is the one exception.
WITH horizon AS (
    SELECT (max(billing_date) + 1)::TIMESTAMPTZ AS ends FROM audit.postings
), due AS (
    SELECT transaction_id, account_id, transaction_type, token_amount,
        {'at': posted_at, 'intent': stripe_payment_intent_id, 'refund': stripe_refund_id, 'admin': admin_user_id,
            'tax': tax_cents, 'discount': discount_cents, 'cents': CASE
                WHEN transaction_type = 'chargeback' OR (transaction_type = 'refund' AND token_amount <= 0)
                    THEN -abs(amount_cents)
                WHEN transaction_type IN ('chargeback_reversal', 'refund') THEN abs(amount_cents)
                ELSE amount_cents END} AS terms,
        CASE WHEN amount_cents IS NOT NULL THEN currency END AS stated_currency
    FROM books.credits, horizon
    WHERE posted_at < ends AND (token_amount <> 0 OR amount_cents <> 0)
      AND transaction_id NOT IN (SELECT transaction_id FROM books.credits_waiting)
), actions AS (
    SELECT seq, account_id, CASE action WHEN 'grant' THEN 'admin_grant' ELSE 'admin_deduction' END AS transaction_type,
        CASE action WHEN 'grant' THEN token_amount ELSE -token_amount END AS token_amount, occurred_at
    FROM audit.admin_actions, horizon
    WHERE action IN ('grant', 'deduct') AND held_reason IS NULL AND occurred_at < ends
), posted AS (
    SELECT transaction_id, account_id, transaction_type, token_amount, occurred_at, currency,
        {'at': occurred_at, 'intent': stripe_payment_intent_id, 'refund': stripe_refund_id, 'admin': admin_user_id,
            'tax': tax_cents, 'discount': discount_cents, 'cents': amount_cents} AS terms,
        (metadata ->> '$.seq')::BIGINT AS seq, coalesce(metadata ->> '$.welcome' = 'true', false) AS is_welcome
    FROM books.token_transactions
    WHERE transaction_type NOT IN ('usage', 'expiry') AND (transaction_type <> 'correction' OR metadata ->> '$.credit_id' IS NOT NULL)
), welcomes AS (
    -- The bonus is one that settings gave at its time; an account that moved in later gave it back.
    SELECT row.transaction_id, row.account_id, row.token_amount,
        bool_or(settings.settings_version IS NOT NULL) AS is_granted,
        bool_or(given_back.transaction_id IS NOT NULL) AS is_given_back,
        bool_or(opening.transaction_id IS NOT NULL) AS is_opened
    FROM posted AS row
    LEFT JOIN books.system_settings AS settings
        ON settings.new_user_bonus_tokens = row.token_amount
        AND (settings.effective_from IS NULL OR settings.effective_from <= row.occurred_at)
    LEFT JOIN books.token_transactions AS given_back
        ON given_back.corrects_transaction_id = row.transaction_id AND given_back.account_id = row.account_id
        AND given_back.transaction_type = 'correction' AND given_back.token_amount = -row.token_amount
    LEFT JOIN due AS opening ON opening.account_id = row.account_id AND opening.transaction_type = 'opening'
    WHERE row.is_welcome AND row.transaction_type = 'bonus'
    GROUP BY ALL
)
SELECT due.transaction_id, due.account_id, due.transaction_type, due.token_amount, posted.token_amount AS posted_tokens
FROM due LEFT JOIN posted USING (transaction_id)
WHERE (posted.account_id, posted.transaction_type, posted.token_amount, posted.terms)
        IS DISTINCT FROM (due.account_id, due.transaction_type, due.token_amount, due.terms)
   OR (due.stated_currency IS NOT NULL AND posted.currency IS DISTINCT FROM due.stated_currency)
UNION ALL
SELECT posted.transaction_id, actions.account_id, actions.transaction_type, actions.token_amount, posted.token_amount
FROM actions LEFT JOIN posted USING (seq)
WHERE (posted.account_id, posted.transaction_type, posted.token_amount, posted.occurred_at)
    IS DISTINCT FROM (actions.account_id, actions.transaction_type, actions.token_amount, actions.occurred_at)
UNION ALL
SELECT transaction_id, account_id, transaction_type, NULL, token_amount
FROM posted
WHERE NOT (is_welcome AND transaction_type = 'bonus')
  AND coalesce(seq NOT IN (SELECT seq FROM actions), true)
  AND transaction_id NOT IN (SELECT transaction_id FROM due)
UNION ALL
SELECT welcomes.transaction_id, head.account_id, 'bonus', NULL, welcomes.token_amount
FROM books.account_heads AS head
LEFT JOIN welcomes USING (account_id)
WHERE head.welcomed <> (head.welcome IS NOT NULL)
   OR coalesce(head.welcome = 'bonus', false) <> (welcomes.transaction_id IS NOT NULL)
   OR NOT coalesce(welcomes.is_granted, true)
   OR (welcomes.is_opened AND NOT welcomes.is_given_back) OR (welcomes.is_given_back AND NOT welcomes.is_opened)
   OR (head.welcome = 'opening' AND head.account_id NOT IN (SELECT account_id FROM books.credits WHERE transaction_type = 'opening'))
   OR (head.welcome = 'none' AND NOT EXISTS (FROM books.system_settings WHERE new_user_bonus_tokens = 0))
