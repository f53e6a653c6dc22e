-- Why an entry of the admin journal cannot be posted, by the rules that the app's own records obey; NULL when it can.
-- An entry of the journal is there for good: one that cannot stand is held, so that it never stops what comes after it.
WITH entry AS (
    SELECT $account_id AS account_id, $transaction_type::VARCHAR AS transaction_type,
        TRY_CAST($token_amount AS BIGINT) AS token_amount, TRY_CAST($amount_cents AS BIGINT) AS amount_cents,
        $amount_cents IS NOT NULL AS has_money, $currency::VARCHAR AS currency, $credit_id::VARCHAR AS credit_id,
        $source_credit_id::VARCHAR AS source_credit_id,
        $stripe_payment_intent_id::VARCHAR AS stripe_payment_intent_id,
        TRY_CAST($occurred_at AS TIMESTAMPTZ) AS occurred_at
), named AS (
    -- What it may name: a credit of its account that enters the ledger before it.
    SELECT max(greatest(-credit.token_amount, 0)) FILTER (credit.credit_id = entry.source_credit_id) AS taken
    FROM entry JOIN books.credits AS credit ON credit.account_id = entry.account_id
        AND credit.credit_id <> entry.credit_id
        AND CASE WHEN entry.source_credit_id IS NOT NULL THEN credit.credit_id = entry.source_credit_id
                AND (credit.posted_at < entry.occurred_at
                    OR (credit.posted_at = entry.occurred_at AND entry.token_amount <= 0))
            ELSE entry.token_amount <= 0 AND credit.stripe_payment_intent_id = entry.stripe_payment_intent_id
                AND credit.transaction_type IN ('purchase', 'auto_recharge') AND credit.posted_at <= entry.occurred_at END
    HAVING count(*) > 0
), given AS (
    SELECT coalesce(sum(credit.token_amount), 0) AS tokens
    FROM entry JOIN books.credits AS credit ON credit.account_id = entry.account_id
        AND credit.source_credit_id = entry.source_credit_id AND credit.token_amount > 0
        AND credit.transaction_type IN ('refund', 'correction', 'chargeback_reversal')
)
SELECT CASE
    WHEN account_id NOT IN (SELECT account_id FROM books.token_accounts) THEN 'unknown_account'
    WHEN transaction_type IS NULL THEN NULL
    WHEN NOT list_contains($types::VARCHAR[], transaction_type) THEN 'unknown_type'
    WHEN occurred_at IS NULL THEN 'invalid_time'
    WHEN occurred_at < TIMESTAMPTZ '2015-01-01 00:00:00+00' OR occurred_at > $horizon + INTERVAL 24 HOURS
        THEN 'time_out_of_range'
    WHEN token_amount IS NULL OR (has_money AND amount_cents IS NULL) THEN 'invalid_integer'
    WHEN abs(token_amount) > $biggest OR abs(coalesce(amount_cents, 0)) > $biggest THEN 'amount_out_of_range'
    WHEN token_amount = 0 AND coalesce(amount_cents, 0) = 0 THEN 'zero_amount'
    WHEN CASE
        WHEN transaction_type IN ('purchase', 'auto_recharge') THEN token_amount <= 0 OR coalesce(amount_cents, 0) < 0
        WHEN transaction_type IN ('admin_grant', 'bonus') THEN token_amount <= 0
        WHEN transaction_type = 'admin_deduction' THEN token_amount >= 0
        WHEN transaction_type = 'chargeback' THEN token_amount > 0
        WHEN transaction_type = 'chargeback_reversal' THEN token_amount < 0
        ELSE false END THEN 'wrong_sign'
    WHEN has_money AND NOT coalesce(list_contains($currencies::VARCHAR[], currency), true) THEN 'unknown_currency'
    WHEN credit_id IN (SELECT credit_id FROM books.credits) THEN 'conflict'
    WHEN (transaction_type IN ('correction', 'chargeback_reversal') OR (transaction_type = 'refund' AND token_amount > 0))
        AND NOT EXISTS (FROM named) THEN 'unknown_corrected'
    WHEN transaction_type IN ('refund', 'correction', 'chargeback_reversal') AND token_amount > 0
        AND token_amount + (SELECT tokens FROM given) > (SELECT taken FROM named) THEN 'exceeds_corrected'
END
FROM entry
