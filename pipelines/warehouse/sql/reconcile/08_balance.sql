-- Findings about balance transactions, payouts, the balance itself and the extract.
CREATE OR REPLACE TEMP TABLE uncaptured AS
-- What a partial capture gave back, by charge.
SELECT coalesce(charge.charge_id, refund.charge_id) AS charge_id, sum(bt.amount)::BIGINT AS amount
FROM (SELECT * FROM own_transactions WHERE reporting_category = 'partial_capture_reversal') AS bt
LEFT JOIN own_charges AS charge ON charge.charge_id = bt.source_id
LEFT JOIN own_refunds AS refund ON refund.refund_id = bt.source_id
GROUP BY ALL;

INSERT INTO finding BY NAME
SELECT 'charge_bt_mismatch' AS code, movement.movement_id AS subject, 'break' AS state, period, currency,
    abs(bt_amount + coalesce(uncaptured.amount, 0) - movement.amount)::BIGINT AS amount_at_stake,
    payment_key AS payment_intent_id, movement.charge_id, movement_id AS balance_transaction_id, moved_at AS occurred_at,
    format('object {}, balance transactions {}', movement.amount, bt_amount + coalesce(uncaptured.amount, 0)) AS note
FROM movement LEFT JOIN uncaptured ON movement.kind = 'charge' AND uncaptured.charge_id = movement.charge_id
WHERE bt_currency = currency AND bt_amount + coalesce(uncaptured.amount, 0) <> movement.amount;

INSERT INTO finding BY NAME
WITH converted AS (
    SELECT movement.*, uncaptured.amount AS returned,
        -- The rate is between amounts as written; for currencies of unequal decimals Stripe has used whole units.
        least(
            abs(authorised_or_amount * exchange_rate - bt_amount),
            abs(authorised_or_amount * exchange_rate * coalesce(target.scale, 100) / coalesce(source.scale, 100) - bt_amount)
        ) AS off_by
    FROM (
        SELECT *, (CASE WHEN kind = 'charge' AND authorised > amount THEN authorised ELSE amount END)::DECIMAL(18, 0)
            AS authorised_or_amount
        FROM movement WHERE bt_currency <> currency AND exchange_rate IS NOT NULL
    ) AS movement
    LEFT JOIN uncaptured USING (charge_id)
    LEFT JOIN currency AS source ON source.currency = movement.currency
    LEFT JOIN currency AS target ON target.currency = movement.bt_currency
)
SELECT 'fx_variance' AS code, movement_id AS subject, 'break' AS state, period, bt_currency AS currency,
    ceil(off_by)::BIGINT AS amount_at_stake, payment_key AS payment_intent_id, charge_id, movement_id AS balance_transaction_id,
    moved_at AS occurred_at, format('{} {} at {} is not {} {}', amount, upper(currency), exchange_rate::VARCHAR, bt_amount, upper(bt_currency)) AS note
FROM converted WHERE off_by > $fx_tolerance
UNION ALL BY NAME
-- What came in and went out in full at two rates leaves a gain or a loss.
SELECT 'fx_variance' AS code, payment_key AS subject, 'information' AS state, max(period) AS period, bt_currency AS currency,
    abs(sum(bt_amount))::BIGINT AS amount_at_stake, payment_key AS payment_intent_id, NULL AS charge_id,
    NULL AS balance_transaction_id, max(moved_at) AS occurred_at,
    format('{} of {} {}', CASE WHEN sum(bt_amount) > 0 THEN 'gain' ELSE 'loss' END, abs(sum(bt_amount)), upper(bt_currency)) AS note
FROM movement
WHERE bt_currency <> currency AND payment_key IN (
    SELECT payment_key FROM rest_movement WHERE kind <> 'charge' AND bt_currency <> currency)
GROUP BY payment_key, bt_currency
HAVING sum(amount) = 0 AND sum(bt_amount) <> 0 AND count(*) > 1;

CREATE OR REPLACE TEMP TABLE orphan AS
SELECT bt.balance_transaction_id, bt.source_id, bt.amount, bt.currency, bt.created, bt.reporting_category
FROM own_transactions AS bt
WHERE bt.reporting_category IN ('charge', 'charge_failure') AND NOT EXISTS (
    FROM own_charges AS charge WHERE charge.charge_id = bt.source_id)
UNION ALL
SELECT bt.balance_transaction_id, bt.source_id, bt.amount, bt.currency, bt.created, bt.reporting_category
FROM own_transactions AS bt
WHERE bt.reporting_category IN ('refund', 'refund_failure', 'partial_capture_reversal')
  AND bt.source_id NOT IN (SELECT refund_id FROM own_refunds)
  AND (bt.reporting_category <> 'partial_capture_reversal' OR bt.source_id NOT IN (SELECT charge_id FROM own_charges))
UNION ALL
SELECT bt.balance_transaction_id, bt.source_id, bt.amount, bt.currency, bt.created, bt.reporting_category
FROM own_transactions AS bt
WHERE bt.reporting_category IN ('dispute', 'dispute_reversal') AND bt.source_id NOT IN (SELECT dispute_id FROM own_disputes)
UNION ALL
SELECT bt.balance_transaction_id, bt.source_id, bt.amount, bt.currency, bt.created, bt.reporting_category
FROM own_transactions AS bt
WHERE bt.reporting_category IN ('payout', 'payout_reversal') AND bt.source_id NOT IN (SELECT payout_id FROM own_payouts);

INSERT INTO finding BY NAME
SELECT 'bt_orphan_source' AS code, balance_transaction_id AS subject, 'break' AS state, NULL AS period, currency,
    abs(amount) AS amount_at_stake, balance_transaction_id, created AS occurred_at,
    format('{} of {}', reporting_category, coalesce(source_id, 'nothing')) AS note
FROM orphan
UNION ALL BY NAME
SELECT 'bt_arithmetic' AS code, balance_transaction_id AS subject, 'break' AS state, NULL AS period, currency,
    greatest(abs(amount - fee - net), abs(fee - coalesce(list_sum(json_extract(fee_details, '$[*].amount')::BIGINT[]), 0)))::BIGINT
        AS amount_at_stake, balance_transaction_id, created AS occurred_at,
    format('amount {}, fee {}, net {}', amount, fee, net) AS note
FROM own_transactions
WHERE net <> amount - fee OR coalesce(list_sum(json_extract(fee_details, '$[*].amount')::BIGINT[]), 0) <> fee
UNION ALL BY NAME
SELECT 'unclassified_category' AS code, balance_transaction_id AS subject, 'break' AS state, NULL AS period, currency,
    abs(amount) AS amount_at_stake, balance_transaction_id, created AS occurred_at,
    format('category {}, type {}', reporting_category, type) AS note
FROM own_transactions
WHERE reporting_category NOT IN (SELECT category FROM category) OR type NOT IN (SELECT type FROM known_type)
UNION ALL BY NAME
SELECT 'stripe_fee_unallocated' AS code, balance_transaction_id AS subject, 'break' AS state, NULL AS period, currency,
    abs(amount) AS amount_at_stake, balance_transaction_id, created AS occurred_at, description AS note
FROM (SELECT bt.* FROM own_transactions AS bt SEMI JOIN (FROM category WHERE role = 'fee') AS fee ON fee.category = bt.reporting_category) AS bt
WHERE source_id IS NULL OR source_id NOT IN (SELECT source_id FROM movement);
