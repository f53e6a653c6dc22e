-- What each group of the rest adds up to, and the one code that says why it does not come to nothing.
CREATE OR REPLACE TEMP TABLE member AS
SELECT placed.group_key, placed.kind, placed.rule, row.currency, row.period, row.amount AS ledger, 0::BIGINT AS stripe,
    row.role, row.transaction_id, row.account_id, NULL AS movement_id, row.occurred_at AS seen_at, row.amount AS signed
FROM grouped_money AS placed JOIN rest_money AS row USING (transaction_id)
UNION ALL
SELECT placed.group_key, placed.kind, NULL, row.currency, row.period, 0, row.amount,
    row.kind, NULL, NULL, row.movement_id, row.moved_at, row.amount
FROM grouped_movement AS placed JOIN rest_movement AS row USING (movement_no);

CREATE OR REPLACE TEMP TABLE party AS
SELECT
    group_key, any_value(kind) AS kind, min(rule) AS rule,
    count(transaction_id) AS ledger_rows, count(movement_id) AS movements,
    sum(ledger)::BIGINT AS ledger, sum(stripe)::BIGINT AS stripe,
    min(currency) FILTER (transaction_id IS NOT NULL) AS ledger_currency,
    min(currency) FILTER (movement_id IS NOT NULL) AS stripe_currency,
    any_value(coalesce(open_currencies, 0)) AS currencies,
    count(*) FILTER (role = 'credit') AS credits,
    coalesce(sum(ledger) FILTER (role = 'credit'), 0)::BIGINT AS credited,
    coalesce(sum(signed) FILTER (role = 'charge'), 0)::BIGINT AS charged,
    count(*) FILTER (role IN ('charge_failure', 'refund_failure')) AS failures,
    count(*) FILTER (role = 'refund') AS refund_rows,
    count(*) FILTER (role = 'chargeback') AS chargeback_rows,
    count(*) FILTER (role = 'dispute') AS withdrawals,
    count(*) FILTER (role = 'dispute_reversal') AS reinstatements,
    max(seen_at) AS last_at, min(seen_at) AS first_at,
    min_by(transaction_id, (seen_at, transaction_id)) FILTER (transaction_id IS NOT NULL) AS transaction_id,
    min_by(account_id, (seen_at, transaction_id)) FILTER (transaction_id IS NOT NULL) AS account_id
FROM member
LEFT JOIN (
    -- In how many currencies a group does not come to nothing.
    SELECT group_key, count(*) AS open_currencies
    FROM (SELECT group_key, currency FROM member GROUP BY ALL HAVING sum(stripe) <> sum(ledger))
    GROUP BY group_key
) AS open USING (group_key)
GROUP BY group_key;

-- Later charges of one customer for the same amount, currency and package within ten minutes, not given back since. Few
-- have another one on the same day, or on both sides of the same midnight: only theirs are put in order.
CREATE OR REPLACE TEMP TABLE repeated_charge AS
WITH sale AS NOT MATERIALIZED (
    SELECT hash(customer_id, amount, currency) AS sale_hash, epoch_us(moved_at) AS moved_us,
        1000000 * $duplicate_seconds::BIGINT AS window_us, 86400000000 AS day_us
    FROM movement WHERE kind = 'charge' AND customer_id IS NOT NULL
), crowded AS (
    SELECT sale_hash FROM sale GROUP BY sale_hash, moved_us // day_us HAVING count(*) > 1
    UNION
    SELECT sale_hash FROM sale WHERE moved_us % day_us <= window_us OR moved_us % day_us >= day_us - window_us
    GROUP BY sale_hash, (moved_us + window_us) // day_us HAVING count(*) > 1
), ordered AS (
    SELECT *, lag(moved_at) OVER same AS before_at, lag(payment_key) OVER same AS before_key
    FROM movement
    WHERE kind = 'charge' AND customer_id IS NOT NULL
        AND hash(customer_id, amount, currency) IN (FROM crowded)
    WINDOW same AS (PARTITION BY customer_id, amount, currency, package_id ORDER BY moved_at, payment_key)
)
SELECT payment_key, charge_id, amount, currency, moved_at
FROM ordered
WHERE before_key <> payment_key AND moved_at - before_at <= to_seconds($duplicate_seconds)
  AND payment_key NOT IN (
    SELECT payment_key FROM rest_movement WHERE kind IN ('refund', 'charge_failure') AND payment_key IS NOT NULL);

