-- Both sides of stage A in one table. The ordinary case is settled as it is read: a purchase that names one payment of the
-- same amount and currency shares a row with it. All else is a row of its own, with the columns of its side.
-- Columns that are as a rule the same as another are left empty then: each one written costs as much as a join.
CREATE OR REPLACE TEMP TABLE side AS
WITH money AS (
    SELECT *, json_extract_string(metadata, ['$.credit_id', '$.package_id', '$.stripe_charge_id']) AS texts,
        CASE WHEN transaction_type IN ('purchase', 'auto_recharge') THEN payment_intent_id END AS wanted
    FROM recon.ledger WHERE amount <> 0
), movement AS (
    SELECT *, CASE WHEN kind = 'charge' THEN payment_key END AS offered, json_extract_string(metadata,
        ['$.account_id', '$.user_id', '$.package_id', '$.auto_recharge', '$.tollbook_attempt']) AS tags
    FROM recon.movements
)
SELECT
    coalesce(movement.amount, money.amount) AS amount, coalesce(movement.currency, money.currency) AS currency,
    coalesce(movement.payment_key, money.payment_intent_id) AS payment_key,
    money.transaction_id, money.account_id, money.transaction_type, money.token_amount, money.balance_before, money.tax_cents,
    money.discount_cents, money.refund_id, money.corrects_transaction_id, money.occurred_at, money.period AS ledger_period,
    money.texts[1] AS credit_id, money.texts[2] AS package_id, money.texts[3] AS stated_charge_id,
    movement.movement_id, movement.kind, nullif(movement.source_id, movement.charge_id) AS other_source_id, movement.charge_id,
    movement.customer_id, nullif(movement.authorised, movement.amount) AS other_authorised, movement.moved_at,
    movement.bt_amount, movement.bt_currency, movement.period AS stripe_period,
    coalesce(movement.tags[1], movement.tags[2]) AS stated_account, movement.tags[3] AS stated_package_id,
    coalesce(movement.tags[4] IN ('true', '1', 'yes'), false) OR movement.tags[5] IS NOT NULL AS is_recharge
FROM movement
FULL JOIN money
    ON money.wanted = movement.offered AND money.amount = movement.amount AND money.currency = movement.currency;

-- A payment with several credits or several charges is no ordinary case, nor is a purchase that was corrected. Payments
-- are told apart by a hash, which is cheap to group: two that ever share one take the longer way to the same end.
CREATE OR REPLACE TEMP TABLE crowded AS
SELECT hash(payment_key) AS payment_hash
FROM side
WHERE payment_key IS NOT NULL AND (kind IN ('charge', 'charge_failure')
    OR transaction_type IN ('purchase', 'auto_recharge', 'bonus', 'admin_grant'))
GROUP BY ALL HAVING count(*) > 1;

CREATE OR REPLACE TEMP TABLE torn AS
SELECT * FROM side
WHERE transaction_id IS NOT NULL AND movement_id IS NOT NULL
  AND (hash(payment_key) IN (FROM crowded) OR transaction_id IN (
    SELECT corrects_transaction_id FROM side
    WHERE transaction_type NOT IN ('refund', 'chargeback', 'chargeback_reversal') AND corrects_transaction_id IS NOT NULL));

DELETE FROM side
WHERE transaction_id IN (SELECT transaction_id FROM torn) AND movement_id IN (SELECT movement_id FROM torn);

INSERT INTO side BY NAME
SELECT DISTINCT amount, currency, payment_key, transaction_id, account_id, transaction_type, token_amount, balance_before,
    tax_cents, discount_cents, refund_id, corrects_transaction_id, occurred_at, ledger_period, credit_id, package_id,
    stated_charge_id
FROM torn
UNION ALL BY NAME
SELECT DISTINCT amount, currency, payment_key, movement_id, kind, other_source_id, charge_id, customer_id, other_authorised,
    moved_at, bt_amount, bt_currency, stripe_period, stated_account, stated_package_id,
    is_recharge
FROM torn;

CREATE OR REPLACE TEMP VIEW money AS
SELECT rowid AS money_no, transaction_id, account_id, transaction_type, token_amount, amount, currency,
    payment_key AS payment_intent_id, refund_id, corrects_transaction_id, balance_before, tax_cents, discount_cents, occurred_at,
    ledger_period AS period, credit_id, package_id, stated_charge_id AS charge_id,
    -- What a row is to its payment: a bonus with money is a credit too, whatever it is called.
    CASE
        WHEN transaction_type IN ('purchase', 'auto_recharge', 'bonus', 'admin_grant') THEN 'credit'
        WHEN transaction_type = 'refund' THEN CASE WHEN amount < 0 THEN 'refund' ELSE 'refund_reversal' END
        WHEN transaction_type IN ('chargeback', 'chargeback_reversal') THEN transaction_type
        ELSE 'adjustment'
    END AS role
FROM side WHERE transaction_id IS NOT NULL;

CREATE OR REPLACE TEMP VIEW movement AS
SELECT rowid AS movement_no, movement_id, kind, coalesce(other_source_id, charge_id) AS source_id, payment_key, charge_id,
    customer_id, amount, currency, coalesce(other_authorised, amount) AS authorised, moved_at, bt_amount, bt_currency,
    stripe_period AS period, stated_account, stated_package_id AS package_id, is_recharge
FROM side WHERE movement_id IS NOT NULL;

CREATE OR REPLACE TEMP VIEW pair AS
SELECT transaction_id, account_id, transaction_type, token_amount, amount, currency, ledger_period, package_id, occurred_at,
    balance_before, amount - coalesce(tax_cents, 0) + coalesce(discount_cents, 0) AS list_price,
    movement_id, payment_key, charge_id, customer_id, stripe_period, moved_at, stated_account, is_recharge
FROM side WHERE transaction_id IS NOT NULL AND movement_id IS NOT NULL;

CREATE OR REPLACE TEMP TABLE rest_money AS
SELECT * FROM money WHERE money_no IN (SELECT rowid FROM side WHERE movement_id IS NULL);

CREATE OR REPLACE TEMP TABLE rest_movement AS
SELECT * FROM movement WHERE movement_no IN (SELECT rowid FROM side WHERE transaction_id IS NULL);

-- Which accounts a customer of Stripe has belonged to.
CREATE OR REPLACE TEMP TABLE owner AS
SELECT DISTINCT stripe_customer_id AS customer_id, account_id
FROM books.account_versions WHERE stripe_customer_id IS NOT NULL;

-- What each package costs in each currency, while it does.
CREATE OR REPLACE TEMP TABLE price AS
SELECT package_id, token_amount, currency, price, effective_from, effective_to
FROM (
    SELECT *, unnest(['usd', 'eur', 'gbp']) AS currency, unnest([price_cents, price_eur, price_gbp]) AS price
    FROM books.token_pricing WHERE superseded_by IS NULL OR superseded_by = 'withdrawn'
)
WHERE price IS NOT NULL;
