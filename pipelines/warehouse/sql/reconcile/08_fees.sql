-- Fees outside their bands, where the books state any: on what was captured, by method and country.
INSERT INTO finding BY NAME
WITH charged AS (
    SELECT bt.balance_transaction_id, bt.currency, bt.fee, bt.created, bt.amount + coalesce(uncaptured.amount, 0) AS amount,
        charge.charge_id, charge.payment_intent_id, charge.payment_method_type, charge.payment_method_country
    FROM own_transactions AS bt
    JOIN own_charges AS charge ON charge.charge_id = bt.source_id
    LEFT JOIN uncaptured ON uncaptured.charge_id = charge.charge_id
    WHERE bt.reporting_category = 'charge'
), banded AS (
    SELECT charged.*, band.method, charged.amount * min_bp // 10000 + fixed - 1 AS least_fee,
        charged.amount * max_bp // 10000 + fixed + 1 AS most_fee
    FROM charged
    JOIN fee_band AS band ON band.method = charged.payment_method_type
        AND (band.country IS NULL OR band.country = charged.payment_method_country)
    QUALIFY row_number() OVER (PARTITION BY balance_transaction_id ORDER BY band.country NULLS LAST) = 1
)
SELECT 'fee_anomaly' AS code, balance_transaction_id AS subject, 'break' AS state, NULL AS period, currency,
    greatest(least_fee - fee, fee - most_fee)::BIGINT AS amount_at_stake, payment_intent_id, charge_id, balance_transaction_id,
    created AS occurred_at, format('fee {} on {} by {}, expected {} to {}', money_text(fee, currency),
        money_text(amount, currency), method, money_text(least_fee, currency), money_text(most_fee, currency)) AS note
FROM banded WHERE fee < least_fee OR fee > most_fee;
