-- Rows of the rest find their payment by the rules in their order; a row that names an id is never matched by looks.
CREATE OR REPLACE TEMP TABLE rest_credit AS
SELECT transaction_id, account_id, amount, currency, occurred_at, credit_id,
    payment_intent_id IS NULL AND charge_id IS NULL AS is_unnamed
FROM rest_money WHERE role = 'credit';

-- By what a row names: its payment, a charge, a checkout session or an invoice.
CREATE OR REPLACE TEMP TABLE stated_payment AS
WITH stated AS (
    -- Apps keep whichever id they have at hand in the columns that they have.
    SELECT transaction_id, unnest([payment_intent_id, credit_id]) AS reference FROM rest_money
), found AS (
    SELECT row.transaction_id, intent.payment_intent_id AS payment_key, 1 AS rule, false AS has_failed
    FROM rest_money AS row JOIN near_intent AS intent USING (payment_intent_id)
    UNION ALL
    SELECT row.transaction_id, charge.payment_key, 1, false
    FROM rest_money AS row JOIN near_charge AS charge USING (payment_intent_id)
    UNION ALL
    SELECT row.transaction_id, charge.payment_key, 2, false
    FROM rest_money AS row JOIN near_charge AS charge USING (charge_id)
    UNION ALL
    SELECT row.transaction_id, charge.payment_key, 2, false
    FROM rest_money AS row JOIN near_charge AS charge ON charge.charge_id = row.payment_intent_id
    UNION ALL
    SELECT stated.transaction_id, coalesce(session.payment_intent_id, charge.payment_key), 3,
        session.payment_intent_id IS NULL AND charge.status = 'failed'
    FROM stated
    JOIN near_session AS session ON session.checkout_session_id = stated.reference
    LEFT JOIN near_charge AS charge ON charge.invoice_id = session.invoice_id
    WHERE coalesce(session.payment_intent_id, charge.payment_key) IS NOT NULL
    UNION ALL
    SELECT stated.transaction_id, charge.payment_key, 3, charge.status = 'failed'
    FROM stated JOIN near_charge AS charge ON charge.invoice_id = stated.reference
)
-- The first rule that leads anywhere; an invoice that was tried several times leads to the try that went through.
SELECT DISTINCT transaction_id, payment_key, rule FROM found
QUALIFY (rule, has_failed) = min((rule, has_failed)) OVER (PARTITION BY transaction_id);

CREATE OR REPLACE TEMP TABLE named AS
FROM stated_payment QUALIFY count(*) OVER (PARTITION BY transaction_id) = 1;

CREATE OR REPLACE TEMP TABLE found_credit AS
SELECT transaction_id, payment_key, rule FROM named SEMI JOIN rest_credit USING (transaction_id)
UNION ALL
SELECT credit.transaction_id, min(intent.payment_intent_id), 4
FROM (
    SELECT transaction_id, unnest([credit_id, transaction_id::VARCHAR]) AS reference
    FROM rest_credit ANTI JOIN stated_payment USING (transaction_id) WHERE is_unnamed
) AS credit
JOIN (
    SELECT payment_intent_id, unnest(json_extract_string(metadata,
        ['$.token_transaction_id', '$.credit_id', '$.idempotency_key'])) AS reference
    FROM own_intents
    -- As text first, which is the cheaper look.
    WHERE regexp_matches(metadata::VARCHAR, 'token_transaction_id|credit_id|idempotency_key')
) AS intent USING (reference)
GROUP BY credit.transaction_id HAVING count(DISTINCT intent.payment_intent_id) = 1;

-- A pair is no ordinary case after all where another row found its payment: by another id than the pair, or without a
-- purchase to correct.
CREATE OR REPLACE TEMP TABLE shared AS
SELECT rowid AS movement_no, transaction_id, payment_key
FROM movement
WHERE transaction_id IS NOT NULL AND hash(payment_key) IN (
    SELECT hash(payment_key) FROM found_credit
    UNION ALL
    SELECT hash(payment_key) FROM named JOIN rest_money AS row USING (transaction_id)
    WHERE row.role = 'adjustment' AND coalesce(row.corrects_transaction_id NOT IN (SELECT transaction_id FROM corrected), true));

