-- Refunds, disputes and corrections find their objects; every row and movement of the rest goes into one group.
CREATE OR REPLACE TEMP TABLE payment_of AS
-- The payment that a row of the rest belongs to, by its own id or by the row that it names.
SELECT row.role, row.transaction_id, row.amount, row.currency, row.occurred_at, row.refund_id,
    base.transaction_id AS base_id,
    coalesce(named.payment_key, row.payment_intent_id, bought.payment_key, base_named.payment_key, base.payment_intent_id)
        AS payment_key
FROM rest_money AS row
LEFT JOIN named USING (transaction_id)
LEFT JOIN corrected AS base ON base.transaction_id = row.corrects_transaction_id
LEFT JOIN found_credit AS bought ON bought.transaction_id = base.transaction_id
LEFT JOIN named AS base_named ON base_named.transaction_id = base.transaction_id
WHERE row.role <> 'credit';

CREATE OR REPLACE TEMP TABLE grouped_money (transaction_id UUID, group_key VARCHAR, kind VARCHAR, rule INTEGER);

INSERT INTO grouped_money
SELECT credit.transaction_id, coalesce(found.payment_key, credit.transaction_id::VARCHAR), 'payment',
    coalesce(found.rule, CASE WHEN credit.transaction_id IN (SELECT transaction_id FROM recon.candidates) THEN 6 END)
FROM rest_credit AS credit LEFT JOIN found_credit AS found USING (transaction_id);

-- Refunds by their id, then the k-th of an amount with the k-th of that amount.
INSERT INTO grouped_money
SELECT row.transaction_id, refund.refund_id, 'refund', 1
FROM payment_of AS row JOIN own_refunds AS refund USING (refund_id)
WHERE row.role IN ('refund', 'refund_reversal');

INSERT INTO grouped_money
WITH nameless AS (
    SELECT transaction_id, payment_key, -amount AS amount, currency,
        row_number() OVER (PARTITION BY payment_key, amount, currency ORDER BY occurred_at, transaction_id) AS place
    FROM payment_of WHERE role = 'refund' AND refund_id IS NULL AND payment_key IS NOT NULL
), unnamed AS (
    SELECT refund_id, payment_key, amount, currency,
        row_number() OVER (PARTITION BY payment_key, amount, currency ORDER BY created, refund_id) AS place
    FROM near_refund
    WHERE refund_id NOT IN (SELECT group_key FROM grouped_money WHERE kind = 'refund')
      AND payment_key IN (SELECT payment_key FROM nameless)
)
SELECT transaction_id, refund_id, 'refund', 5 FROM nameless JOIN unnamed USING (payment_key, amount, currency, place);

-- Chargebacks: the k-th of a payment with its k-th dispute; one that names a failed payment belongs to the payment.
INSERT INTO grouped_money
WITH taken AS (
    SELECT transaction_id, payment_key, row_number() OVER (PARTITION BY payment_key ORDER BY occurred_at, transaction_id) AS place
    FROM payment_of WHERE role = 'chargeback' AND payment_key IS NOT NULL
), opened AS (
    SELECT dispute_id, payment_key, row_number() OVER (PARTITION BY payment_key ORDER BY created, dispute_id) AS place
    FROM near_dispute
    WHERE (len(balance_transaction_ids) > 0 OR status NOT LIKE 'warning%') AND payment_key IN (SELECT payment_key FROM taken)
)
SELECT transaction_id, coalesce(dispute_id, failed.payment_key), CASE WHEN dispute_id IS NULL THEN 'payment' ELSE 'dispute' END, 1
FROM taken
LEFT JOIN opened USING (payment_key, place)
LEFT JOIN (SELECT DISTINCT payment_key FROM rest_movement WHERE kind = 'charge_failure') AS failed USING (payment_key)
WHERE coalesce(dispute_id, failed.payment_key) IS NOT NULL;

-- A correction that names no row belongs to the payment that it names.
INSERT INTO grouped_money
SELECT row.transaction_id, named.payment_key, 'payment', named.rule
FROM payment_of AS row JOIN named USING (transaction_id)
WHERE row.role = 'adjustment' AND row.base_id IS NULL;

