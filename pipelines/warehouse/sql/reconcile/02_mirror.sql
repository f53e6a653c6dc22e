-- What the mirror holds of these books, and the part of it that rows of the rest lead to.
-- As variables the terms are constants to a scan, which then passes over whole blocks without a look.
SET VARIABLE own_account = (SELECT stripe_account FROM recon.parameters);
SET VARIABLE own_livemode = (SELECT livemode FROM recon.parameters);
SET VARIABLE seen_until = (SELECT as_of FROM recon.parameters);
SET VARIABLE currency_scales = (SELECT map(list(currency), list(scale)) FROM currency);

CREATE OR REPLACE TEMP VIEW own_intents AS
SELECT intent.* FROM stripe.payment_intents AS intent
WHERE intent.stripe_account = getvariable('own_account') AND intent.livemode = getvariable('own_livemode')
  AND intent.created <= getvariable('seen_until');

CREATE OR REPLACE TEMP VIEW own_charges AS
SELECT charge.*, coalesce(charge.payment_intent_id, charge.charge_id) AS payment_key
FROM stripe.charges AS charge
WHERE charge.stripe_account = getvariable('own_account') AND charge.livemode = getvariable('own_livemode')
  AND charge.created <= getvariable('seen_until');

CREATE OR REPLACE TEMP VIEW own_sessions AS
SELECT session.* FROM stripe.checkout_sessions AS session
WHERE session.stripe_account = getvariable('own_account') AND session.livemode = getvariable('own_livemode');

CREATE OR REPLACE TEMP VIEW own_refunds AS
SELECT refund.* FROM stripe.refunds AS refund
WHERE refund.stripe_account = getvariable('own_account') AND refund.livemode = getvariable('own_livemode')
  AND refund.created <= getvariable('seen_until');

CREATE OR REPLACE TEMP VIEW own_disputes AS
SELECT dispute.* FROM stripe.disputes AS dispute
WHERE dispute.stripe_account = getvariable('own_account') AND dispute.livemode = getvariable('own_livemode')
  AND dispute.created <= getvariable('seen_until');

CREATE OR REPLACE TEMP VIEW own_transactions AS
SELECT bt.* FROM stripe.balance_transactions AS bt
WHERE bt.stripe_account = getvariable('own_account') AND bt.livemode = getvariable('own_livemode')
  AND bt.created <= getvariable('seen_until');

CREATE OR REPLACE TEMP VIEW own_payouts AS
SELECT payout.* FROM stripe.payouts AS payout
WHERE payout.stripe_account = getvariable('own_account') AND payout.livemode = getvariable('own_livemode')
  AND payout.created <= getvariable('seen_until');

CREATE OR REPLACE TEMP VIEW own_items AS
SELECT item.* FROM stripe.payout_items AS item
WHERE item.stripe_account = getvariable('own_account') AND item.livemode = getvariable('own_livemode');

-- What the rest names, or is named by, in the mirror: each large table is read once for it. Found by hashes, so that a
-- stranger may be among them; whoever joins compares the ids.
CREATE OR REPLACE TEMP TABLE near_session AS
SELECT session.checkout_session_id, session.payment_intent_id, session.invoice_id
FROM own_sessions AS session
WHERE session.checkout_session_id IN (SELECT unnest([payment_intent_id, credit_id]) FROM rest_money);

-- Rows, of the rest or not, that a row of the rest corrects.
CREATE OR REPLACE TEMP TABLE corrected AS
SELECT transaction_id, payment_intent_id
FROM recon.ledger
SEMI JOIN (SELECT corrects_transaction_id FROM rest_money WHERE corrects_transaction_id IS NOT NULL) AS named
    ON named.corrects_transaction_id = ledger.transaction_id
WHERE amount <> 0;

CREATE OR REPLACE TEMP TABLE near AS
SELECT DISTINCT hash(id) AS id_hash
FROM (
    SELECT unnest([payment_intent_id, charge_id, credit_id]) AS id FROM rest_money
    UNION ALL SELECT payment_intent_id FROM corrected
    UNION ALL SELECT unnest([payment_intent_id, invoice_id]) FROM near_session
    UNION ALL SELECT payment_key FROM rest_movement
)
WHERE id IS NOT NULL;

CREATE OR REPLACE TEMP TABLE near_charge AS
SELECT charge_id, payment_key, payment_intent_id, invoice_id, status, amount, amount_captured
FROM own_charges
WHERE hash(payment_key) IN (FROM near) OR hash(charge_id) IN (FROM near)
   OR (invoice_id IS NOT NULL AND hash(invoice_id) IN (FROM near));

-- A payment that only one of its charges led to: its others, and its intent.
CREATE OR REPLACE TEMP TABLE led_to AS
SELECT DISTINCT payment_key FROM near_charge WHERE hash(payment_key) NOT IN (FROM near);

INSERT INTO near_charge
SELECT charge_id, payment_key, payment_intent_id, invoice_id, status, amount, amount_captured
FROM own_charges SEMI JOIN led_to USING (payment_key) WHERE charge_id NOT IN (SELECT charge_id FROM near_charge);

INSERT INTO near SELECT hash(payment_key) FROM led_to;

-- Refunds and disputes by their payment, which not each of them names itself.
CREATE OR REPLACE TEMP VIEW near_refund AS
SELECT refund.*, coalesce(refund.payment_intent_id, charge.payment_key, refund.charge_id) AS payment_key
FROM own_refunds AS refund
LEFT JOIN near_charge AS charge ON charge.charge_id = CASE WHEN refund.payment_intent_id IS NULL THEN refund.charge_id END;

CREATE OR REPLACE TEMP VIEW near_dispute AS
SELECT dispute.*, coalesce(dispute.payment_intent_id, charge.payment_key, dispute.charge_id) AS payment_key
FROM own_disputes AS dispute
LEFT JOIN near_charge AS charge ON charge.charge_id = CASE WHEN dispute.payment_intent_id IS NULL THEN dispute.charge_id END;

CREATE OR REPLACE TEMP TABLE near_intent AS
SELECT payment_intent_id, customer_id, status, last_error_code FROM own_intents
WHERE hash(payment_intent_id) IN (FROM near);
