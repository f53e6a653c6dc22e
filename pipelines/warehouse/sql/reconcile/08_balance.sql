-- Findings about balance transactions, payouts, the balance itself and the extract.
CREATE OR REPLACE TEMP TABLE uncaptured AS
-- What a partial capture gave back, by charge.
SELECT coalesce(charge.charge_id, refund.charge_id) AS charge_id, sum(bt.amount)::BIGINT AS amount
FROM (SELECT * FROM own_transactions WHERE reporting_category = 'partial_capture_reversal') AS bt
LEFT JOIN own_charges AS charge ON charge.charge_id = bt.source_id
LEFT JOIN own_refunds AS refund ON refund.refund_id = bt.source_id
GROUP BY ALL;

-- Charges of theirs; one without a transaction yet has received nothing, so nothing of it was given back either.
CREATE OR REPLACE TEMP TABLE partly_captured AS
SELECT charge_id, currency, bt_currency FROM movement
WHERE kind = 'charge' AND bt_amount IS NOT NULL AND charge_id IN (SELECT charge_id FROM uncaptured);

INSERT INTO finding BY NAME
SELECT 'charge_bt_mismatch' AS code, movement.movement_id AS subject, 'break' AS state, period, currency,
    abs(bt_amount + coalesce(uncaptured.amount, 0) - movement.amount)::BIGINT AS amount_at_stake,
    payment_key AS payment_intent_id, movement.charge_id, movement_id AS balance_transaction_id, moved_at AS occurred_at,
    format('object {}, balance transactions {}', money_text(movement.amount, currency),
        money_text(bt_amount + coalesce(uncaptured.amount, 0), currency)) AS note
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
        SELECT movement.*, bt.exchange_rate, (CASE WHEN kind = 'charge' AND authorised > movement.amount THEN authorised
            ELSE movement.amount END)::DECIMAL(18, 0) AS authorised_or_amount
        FROM movement
        JOIN own_transactions AS bt ON bt.balance_transaction_id = movement.movement_id
        WHERE bt_currency <> movement.currency AND bt.exchange_rate IS NOT NULL
    ) AS movement
    LEFT JOIN uncaptured USING (charge_id)
    LEFT JOIN currency AS source ON source.currency = movement.currency
    LEFT JOIN currency AS target ON target.currency = movement.bt_currency
)
SELECT 'fx_variance' AS code, movement_id AS subject, 'break' AS state, period, bt_currency AS currency,
    ceil(off_by)::BIGINT AS amount_at_stake, payment_key AS payment_intent_id, charge_id, movement_id AS balance_transaction_id,
    moved_at AS occurred_at, format('{} at {} is not {}', money_text(amount, currency), rtrim(rtrim(exchange_rate::VARCHAR, '0'), '.'),
        money_text(bt_amount, bt_currency)) AS note
FROM converted WHERE off_by > $fx_tolerance
UNION ALL BY NAME
-- What came in and went out in full at two rates leaves a gain or a loss.
SELECT 'fx_variance' AS code, payment_key AS subject, 'information' AS state, max(period) AS period, bt_currency AS currency,
    abs(sum(bt_amount))::BIGINT AS amount_at_stake, payment_key AS payment_intent_id, NULL AS charge_id,
    NULL AS balance_transaction_id, max(moved_at) AS occurred_at,
    format('{} of {}', CASE WHEN sum(bt_amount) > 0 THEN 'gain' ELSE 'loss' END,
        money_text(abs(sum(bt_amount)), bt_currency)) AS note
FROM movement
WHERE bt_currency <> currency AND payment_key IN (
    SELECT payment_key FROM rest_movement WHERE kind <> 'charge' AND bt_currency <> currency)
GROUP BY payment_key, bt_currency
HAVING sum(amount) = 0 AND sum(bt_amount) <> 0 AND count(*) > 1;

-- Transactions of sales that no movement has: of an unknown source, or of what is no token sale. Each movement has one of
-- its own, so a day with as many of the one as of the other has none.
CREATE OR REPLACE TEMP TABLE uneven_day AS
SELECT day
FROM (
    SELECT epoch_us(created) // 86400000000 AS day, 1 AS one FROM own_transactions
    WHERE reporting_category IN ('charge', 'charge_failure', 'refund', 'refund_failure', 'dispute', 'dispute_reversal')
    UNION ALL
    SELECT epoch_us(moved_at) // 86400000000, -1 FROM movement WHERE bt_amount IS NOT NULL
)
GROUP BY day HAVING sum(one) <> 0;

