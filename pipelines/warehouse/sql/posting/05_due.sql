-- What comes due in this posting: credits, admin entries, welcome bonuses; and the rows that credits name.
CREATE OR REPLACE TEMP TABLE due_credits AS
SELECT * FROM books.credits
WHERE posted_at < $horizon
  AND (posting_id = $posting_id OR posted_at >= $previous_horizon
    OR transaction_id IN (SELECT transaction_id FROM books.credits_waiting));

-- A refund or chargeback may be read before the purchase that it names. It waits for it, some days at most: then it is
-- taken for one of a purchase from before the books. What names a waiting row waits with it.
CREATE OR REPLACE TEMP TABLE waiting_credits AS
WITH RECURSIVE first_seen AS (
    SELECT due.*, coalesce(waiting.waits_through, $billing_date + $wait_days::INTEGER) AS waits_through
    FROM due_credits AS due
    LEFT JOIN books.credits_waiting AS waiting USING (transaction_id)
), waiting AS (
    SELECT transaction_id, account_id, credit_id, coalesce(source_credit_id, stripe_payment_intent_id) AS waits_for,
        waits_through
    FROM first_seen AS due
    WHERE transaction_type IN ('refund', 'chargeback') AND token_amount <= 0 AND waits_through >= $billing_date
      AND waits_for IS NOT NULL
      AND NOT EXISTS (
        FROM books.credits AS credit
        WHERE credit.account_id = due.account_id AND credit.transaction_id <> due.transaction_id
          AND CASE WHEN due.source_credit_id IS NOT NULL THEN credit.credit_id = due.source_credit_id
            ELSE credit.stripe_payment_intent_id = due.stripe_payment_intent_id
                AND credit.transaction_type IN ('purchase', 'auto_recharge') END)
    UNION
    SELECT due.transaction_id, due.account_id, due.credit_id, due.source_credit_id, waiting.waits_through
    FROM first_seen AS due
    JOIN waiting ON waiting.account_id = due.account_id AND waiting.credit_id = due.source_credit_id
)
SELECT * FROM waiting;

DELETE FROM due_credits WHERE transaction_id IN (SELECT transaction_id FROM waiting_credits);

DELETE FROM books.credits_waiting;

INSERT INTO books.credits_waiting BY NAME
SELECT transaction_id, account_id, waits_for, waits_through, $posting_id AS posting_id
FROM waiting_credits ORDER BY transaction_id;

-- A change of a configuration file concerns no account and moves nothing; nor does an entry that is held.
CREATE OR REPLACE TEMP TABLE due_actions AS
SELECT * FROM audit.admin_actions
WHERE account_id IS NOT NULL AND held_reason IS NULL
  AND occurred_at < $horizon AND (posting_id = $posting_id OR occurred_at >= $previous_horizon);

CREATE OR REPLACE TEMP TABLE due_welcomes AS
SELECT account_id, created_at, new_user_bonus_tokens AS token_amount
FROM books.account_heads
JOIN books.token_accounts USING (account_id)
JOIN books.system_settings AS settings
    ON settings.superseded_by IS NULL
    AND (settings.effective_from IS NULL OR created_at >= settings.effective_from)
    AND (settings.effective_to IS NULL OR created_at < settings.effective_to)
WHERE NOT welcomed AND created_at < $horizon;

-- An opening balance that comes after its account's welcome bonus takes the bonus back.
CREATE OR REPLACE TEMP TABLE undue_welcomes AS
SELECT row.transaction_id, row.account_id, row.token_amount, row.occurred_at
FROM books.token_transactions AS row
WHERE row.account_id IN (SELECT account_id FROM due_credits WHERE transaction_type = 'opening')
  AND row.transaction_type = 'bonus' AND row.metadata ->> '$.welcome' = 'true'
  AND row.transaction_id NOT IN (
    SELECT corrects_transaction_id FROM books.token_transactions
    WHERE transaction_type = 'correction' AND corrects_transaction_id IS NOT NULL
      AND account_id IN (SELECT account_id FROM due_credits WHERE transaction_type = 'opening'));

-- The row that a refund, chargeback or reversal names, by its credit id or else by its PaymentIntent, and the purchase
-- behind that row when it is itself a refund or chargeback.
CREATE OR REPLACE TEMP TABLE named_credits AS
WITH named AS (
    SELECT due.transaction_id, due.account_id, credit.transaction_id AS named_transaction_id,
        credit.posted_at AS named_posted_at, credit.source_credit_id, credit.stripe_payment_intent_id,
        credit.currency AS named_currency,
        credit.transaction_type IN ('opening', 'purchase', 'auto_recharge', 'admin_grant', 'bonus') AS named_opens_lot
    FROM due_credits AS due
    JOIN books.credits AS credit
        ON credit.account_id = due.account_id
        AND CASE WHEN due.source_credit_id IS NOT NULL THEN credit.credit_id = due.source_credit_id
            ELSE credit.stripe_payment_intent_id = due.stripe_payment_intent_id
                AND credit.transaction_type IN ('purchase', 'auto_recharge') END
    WHERE due.transaction_type IN ('refund', 'chargeback', 'chargeback_reversal', 'correction')
      AND credit.transaction_id <> due.transaction_id
      -- What is dated later is not in the ledger yet when this row enters it.
      AND credit.posted_at <= due.posted_at
    QUALIFY row_number() OVER (PARTITION BY due.transaction_id ORDER BY credit.posted_at, credit.transaction_id) = 1
)
SELECT named.*,
    purchase.transaction_id AS purchase_transaction_id, purchase.posted_at AS purchase_posted_at
FROM named
LEFT JOIN books.credits AS purchase
    ON NOT named.named_opens_lot AND purchase.account_id = named.account_id
    AND purchase.posted_at <= named.named_posted_at
    AND purchase.transaction_type IN ('opening', 'purchase', 'auto_recharge', 'admin_grant', 'bonus')
    AND CASE WHEN named.source_credit_id IS NOT NULL THEN purchase.credit_id = named.source_credit_id
        ELSE purchase.stripe_payment_intent_id = named.stripe_payment_intent_id
            AND purchase.transaction_type IN ('purchase', 'auto_recharge') END
QUALIFY row_number() OVER (PARTITION BY named.transaction_id ORDER BY purchase.posted_at, purchase.transaction_id) = 1;

-- The last word of the app on each account that something comes due for, and when each of its versions begins to hold.
CREATE OR REPLACE TEMP TABLE due_versions AS
SELECT * FROM books.account_versions
WHERE account_id IN (
    SELECT account_id FROM due_credits
    UNION ALL SELECT account_id FROM due_actions
    UNION ALL SELECT account_id FROM due_welcomes
    UNION ALL SELECT account_id FROM revised_usage);

CREATE OR REPLACE TEMP TABLE due_last_versions AS
SELECT account_id, currency FROM due_versions
QUALIFY row_number() OVER (
    PARTITION BY account_id
    ORDER BY updated_at DESC, created_at DESC, file_id DESC NULLS LAST, line_no DESC NULLS LAST
) = 1;

CREATE OR REPLACE TEMP TABLE due_spans AS
SELECT account_id, workspace_id AS workspace,
    CASE WHEN row_number() OVER (PARTITION BY account_id ORDER BY updated_at) = 1
        THEN -9223372036854775808 ELSE epoch_us(updated_at) END::BIGINT AS starts_us
FROM (
    FROM due_versions QUALIFY row_number() OVER (
        PARTITION BY account_id, updated_at ORDER BY created_at DESC, file_id DESC NULLS LAST, line_no DESC NULLS LAST
    ) = 1
);
