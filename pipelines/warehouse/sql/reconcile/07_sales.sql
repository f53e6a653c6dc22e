-- Findings about payments that move no total of stage A: who, what for, how often, and money that left twice.
-- Purchases of the ledger that no package explains: so many tokens for that money at that time. Where the money says
-- how many tokens it buys, nobody looks into the metadata for the package.
CREATE OR REPLACE TEMP TABLE doubtful AS
SELECT row.transaction_id, row.package_id, row.list_price
FROM (
    SELECT row.*, json_extract_string(row.metadata, '$.package_id') AS package_id
    FROM (
        SELECT transaction_id, token_amount, amount, currency, occurred_at, metadata,
            amount - coalesce(tax_cents, 0) + coalesce(discount_cents, 0) AS list_price
        FROM recon.ledger WHERE transaction_type IN ('purchase', 'auto_recharge') AND amount <> 0
    ) AS row
    ANTI JOIN price ON price.currency = row.currency AND price.price = row.list_price AND price.token_amount = row.token_amount
        AND price.is_plain AND row.amount = row.list_price
        AND (price.effective_from IS NULL OR row.occurred_at >= price.effective_from)
        AND (price.effective_to IS NULL OR row.occurred_at < price.effective_to)
) AS row
ANTI JOIN price ON price.currency = row.currency AND price.price = row.list_price
    AND price.token_amount = row.token_amount
    AND (price.is_plain OR row.package_id IS NULL OR price.package_id = row.package_id)
    AND (price.effective_from IS NULL OR row.occurred_at >= price.effective_from)
    AND (price.effective_to IS NULL OR row.occurred_at < price.effective_to);

-- Purchases that are settled, one row for one charge, as far as there is something to ask about them.
CREATE OR REPLACE TEMP TABLE settled AS
WITH asked AS (
    SELECT transaction_id, payment_key, charge_id, customer_id, stated_account, is_recharge
    FROM pair WHERE is_elsewhere OR is_tagged OR transaction_id IN (SELECT transaction_id FROM doubtful)
    UNION ALL
    SELECT placed.transaction_id, movement.payment_key, movement.charge_id, movement.customer_id, movement.stated_account,
        movement.is_recharge
    FROM judged
    JOIN grouped_money AS placed USING (group_key)
    JOIN rest_movement AS movement ON movement.payment_key = judged.group_key AND movement.kind = 'charge'
    WHERE judged.kind = 'payment' AND judged.code IS NULL AND judged.credits = 1 AND judged.failures = 0 AND judged.movements = 1
        AND judged.ledger_rows = 1
)
SELECT row.transaction_id, row.account_id, row.transaction_type, row.token_amount, row.amount, row.currency, row.occurred_at,
    row.balance_before, row.period, asked.* EXCLUDE (transaction_id)
FROM asked
JOIN recon.ledger AS row USING (transaction_id)
WHERE row.transaction_type IN ('purchase', 'auto_recharge');

