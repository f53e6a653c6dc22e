-- The ordinary case, all at once: one purchase names one payment, and both say the same amount. Everything else is rest.
CREATE OR REPLACE TEMP TABLE crowded AS
SELECT payment_intent_id AS payment_key FROM money WHERE role = 'credit' GROUP BY ALL HAVING count(*) > 1
UNION
SELECT payment_key FROM movement WHERE kind IN ('charge', 'charge_failure') GROUP BY ALL HAVING count(*) > 1
UNION
-- A purchase that was corrected stands together with its corrections.
SELECT payment_intent_id FROM money
WHERE transaction_id IN (SELECT corrects_transaction_id FROM money WHERE role = 'adjustment');

CREATE OR REPLACE TEMP TABLE pair AS
SELECT
    money.money_no, money.transaction_id, money.account_id, money.transaction_type, money.token_amount, money.amount,
    money.currency, money.period AS ledger_period, money.package_id, money.occurred_at, money.balance_before,
    money.amount - coalesce(money.tax_cents, 0) + coalesce(money.discount_cents, 0) AS list_price,
    movement.movement_no, movement.movement_id, movement.payment_key, movement.charge_id, movement.customer_id,
    movement.period AS stripe_period, movement.moved_at, movement.stated_account, movement.is_recharge
FROM money
JOIN movement ON movement.payment_key = money.payment_intent_id
WHERE money.role = 'credit' AND money.transaction_type IN ('purchase', 'auto_recharge')
  AND movement.kind = 'charge' AND movement.amount = money.amount AND movement.currency = money.currency
  AND money.payment_intent_id NOT IN (SELECT payment_key FROM crowded WHERE payment_key IS NOT NULL);

CREATE OR REPLACE TEMP TABLE rest_money AS
SELECT * FROM money ANTI JOIN pair USING (money_no);

CREATE OR REPLACE TEMP TABLE rest_movement AS
SELECT * FROM movement ANTI JOIN pair USING (movement_no);

-- The mirror's objects of these books' account and mode.
CREATE OR REPLACE TEMP VIEW own_intents AS
SELECT intent.* FROM stripe.payment_intents AS intent, recon.parameters AS terms
WHERE intent.stripe_account = terms.stripe_account AND intent.livemode = terms.livemode AND intent.created <= terms.as_of;

CREATE OR REPLACE TEMP VIEW own_charges AS
SELECT charge.*, coalesce(charge.payment_intent_id, charge.charge_id) AS payment_key
FROM stripe.charges AS charge, recon.parameters AS terms
WHERE charge.stripe_account = terms.stripe_account AND charge.livemode = terms.livemode AND charge.created <= terms.as_of;

CREATE OR REPLACE TEMP VIEW own_sessions AS
SELECT session.* FROM stripe.checkout_sessions AS session, recon.parameters AS terms
WHERE session.stripe_account = terms.stripe_account AND session.livemode = terms.livemode;

CREATE OR REPLACE TEMP VIEW own_refunds AS
SELECT refund.* FROM stripe.refunds AS refund, recon.parameters AS terms
WHERE refund.stripe_account = terms.stripe_account AND refund.livemode = terms.livemode AND refund.created <= terms.as_of;

CREATE OR REPLACE TEMP VIEW own_disputes AS
SELECT dispute.* FROM stripe.disputes AS dispute, recon.parameters AS terms
WHERE dispute.stripe_account = terms.stripe_account AND dispute.livemode = terms.livemode AND dispute.created <= terms.as_of;

CREATE OR REPLACE TEMP VIEW own_transactions AS
SELECT bt.* FROM stripe.balance_transactions AS bt, recon.parameters AS terms
WHERE bt.stripe_account = terms.stripe_account AND bt.livemode = terms.livemode AND bt.created <= terms.as_of;

CREATE OR REPLACE TEMP VIEW own_payouts AS
SELECT payout.* FROM stripe.payouts AS payout, recon.parameters AS terms
WHERE payout.stripe_account = terms.stripe_account AND payout.livemode = terms.livemode AND payout.created <= terms.as_of;

CREATE OR REPLACE TEMP VIEW own_items AS
SELECT item.* FROM stripe.payout_items AS item, recon.parameters AS terms
WHERE item.stripe_account = terms.stripe_account AND item.livemode = terms.livemode;