CREATE OR REPLACE TEMP TABLE judged AS
WITH intent AS (
    SELECT payment_intent_id AS group_key, status, last_error_code FROM near_intent
), charge AS (
    SELECT payment_key AS group_key, bool_or(status = 'failed') AS has_failed, max(amount) AS authorised,
        max(amount_captured) AS captured
    FROM near_charge GROUP BY payment_key
), refund AS (
    SELECT refund_id AS group_key, status, created FROM own_refunds SEMI JOIN party ON party.group_key = own_refunds.refund_id
), dispute AS (
    SELECT dispute_id AS group_key, status FROM own_disputes SEMI JOIN party ON party.group_key = own_disputes.dispute_id
), terms AS (
    SELECT *, as_of - to_seconds($grace_seconds) AS grace_from, as_of - to_seconds($refund_pending_seconds) AS stale_from
    FROM recon.parameters
), coded AS (
SELECT
    party.*, refund.created AS refund_created,
    CASE
        WHEN party.currencies > 1 THEN 'currency_mismatch'
        WHEN party.stripe = party.ledger THEN NULL
        WHEN party.kind = 'payment' AND party.movements = 0 THEN CASE
            WHEN party.rule = 6 THEN 'ambiguous_match'
            WHEN intent.status = 'canceled' OR charge.has_failed OR intent.last_error_code IS NOT NULL
                THEN 'credit_on_failed_payment'
            WHEN intent.status IN ('processing', 'requires_payment_method', 'requires_confirmation', 'requires_action',
                'requires_capture') THEN 'credit_on_unsettled'
            ELSE 'credit_without_payment' END
        WHEN party.kind = 'payment' AND party.credits = 0 THEN CASE
            WHEN party.group_key IN (SELECT payment_key FROM recon.candidates) THEN 'ambiguous_match'
            WHEN party.group_key IN (SELECT payment_key FROM gift WHERE payment_key IS NOT NULL)
                THEN 'free_grant_as_purchase'
            WHEN party.group_key IN (SELECT payment_key FROM repeated_charge) THEN 'duplicate_charge'
            ELSE 'payment_not_credited' END
        WHEN party.kind = 'payment' THEN CASE
            WHEN party.failures > 0 AND party.stripe = 0 THEN 'credit_on_failed_payment'
            WHEN party.credits > 1 AND party.ledger > party.stripe THEN 'duplicate_credit'
            WHEN charge.captured < charge.authorised AND party.ledger = charge.authorised
                THEN 'partial_capture_overcredit'
            ELSE 'amount_mismatch' END
        WHEN party.kind = 'refund' AND party.ledger_rows = 0 THEN 'refund_not_recorded'
        WHEN party.kind = 'refund' AND party.movements = 0 THEN CASE
            WHEN refund.status IN ('failed', 'canceled') THEN 'refund_failed_not_reversed'
            WHEN refund.status IN ('pending', 'requires_action') THEN 'refund_pending_stale'
            WHEN refund.status = 'succeeded' AND refund.group_key NOT IN (
                SELECT source_id FROM own_transactions
                WHERE reporting_category = 'partial_capture_reversal' AND source_id IS NOT NULL)
                THEN 'balance_txn_missing'
            ELSE 'refund_without_stripe' END
        WHEN party.kind = 'refund' THEN
            CASE WHEN party.failures > 0 AND party.stripe = 0 THEN 'refund_failed_not_reversed'
                ELSE 'refund_amount_mismatch' END
        WHEN party.ledger_rows = 0 THEN
            CASE dispute.status WHEN 'lost' THEN 'dispute_lost_not_debited' ELSE 'dispute_opened_not_held' END
        WHEN party.movements = 0 THEN
            CASE WHEN dispute.status IS NULL THEN 'refund_without_stripe' ELSE 'balance_txn_missing' END
        WHEN party.reinstatements > 0 AND party.stripe = 0 THEN 'dispute_won_not_reinstated'
        WHEN party.ledger = 0 THEN
            CASE dispute.status WHEN 'lost' THEN 'dispute_lost_not_debited' ELSE 'dispute_opened_not_held' END
        ELSE 'amount_mismatch'
    END AS code
FROM party
LEFT JOIN intent USING (group_key)
LEFT JOIN charge USING (group_key)
LEFT JOIN refund USING (group_key)
LEFT JOIN dispute USING (group_key)
)
SELECT
    coded.* EXCLUDE (refund_created),
    -- One side may be a little late: it waits, and only then it breaks.
    coalesce(CASE
        WHEN code = 'refund_pending_stale' THEN refund_created > terms.stale_from
        WHEN code IN ('payment_not_credited', 'credit_without_payment', 'credit_on_unsettled', 'refund_not_recorded',
            'refund_without_stripe', 'dispute_opened_not_held', 'dispute_lost_not_debited', 'dispute_won_not_reinstated',
            'balance_txn_missing') THEN last_at > terms.grace_from
        END, false) AS is_waiting,
    coalesce(abs(stripe - ledger) <= $tolerance AND credits = 1 AND code = 'amount_mismatch', false) AS is_tolerated,
    coalesce(ledger_currency, stripe_currency) AS currency,
    CASE WHEN code = 'currency_mismatch' THEN -ledger ELSE stripe - ledger END AS residual
FROM coded, terms;

-- Equal pairs that fall into two periods are only a matter of time.
CREATE OR REPLACE TEMP TABLE straddling AS
SELECT pair.payment_key AS group_key, row.transaction_id, row.account_id, row.currency, row.amount, pair.ledger_period,
    pair.stripe_period, greatest(row.occurred_at, pair.moved_at) AS seen_at
FROM (SELECT * FROM pair WHERE ledger_period <> stripe_period) AS pair
JOIN recon.ledger AS row USING (transaction_id);

CREATE OR REPLACE TEMP TABLE carried AS
SELECT group_key, period, currency, sum(signed)::BIGINT AS amount, NULL AS code
FROM (
    SELECT group_key, period, currency, CASE WHEN transaction_id IS NULL THEN signed ELSE -signed END AS signed FROM member
) GROUP BY group_key, period, currency HAVING sum(signed) <> 0
UNION ALL
SELECT group_key, unnest([ledger_period, stripe_period]), currency, unnest([-amount, amount]), 'timing_cutoff' FROM straddling;