INSERT INTO finding BY NAME
WITH credited AS (
    -- With what was given or taken since for the same purchase, without money.
    SELECT settled.* REPLACE (settled.token_amount + coalesce(later.tokens, 0) AS token_amount),
        doubtful.package_id, doubtful.list_price
    FROM settled
    JOIN doubtful USING (transaction_id)
    LEFT JOIN (
        SELECT purchase.transaction_id, sum(row.token_amount)::BIGINT AS tokens
        FROM doubtful
        JOIN books.token_transactions AS purchase USING (transaction_id)
        JOIN books.token_transactions AS row ON row.account_id = purchase.account_id
            AND row.metadata ->> '$.source_credit_id' = purchase.metadata ->> '$.credit_id'
        WHERE row.transaction_type IN ('bonus', 'correction') AND row.amount_cents IS NULL
        GROUP BY purchase.transaction_id
    ) AS later USING (transaction_id)
), judged_tokens AS (
    SELECT credited.*,
        count(*) FILTER (price.package_id = credited.package_id OR credited.package_id IS NULL
            AND price.price IN (credited.list_price, credited.amount)) AS known,
        count(*) FILTER (price.price IN (credited.list_price, credited.amount)
            AND price.token_amount = credited.token_amount
            AND (price.is_plain OR credited.package_id IS NULL OR price.package_id = credited.package_id)) AS fitting,
        min(price.token_amount) FILTER (price.package_id = credited.package_id
            OR price.price IN (credited.list_price, credited.amount)) AS expected
    FROM credited
    JOIN price ON price.currency = credited.currency
        AND (price.effective_from IS NULL OR credited.occurred_at >= price.effective_from)
        AND (price.effective_to IS NULL OR credited.occurred_at < price.effective_to)
    GROUP BY ALL
)
SELECT 'tokens_mismatch' AS code, payment_key AS subject, 'break' AS state, period, currency, amount AS amount_at_stake,
    account_id, transaction_id, payment_key AS payment_intent_id, charge_id, occurred_at,
    format('credited {:,} tokens, the package has {:,}', token_amount, expected) AS note
FROM judged_tokens WHERE known > 0 AND fitting = 0;

INSERT INTO finding BY NAME
WITH other AS (
    SELECT settled.*, stated_account AS stated FROM settled WHERE stated_account <> account_id
    UNION ALL
    SELECT settled.*, (SELECT min(account_id) FROM owner WHERE owner.customer_id = settled.customer_id)
    FROM settled
    WHERE stated_account IS NULL AND customer_id IS NOT NULL
      AND customer_id IN (SELECT customer_id FROM owner)
      AND (customer_id, account_id) NOT IN (SELECT (customer_id, account_id) FROM owner)
)
SELECT 'account_mismatch' AS code, payment_key AS subject, 'break' AS state, period, other.currency, amount AS amount_at_stake,
    other.account_id, transaction_id, payment_key AS payment_intent_id, charge_id, occurred_at,
    format('paid by {}, credited to {}', stated, other.account_id) AS note
FROM other
LEFT JOIN books.token_accounts AS account ON account.account_id = other.account_id
WHERE stated IS DISTINCT FROM account.user_id;

-- A payment that is tagged as a recharge is one, and no other is; a recharge wants a balance below its threshold.
INSERT INTO finding BY NAME
WITH tagged AS (
    SELECT * FROM settled WHERE is_recharge OR transaction_type = 'auto_recharge'
), threshold AS (
    SELECT row.transaction_id, max_by(version.auto_recharge_threshold, version.updated_at) AS tokens
    FROM tagged AS row
    JOIN books.account_versions AS version
        ON version.account_id = row.account_id AND version.updated_at <= row.occurred_at
    WHERE row.transaction_type = 'auto_recharge'
    GROUP BY row.transaction_id
)
SELECT 'auto_recharge_unlinked' AS code, payment_key AS subject, 'break' AS state, period, currency,
    amount AS amount_at_stake, account_id, transaction_id, payment_key AS payment_intent_id, charge_id, occurred_at,
    CASE WHEN is_recharge AND transaction_type = 'purchase' THEN 'Stripe says recharge, the ledger purchase'
        WHEN NOT is_recharge THEN 'the ledger says recharge, Stripe does not'
        ELSE format('the balance was {:,}, the threshold {:,}', balance_before, threshold.tokens) END AS note
FROM tagged LEFT JOIN threshold USING (transaction_id)
WHERE is_recharge <> (transaction_type = 'auto_recharge')
   OR (transaction_type = 'auto_recharge' AND balance_before >= threshold.tokens);

INSERT INTO finding BY NAME
SELECT 'duplicate_charge' AS code, payment_key AS subject, 'break' AS state, NULL AS period, currency, amount AS amount_at_stake,
    payment_key AS payment_intent_id, charge_id, moved_at AS occurred_at, 'credited as well' AS note