-- What names a row goes where that row went.
INSERT INTO grouped_money
SELECT row.transaction_id, base.group_key, base.kind, base.rule
FROM payment_of AS row JOIN grouped_money AS base ON base.transaction_id = row.base_id
WHERE row.role IN ('refund_reversal', 'chargeback_reversal', 'adjustment')
  AND NOT (row.role = 'chargeback_reversal' AND base.kind = 'payment')
  AND row.transaction_id NOT IN (SELECT transaction_id FROM grouped_money);

INSERT INTO grouped_money
WITH given AS (
    SELECT transaction_id, payment_key, row_number() OVER (PARTITION BY payment_key ORDER BY occurred_at, transaction_id) AS place
    FROM payment_of
    WHERE role = 'chargeback_reversal' AND payment_key IS NOT NULL AND transaction_id NOT IN (SELECT transaction_id FROM grouped_money)
), opened AS (
    SELECT dispute_id, payment_key, row_number() OVER (PARTITION BY payment_key ORDER BY created, dispute_id) AS place
    FROM near_dispute WHERE payment_key IN (SELECT payment_key FROM given)
)
SELECT transaction_id, dispute_id, 'dispute', 1 FROM given JOIN opened USING (payment_key, place);

-- However long the chain is, of corrections of a correction: up to the first row that has a place.
INSERT INTO grouped_money
WITH RECURSIVE above AS (
    SELECT transaction_id, base_id FROM payment_of
    WHERE base_id IS NOT NULL AND transaction_id NOT IN (SELECT transaction_id FROM grouped_money)
    UNION
    SELECT above.transaction_id, row.base_id
    FROM above JOIN payment_of AS row ON row.transaction_id = above.base_id
    WHERE row.base_id IS NOT NULL AND above.base_id NOT IN (SELECT transaction_id FROM grouped_money)
)
SELECT above.transaction_id, base.group_key, base.kind, base.rule
FROM above JOIN grouped_money AS base ON base.transaction_id = above.base_id;

-- What has nothing at Stripe stands alone, with all that names it: a row and its reversal come to nothing together.
INSERT INTO grouped_money
WITH RECURSIVE lonely AS (
    SELECT transaction_id, base_id, role FROM payment_of WHERE transaction_id NOT IN (SELECT transaction_id FROM grouped_money)
), above AS (
    SELECT transaction_id, transaction_id AS first_id FROM lonely
    WHERE base_id IS NULL OR base_id NOT IN (SELECT transaction_id FROM lonely)
    UNION
    SELECT lonely.transaction_id, above.first_id FROM above JOIN lonely ON lonely.base_id = above.transaction_id
)
SELECT above.transaction_id, first.transaction_id::VARCHAR,
    CASE WHEN first.role IN ('refund', 'refund_reversal') THEN 'refund'
        WHEN first.role IN ('chargeback', 'chargeback_reversal') THEN 'dispute' ELSE 'payment' END, NULL
FROM above JOIN lonely AS first ON first.transaction_id = above.first_id;

-- Rows of one instant that name each other in a ring have no first: each stands by itself.
INSERT INTO grouped_money
SELECT transaction_id, transaction_id::VARCHAR, 'payment', NULL FROM payment_of
WHERE transaction_id NOT IN (SELECT transaction_id FROM grouped_money);

-- Payments that no ledger row knows: what came back of them belongs to them, so that only the net is missing.
CREATE OR REPLACE TEMP TABLE uncredited AS
SELECT DISTINCT payment_key FROM rest_movement
WHERE kind = 'charge' AND payment_key NOT IN (SELECT group_key FROM grouped_money WHERE kind = 'payment');

CREATE OR REPLACE TEMP TABLE grouped_movement AS
SELECT movement_no,
    CASE WHEN kind IN ('charge', 'charge_failure') OR is_collapsed THEN payment_key ELSE source_id END AS group_key,
    CASE WHEN kind IN ('charge', 'charge_failure') OR is_collapsed THEN 'payment'
        WHEN kind IN ('refund', 'refund_failure') THEN 'refund' ELSE 'dispute' END AS kind
FROM (
    SELECT *, payment_key IN (SELECT payment_key FROM uncredited)
        AND source_id NOT IN (SELECT group_key FROM grouped_money) AS is_collapsed
    FROM rest_movement
);