UPDATE movement SET transaction_id = NULL WHERE rowid IN (SELECT movement_no FROM shared);

INSERT INTO rest_movement SELECT * FROM lone_movement SEMI JOIN shared USING (movement_no);

DELETE FROM rest_row;

INSERT INTO rest_row SELECT transaction_id, NULL, NULL FROM shared;

INSERT INTO rest_money FROM money_row;

INSERT INTO rest_credit
SELECT transaction_id, account_id, amount, currency, occurred_at, credit_id, false FROM rest_money SEMI JOIN shared USING (transaction_id);

INSERT INTO found_credit SELECT transaction_id, payment_key, 1 FROM shared;

INSERT INTO near_intent
SELECT payment_intent_id, customer_id, status, last_error_code
FROM own_intents SEMI JOIN shared ON shared.payment_key = own_intents.payment_intent_id
WHERE payment_intent_id NOT IN (SELECT payment_intent_id FROM near_intent);

-- By looks: the same account, currency and amount at about the same time; only if neither side has another choice. A
-- payment is laid beside credits of the accounts that it may be of, not beside all of its amount.
CREATE OR REPLACE TEMP TABLE alike AS
WITH open_charge AS (
    SELECT payment_key, amount, currency, moved_at, customer_id, stated_account FROM rest_movement
    WHERE kind = 'charge' AND payment_key NOT IN (SELECT payment_key FROM found_credit)
), offered AS (
    SELECT payment_key, amount, currency, moved_at, stated_account AS account_id FROM open_charge
    WHERE stated_account IS NOT NULL
    UNION ALL
    SELECT payment_key, amount, currency, moved_at, owner.account_id FROM open_charge JOIN owner USING (customer_id)
)
SELECT DISTINCT credit.transaction_id, offered.payment_key
FROM (
    SELECT * FROM rest_credit ANTI JOIN found_credit USING (transaction_id) ANTI JOIN stated_payment USING (transaction_id)
    WHERE is_unnamed
) AS credit
JOIN offered ON offered.account_id = credit.account_id
    AND offered.currency = credit.currency AND offered.amount = credit.amount
    AND credit.occurred_at >= offered.moved_at - to_seconds($window_before)
    AND credit.occurred_at <= offered.moved_at + to_seconds($window_after);

CREATE OR REPLACE TEMP TABLE unlike AS
SELECT transaction_id, payment_key FROM alike
QUALIFY count(*) OVER (PARTITION BY transaction_id) > 1 OR count(*) OVER (PARTITION BY payment_key) > 1;

DELETE FROM recon.candidates;

INSERT INTO recon.candidates
SELECT DISTINCT transaction_id, payment_key FROM alike SEMI JOIN unlike USING (transaction_id, payment_key)
UNION
-- What names two payments names none.
SELECT transaction_id, payment_key
FROM stated_payment SEMI JOIN rest_credit USING (transaction_id) ANTI JOIN named USING (transaction_id)
ORDER BY ALL;

INSERT INTO found_credit
SELECT transaction_id, payment_key, 5 FROM alike ANTI JOIN unlike USING (transaction_id, payment_key);

-- Gifts that name a payment: no money of theirs is in the ledger, but they say where the payment went.
CREATE OR REPLACE TEMP TABLE gift AS
SELECT transaction_id, account_id, transaction_type, occurred_at, period, stripe_payment_intent_id AS payment_key,
    coalesce(amount_cents, 0) AS amount, currency
FROM books.token_transactions, recon.parameters AS terms
WHERE occurred_at <= terms.as_of AND (
    (transaction_type IN ('bonus', 'admin_grant') AND stripe_payment_intent_id IS NOT NULL
        AND json_extract_string(metadata, '$.source_credit_id') IS NULL)
    OR (transaction_type IN ('purchase', 'auto_recharge') AND coalesce(amount_cents, 0) = 0
        AND coalesce(settled_by, 'stripe') = 'stripe'));
