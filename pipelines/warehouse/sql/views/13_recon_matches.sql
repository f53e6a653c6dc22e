-- Both sides of stage A, put together: every money row and every movement in exactly one row.
CREATE OR REPLACE VIEW recon.matches AS
SELECT row.stripe_payment_intent_id AS group_key, 'payment' AS kind,
    CASE WHEN row.period = pair.stripe_period THEN 'matched' ELSE 'timing' END AS state,
    CASE WHEN row.period <> pair.stripe_period THEN 'timing_cutoff' END AS code,
    1 AS rule, 'exact' AS confidence, pair.transaction_id, pair.movement_id, row.account_id,
    row.amount_cents AS ledger_amount, row.currency AS ledger_currency, row.period AS ledger_period,
    row.amount_cents AS stripe_amount, row.currency AS stripe_currency, pair.stripe_period
FROM recon.pairs AS pair JOIN books.token_transactions AS row USING (transaction_id)
UNION ALL
SELECT group_key, kind, state, code, rule, confidence, transaction_id, movement_id, account_id,
    ledger_amount, ledger_currency, ledger_period, stripe_amount, stripe_currency, stripe_period
FROM recon.placements;
