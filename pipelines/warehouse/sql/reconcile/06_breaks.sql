-- Findings about groups: one per group that does not come to nothing, and one per group that two periods share.
CREATE OR REPLACE TEMP TABLE finding (
    code VARCHAR, subject VARCHAR, state VARCHAR, period VARCHAR, currency VARCHAR, residual_amount BIGINT DEFAULT 0,
    amount_at_stake BIGINT DEFAULT 0, account_id VARCHAR, transaction_id UUID, payment_intent_id VARCHAR,
    charge_id VARCHAR, refund_id VARCHAR, dispute_id VARCHAR, balance_transaction_id VARCHAR, payout_id VARCHAR,
    occurred_at TIMESTAMPTZ, note VARCHAR);

INSERT INTO finding BY NAME
SELECT
    judged.code, judged.group_key AS subject,
    CASE WHEN is_tolerated THEN 'matched_with_variance' WHEN is_waiting THEN 'expected' ELSE 'break' END AS state,
    period.period, judged.currency, judged.residual AS residual_amount, abs(judged.residual) AS amount_at_stake,
    judged.account_id, judged.transaction_id,
    coalesce(intent.payment_intent_id, refund.payment_intent_id, dispute.payment_intent_id) AS payment_intent_id,
    CASE WHEN judged.kind = 'payment' AND intent.payment_intent_id IS NULL THEN charge.charge_id
        ELSE coalesce(refund.charge_id, dispute.charge_id) END AS charge_id,
    refund.refund_id, dispute.dispute_id, judged.first_at AS occurred_at,
    CASE WHEN judged.code = 'currency_mismatch'
        THEN 'Stripe moved ' || money_text(judged.stripe, judged.stripe_currency)
        WHEN judged.ledger_rows > 0 AND judged.movements > 0
        THEN format('ledger {}, Stripe {}', money_text(judged.ledger, judged.ledger_currency),
            money_text(judged.stripe, judged.stripe_currency)) END AS note
FROM judged
LEFT JOIN (SELECT group_key, min(period) AS period FROM carried GROUP BY group_key) AS period USING (group_key)
LEFT JOIN near_intent AS intent ON judged.kind = 'payment' AND intent.payment_intent_id = judged.group_key
LEFT JOIN (SELECT DISTINCT charge_id FROM near_charge WHERE charge_id = payment_key) AS charge
    ON judged.kind = 'payment' AND charge.charge_id = judged.group_key
LEFT JOIN own_refunds AS refund ON judged.kind = 'refund' AND refund.refund_id = judged.group_key
LEFT JOIN own_disputes AS dispute ON judged.kind = 'dispute' AND dispute.dispute_id = judged.group_key
WHERE judged.code IS NOT NULL;

-- Timing: the row stands in the earlier period, which the later one evens out.
INSERT INTO finding BY NAME
SELECT 'timing_cutoff' AS code, group_key AS subject, 'timing' AS state, least(ledger_period, stripe_period) AS period, currency,
    CASE WHEN ledger_period < stripe_period THEN -amount ELSE amount END AS residual_amount, amount AS amount_at_stake,
    account_id, transaction_id, group_key AS payment_intent_id, seen_at AS occurred_at,
    format('ledger {}, Stripe {}', ledger_period, stripe_period) AS note
FROM straddling
UNION ALL BY NAME
SELECT 'timing_cutoff' AS code, carried.group_key AS subject, 'timing' AS state, min(carried.period) AS period,
    min_by(carried.currency, carried.period) AS currency, min_by(carried.amount, carried.period) AS residual_amount,
    max(abs(carried.amount)) AS amount_at_stake, any_value(judged.account_id) AS account_id,
    any_value(judged.transaction_id) AS transaction_id, NULL AS payment_intent_id, any_value(judged.last_at) AS occurred_at,
    format('{} to {}', min(carried.period), max(carried.period)) AS note
FROM carried JOIN judged USING (group_key)
WHERE judged.code IS NULL
GROUP BY carried.group_key;