FROM repeated_charge WHERE payment_key NOT IN (SELECT group_key FROM judged WHERE code IS NOT NULL);

INSERT INTO finding BY NAME
SELECT 'free_grant_as_purchase' AS code, transaction_id::VARCHAR AS subject, 'break' AS state, period, currency,
    amount AS amount_at_stake, account_id, transaction_id, payment_key AS payment_intent_id, occurred_at,
    CASE WHEN transaction_type IN ('bonus', 'admin_grant') THEN format('a {} names a payment', transaction_type)
        ELSE format('a {} without a price', transaction_type) END AS note
FROM gift
WHERE payment_key IS NULL
   OR payment_key NOT IN (SELECT group_key FROM judged WHERE code = 'free_grant_as_purchase');

-- More given back than came in: at Stripe, or in the ledger by rows that agree with Stripe one by one.
CREATE OR REPLACE TEMP TABLE given_back AS
SELECT payment_key, any_value(currency) AS currency, max(moved_at) AS seen_at,
    -sum(amount) FILTER (kind IN ('refund', 'refund_failure')) AS refunded,
    -sum(amount) FILTER (kind IN ('dispute', 'dispute_reversal')) AS disputed
FROM rest_movement WHERE kind IN ('refund', 'refund_failure', 'dispute', 'dispute_reversal')
GROUP BY payment_key;

CREATE OR REPLACE TEMP TABLE given_back_of AS
SELECT payment_key, charge_id, amount, currency, transaction_id
FROM movement WHERE kind IN ('charge', 'charge_failure') AND payment_key IN (SELECT payment_key FROM given_back);

INSERT INTO finding BY NAME
WITH against AS (
    SELECT given_back.*, paid.captured, paid.charge_id
    FROM given_back
    JOIN (
        SELECT payment_key, sum(amount) AS captured, max(charge_id) AS charge_id FROM given_back_of GROUP BY payment_key
    ) AS paid USING (payment_key)
)
SELECT
    CASE WHEN refunded > captured THEN 'over_refund' ELSE 'dispute_and_refund' END AS code,
    payment_key AS subject, 'break' AS state, NULL AS period, currency,
    (coalesce(refunded, 0) + coalesce(disputed, 0) - captured)::BIGINT AS amount_at_stake,
    payment_key AS payment_intent_id, charge_id, seen_at AS occurred_at,
    format('captured {}, refunded {}, disputed {}', money_text(captured, currency), money_text(coalesce(refunded, 0), currency),
        money_text(coalesce(disputed, 0), currency)) AS note
FROM against
WHERE refunded > captured OR (refunded > 0 AND disputed > 0 AND refunded + disputed > captured);

INSERT INTO finding BY NAME
WITH back AS (
    SELECT refund.payment_key, -sum(row.amount) AS refunded,
        max(row.occurred_at) AS seen_at, any_value(row.account_id) AS account_id
    FROM grouped_money AS placed
    JOIN rest_money AS row USING (transaction_id)
    JOIN judged ON judged.group_key = placed.group_key AND judged.code IS NULL AND judged.kind = 'refund'
    JOIN near_refund AS refund ON refund.refund_id = placed.group_key
    GROUP BY ALL
), bought AS (
    SELECT payment_key, sum(amount) AS bought, any_value(currency) AS currency FROM (
        -- A pair's purchase is as large as its charge.
        SELECT payment_key, amount, currency FROM given_back_of WHERE transaction_id IS NOT NULL
        UNION ALL
        SELECT placed.group_key, row.amount, row.currency FROM grouped_money AS placed JOIN rest_money AS row USING (transaction_id)
        WHERE placed.kind = 'payment'
    ) SEMI JOIN back USING (payment_key) GROUP BY payment_key
)
SELECT 'over_refund' AS code, payment_key AS subject, 'break' AS state, NULL AS period, currency,
    (refunded - bought)::BIGINT AS amount_at_stake, account_id, payment_key AS payment_intent_id, seen_at AS occurred_at,
    format('bought for {}, refunded {}', money_text(bought, currency), money_text(refunded, currency)) AS note
