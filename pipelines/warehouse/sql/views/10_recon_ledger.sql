-- The money rows of the ledger that Stripe settles, as far as the last reconciliation looks: stage A's one side.
CREATE OR REPLACE VIEW recon.ledger AS
SELECT
    row.transaction_id, row.account_id, row.transaction_type, row.token_amount, row.amount_cents AS amount, row.currency,
    row.stripe_payment_intent_id AS payment_intent_id, row.stripe_refund_id AS refund_id,
    row.corrects_transaction_id, row.balance_before, row.tax_cents, row.discount_cents, row.metadata, row.occurred_at,
    row.period
FROM books.token_transactions AS row
-- A semi join, since no column of the row is copied for it.
SEMI JOIN recon.parameters AS terms ON row.occurred_at <= terms.as_of AND row.posting_id <= terms.posting_id
WHERE row.amount_cents IS NOT NULL AND row.settled_by = 'stripe' AND row.transaction_type <> 'opening';
