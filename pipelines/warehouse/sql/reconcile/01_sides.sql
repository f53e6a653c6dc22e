-- Both sides of stage A, numbered for cheap joins, and the small tables that say who is who.
CREATE OR REPLACE TEMP TABLE movement_row AS
SELECT
    movement_id, kind, source_id, payment_key, charge_id, customer_id, amount, currency, authorised, moved_at, has_transaction,
    bt_amount, bt_currency, exchange_rate, first_fetched_at, period,
    coalesce(tags[1], tags[2]) AS stated_account, tags[3] AS package_id,
    coalesce(tags[4] IN ('true', '1', 'yes'), false) OR tags[5] IS NOT NULL AS is_recharge
FROM (
    SELECT *, balance_transaction_id IS NOT NULL AS has_transaction, json_extract_string(metadata,
        ['$.account_id', '$.user_id', '$.package_id', '$.auto_recharge', '$.tollbook_attempt']) AS tags
    FROM recon.movements
);

CREATE OR REPLACE TEMP VIEW movement AS SELECT rowid AS movement_no, * FROM movement_row;

CREATE OR REPLACE TEMP TABLE money_row AS
SELECT
    * EXCLUDE (metadata, texts), texts[1] AS credit_id, texts[2] AS package_id, texts[3] AS charge_id,
    -- What a row is to its payment: a bonus with money is a credit too, whatever it is called.
    CASE
        WHEN transaction_type IN ('purchase', 'auto_recharge', 'bonus', 'admin_grant') THEN 'credit'
        WHEN transaction_type = 'refund' THEN CASE WHEN amount < 0 THEN 'refund' ELSE 'refund_reversal' END
        WHEN transaction_type IN ('chargeback', 'chargeback_reversal') THEN transaction_type
        ELSE 'adjustment'
    END AS role
FROM (
    SELECT *, json_extract_string(metadata, ['$.credit_id', '$.package_id', '$.stripe_charge_id']) AS texts
    FROM recon.ledger
)
WHERE amount <> 0;

CREATE OR REPLACE TEMP VIEW money AS SELECT rowid AS money_no, * FROM money_row;

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