CREATE OR REPLACE TEMP TABLE unplaced AS
SELECT balance_transaction_id, source_id, amount, currency, created, reporting_category
FROM own_transactions
ANTI JOIN (
    SELECT movement_id FROM movement WHERE epoch_us(moved_at) // 86400000000 IN (FROM uneven_day)
) AS placed ON placed.movement_id = own_transactions.balance_transaction_id
WHERE reporting_category IN ('charge', 'charge_failure', 'refund', 'refund_failure', 'dispute', 'dispute_reversal')
    AND epoch_us(created) // 86400000000 IN (FROM uneven_day);

CREATE OR REPLACE TEMP TABLE orphan AS
WITH stray AS (
    SELECT *, CASE WHEN reporting_category IN ('charge', 'charge_failure') THEN ['charge']
        WHEN reporting_category IN ('refund', 'refund_failure') THEN ['refund'] ELSE ['dispute'] END AS kinds
    FROM unplaced
    UNION ALL
    SELECT balance_transaction_id, source_id, amount, currency, created, reporting_category,
        CASE reporting_category WHEN 'partial_capture_reversal' THEN ['charge', 'refund'] ELSE ['payout'] END
    FROM own_transactions WHERE reporting_category IN ('partial_capture_reversal', 'payout', 'payout_reversal')
), wanted AS (
    SELECT source_id, unnest(kinds) AS kind FROM stray
), known AS (
    SELECT charge_id AS source_id, 'charge' AS kind FROM own_charges
    WHERE charge_id IN (SELECT source_id FROM wanted WHERE kind = 'charge')
    UNION ALL SELECT refund_id, 'refund' FROM own_refunds
    UNION ALL SELECT dispute_id, 'dispute' FROM own_disputes
    UNION ALL SELECT payout_id, 'payout' FROM own_payouts
)
SELECT stray.* EXCLUDE (kinds) FROM stray
WHERE balance_transaction_id NOT IN (
    SELECT balance_transaction_id FROM stray JOIN known ON known.source_id = stray.source_id AND list_contains(stray.kinds, known.kind));

-- Fees that stand by themselves.
CREATE OR REPLACE TEMP TABLE lone_fee AS
SELECT bt.* FROM own_transactions AS bt
SEMI JOIN (FROM category WHERE role = 'fee') AS fee ON fee.category = bt.reporting_category;

INSERT INTO finding BY NAME
SELECT 'bt_orphan_source' AS code, balance_transaction_id AS subject, 'break' AS state, NULL AS period, currency,
    abs(amount) AS amount_at_stake, balance_transaction_id, created AS occurred_at,
    format('{} of {}', reporting_category, coalesce(source_id, 'nothing')) AS note
FROM orphan
UNION ALL BY NAME
SELECT 'bt_arithmetic' AS code, balance_transaction_id AS subject, 'break' AS state, NULL AS period, currency,
    greatest(abs(amount - fee - net), abs(fee - coalesce(list_sum(json_extract(fee_details, '$[*].amount')::BIGINT[]), 0)))::BIGINT
        AS amount_at_stake, balance_transaction_id, created AS occurred_at,
    format('amount {}, fee {}, net {}', money_text(amount, currency), money_text(fee, currency), money_text(net, currency)) AS note
FROM own_transactions
WHERE net <> amount - fee
   -- One detail that is the whole fee is the ordinary case, and its text says so more cheaply than JSON.
   OR ((NOT starts_with(fee_details::VARCHAR, '[{"amount":' || fee || ',') OR contains(fee_details::VARCHAR, ',{'))
    AND coalesce(list_sum(json_extract(fee_details, '$[*].amount')::BIGINT[]), 0) <> fee)
UNION ALL BY NAME
SELECT 'unclassified_category' AS code, balance_transaction_id AS subject, 'break' AS state, NULL AS period, currency,
    abs(amount) AS amount_at_stake, balance_transaction_id, created AS occurred_at,
    format('category {}, type {}', reporting_category, type) AS note
FROM own_transactions
WHERE reporting_category NOT IN (SELECT category FROM category) OR type NOT IN (SELECT type FROM known_type)
UNION ALL BY NAME
SELECT 'stripe_fee_unallocated' AS code, balance_transaction_id AS subject, 'break' AS state, NULL AS period, currency,
    abs(amount) AS amount_at_stake, balance_transaction_id, created AS occurred_at, description AS note
FROM lone_fee
WHERE source_id IS NULL
   OR source_id NOT IN (
    SELECT coalesce(other_source_id, charge_id) FROM movement
    WHERE coalesce(other_source_id, charge_id) IN (SELECT source_id FROM lone_fee));