FROM back JOIN bought USING (payment_key)
WHERE refunded > bought AND payment_key NOT IN (SELECT subject FROM finding WHERE code IN ('over_refund', 'dispute_and_refund'));

INSERT INTO finding BY NAME
SELECT 'refund_pending_stale' AS code, refund_id AS subject, 'break' AS state, NULL AS period, currency, amount AS amount_at_stake,
    payment_intent_id, charge_id, refund_id, created AS occurred_at, pending_reason AS note
FROM own_refunds, recon.parameters AS terms
WHERE status IN ('pending', 'requires_action') AND created <= terms.as_of - to_seconds($refund_pending_seconds)
  AND refund_id NOT IN (SELECT group_key FROM judged WHERE code = 'refund_pending_stale');

INSERT INTO finding BY NAME
SELECT 'inquiry_open' AS code, dispute_id AS subject, 'break' AS state, NULL AS period, currency, amount AS amount_at_stake,
    payment_intent_id, charge_id, dispute_id, created AS occurred_at, reason AS note
FROM own_disputes WHERE status IN ('warning_needs_response', 'warning_under_review');

INSERT INTO finding BY NAME
SELECT 'balance_txn_missing' AS code, coalesce(other_source_id, charge_id) AS subject,
    CASE WHEN moved_at > terms.as_of - to_seconds($grace_seconds) THEN 'expected' ELSE 'break' END AS state,
    period, currency, amount AS amount_at_stake, payment_key AS payment_intent_id, charge_id, moved_at AS occurred_at
FROM movement, recon.parameters AS terms WHERE bt_amount IS NULL
UNION ALL BY NAME
SELECT 'balance_txn_missing' AS code, refund_id AS subject, 'break' AS state, NULL AS period, currency, amount AS amount_at_stake,
    payment_intent_id, charge_id, created AS occurred_at
FROM own_refunds AS refund, recon.parameters AS terms
WHERE status = 'succeeded' AND created <= terms.as_of - to_seconds($grace_seconds)
  AND NOT EXISTS (FROM own_transactions AS bt WHERE bt.source_id = refund.refund_id)
  AND refund_id NOT IN (SELECT group_key FROM judged WHERE code IS NOT NULL);

-- Three recharges of a customer in a row that were declined, with none that succeeded since.
INSERT INTO finding BY NAME
WITH declined AS (
    SELECT * FROM own_intents
    WHERE status <> 'succeeded' AND (last_error_code IS NOT NULL OR last_decline_code IS NOT NULL) AND customer_id IS NOT NULL
        AND regexp_matches(metadata::VARCHAR, 'auto_recharge|tollbook_attempt')
), succeeded AS (
    SELECT customer_id,
        max(created) FILTER (regexp_matches(metadata::VARCHAR, 'auto_recharge|tollbook_attempt')) AS succeeded_at
    FROM own_intents SEMI JOIN declined USING (customer_id)
    WHERE status = 'succeeded'
    GROUP BY customer_id
)
SELECT 'auto_recharge_failed_streak' AS code, customer_id AS subject, 'break' AS state, NULL AS period,
    any_value(currency) AS currency, max_by(amount, created) AS amount_at_stake,
    (SELECT min(account_id) FROM owner WHERE owner.customer_id = declined.customer_id) AS account_id,
    max_by(payment_intent_id, created) AS payment_intent_id, max(created) AS occurred_at,
    format('{} declines in a row, the last {}', count(*), max_by(coalesce(last_decline_code, last_error_code), created)) AS note
FROM declined LEFT JOIN succeeded USING (customer_id)
WHERE succeeded_at IS NULL OR created > succeeded_at
GROUP BY customer_id HAVING count(*) >= $declines;
