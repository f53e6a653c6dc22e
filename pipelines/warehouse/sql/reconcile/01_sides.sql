-- Both sides of stage A. Stripe's is joined from several tables and is kept; the ledger's is one table, read where it stands.
-- The ordinary case is settled on the way: a movement of a purchase that names its payment, with the same amount and
-- currency, is kept with the purchase. Of that only what decides something, since a column costs as much as a join.
CREATE OR REPLACE TEMP TABLE movement AS
WITH tagged AS (
    SELECT *, CASE WHEN kind = 'charge' THEN payment_key END AS offered, json_extract_string(metadata,
        ['$.account_id', '$.user_id', '$.package_id', '$.auto_recharge', '$.tollbook_attempt']) AS tags
    FROM recon.movements
), moved AS (
    SELECT *, coalesce(tags[1], tags[2]) AS stated_account, tags[3] AS package_id,
        coalesce(tags[4] IN ('true', '1', 'yes'), false) OR tags[5] IS NOT NULL AS is_recharge
    FROM tagged
)
SELECT moved.movement_id, moved.kind, nullif(moved.source_id, moved.charge_id) AS other_source_id, moved.payment_key,
    moved.charge_id, moved.customer_id, moved.amount, moved.currency, moved.authorised, moved.moved_at, moved.bt_amount,
    moved.bt_currency, moved.period, moved.stated_account, moved.package_id, moved.is_recharge,
    row.transaction_id, row.period AS ledger_period,
    moved.stated_account IS DISTINCT FROM row.account_id AS is_elsewhere,
    moved.is_recharge OR row.transaction_type = 'auto_recharge' AS is_tagged
FROM moved
LEFT JOIN (
    SELECT * FROM recon.ledger WHERE transaction_type IN ('purchase', 'auto_recharge') AND amount <> 0
) AS row ON row.payment_intent_id = moved.offered AND row.amount = moved.amount AND row.currency = moved.currency;

CREATE OR REPLACE TEMP VIEW pair AS
SELECT transaction_id, movement_id, payment_key, charge_id, customer_id, amount, currency, moved_at, period AS stripe_period,
    ledger_period, stated_account, is_recharge, is_elsewhere, is_tagged
FROM movement WHERE transaction_id IS NOT NULL;

CREATE OR REPLACE TEMP TABLE rest_row AS
SELECT transaction_id, transaction_type, payment_intent_id FROM recon.ledger ANTI JOIN pair USING (transaction_id) WHERE amount <> 0;

-- A payment with several credits or several charges is no ordinary case, nor is a purchase that was corrected: torn apart
-- again. Payments are told apart by a hash, which is cheap to group: two that ever share one take the longer way to the
-- same end. A charge without a PaymentIntent is torn off too: its row may name another charge beside it.
CREATE OR REPLACE TEMP TABLE torn AS
SELECT rowid AS movement_no, * FROM movement
WHERE transaction_id IS NOT NULL AND (
    payment_key = charge_id
    OR hash(payment_key) IN (
        SELECT hash(payment_key) FROM movement WHERE kind IN ('charge', 'charge_failure') GROUP BY ALL HAVING count(*) > 1
        UNION ALL
        SELECT hash(payment_intent_id) FROM rest_row
        WHERE transaction_type IN ('purchase', 'auto_recharge', 'bonus', 'admin_grant') AND payment_intent_id IS NOT NULL)
    OR transaction_id IN (
        SELECT corrects_transaction_id FROM recon.ledger
        WHERE transaction_type NOT IN ('refund', 'chargeback', 'chargeback_reversal') AND corrects_transaction_id IS NOT NULL
            AND amount <> 0));

DELETE FROM movement WHERE rowid IN (SELECT movement_no FROM torn);

INSERT INTO movement BY NAME
SELECT DISTINCT * EXCLUDE (movement_no, transaction_id, ledger_period, is_elsewhere, is_tagged) FROM torn;

INSERT INTO rest_row SELECT DISTINCT transaction_id, NULL, NULL FROM torn;

CREATE OR REPLACE TEMP VIEW lone_movement AS
SELECT rowid AS movement_no, coalesce(other_source_id, charge_id) AS source_id,
    * EXCLUDE (other_source_id, transaction_id, ledger_period, is_elsewhere, is_tagged)
FROM movement WHERE transaction_id IS NULL;

CREATE OR REPLACE TEMP TABLE rest_movement AS FROM lone_movement;

CREATE OR REPLACE TEMP VIEW money_row AS
SELECT * EXCLUDE (metadata, ids), ids[1] AS credit_id, ids[2] AS package_id, ids[3] AS charge_id,
    money_role(transaction_type, amount) AS role
FROM (
    SELECT *, json_extract_string(metadata, ['$.credit_id', '$.package_id', '$.stripe_charge_id']) AS ids
    FROM recon.ledger SEMI JOIN rest_row USING (transaction_id)
);

CREATE OR REPLACE TEMP TABLE rest_money AS FROM money_row;

-- Which accounts a customer of Stripe has belonged to.
CREATE OR REPLACE TEMP TABLE owner AS
SELECT DISTINCT stripe_customer_id AS customer_id, account_id
FROM books.account_versions WHERE stripe_customer_id IS NOT NULL;

-- What each package costs in each currency, while it does; and whether so much money ever bought another number of tokens.
CREATE OR REPLACE TEMP TABLE price AS
SELECT package_id, token_amount, currency, price, effective_from, effective_to,
    min(token_amount) OVER same = max(token_amount) OVER same AS is_plain
FROM (
    SELECT *, unnest(['usd', 'eur', 'gbp']) AS currency, unnest([price_cents, price_eur, price_gbp]) AS price
    FROM books.token_pricing WHERE superseded_by IS NULL OR superseded_by = 'withdrawn'
)
WHERE price IS NOT NULL
WINDOW same AS (PARTITION BY currency, price);
