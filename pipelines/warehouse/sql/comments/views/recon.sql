-- What each view of the reconciliation and its columns mean.

COMMENT ON VIEW recon.ledger IS 'Money rows of the ledger that Stripe settles, up to the as-of instant of the last run.';
COMMENT ON COLUMN recon.ledger.transaction_id IS 'Ledger row.';
COMMENT ON COLUMN recon.ledger.account_id IS 'Account.';
COMMENT ON COLUMN recon.ledger.transaction_type IS 'Kind of the row.';
COMMENT ON COLUMN recon.ledger.token_amount IS 'Tokens of the row.';
COMMENT ON COLUMN recon.ledger.amount IS 'Money of the row in minor units, signed.';
COMMENT ON COLUMN recon.ledger.currency IS 'Its currency.';
COMMENT ON COLUMN recon.ledger.payment_intent_id IS 'PaymentIntent that it names.';
COMMENT ON COLUMN recon.ledger.refund_id IS 'Refund that it names.';
COMMENT ON COLUMN recon.ledger.corrects_transaction_id IS 'Row that it corrects.';
COMMENT ON COLUMN recon.ledger.balance_before IS 'Tokens before the row.';
COMMENT ON COLUMN recon.ledger.tax_cents IS 'Tax in the amount.';
COMMENT ON COLUMN recon.ledger.discount_cents IS 'Discount on the price.';
COMMENT ON COLUMN recon.ledger.metadata IS 'Ids that the app''s record carried.';
COMMENT ON COLUMN recon.ledger.occurred_at IS 'UTC instant at which it happened.';
COMMENT ON COLUMN recon.ledger.period IS 'Accounting month, YYYY-MM.';

COMMENT ON VIEW recon.movements IS 'What Stripe moved of token sales, signed, in presentment currency, up to the as-of instant of the last run.';
COMMENT ON COLUMN recon.movements.movement_id IS 'Balance transaction, or none: and the object that has none yet.';
COMMENT ON COLUMN recon.movements.kind IS 'charge, refund, refund_failure, dispute, dispute_reversal or charge_failure.';
COMMENT ON COLUMN recon.movements.source_id IS 'Charge, refund or dispute.';
COMMENT ON COLUMN recon.movements.payment_key IS 'PaymentIntent, or the charge of a payment without one.';
COMMENT ON COLUMN recon.movements.charge_id IS 'Charge.';
COMMENT ON COLUMN recon.movements.customer_id IS 'Customer.';
COMMENT ON COLUMN recon.movements.amount IS 'Amount in presentment currency, signed, in minor units.';
COMMENT ON COLUMN recon.movements.currency IS 'Presentment currency.';
COMMENT ON COLUMN recon.movements.authorised IS 'Amount that was authorised.';
COMMENT ON COLUMN recon.movements.status IS 'Status of the object, for information; no amount depends on it.';
COMMENT ON COLUMN recon.movements.metadata IS 'Metadata of the charge.';
COMMENT ON COLUMN recon.movements.moved_at IS 'UTC instant of the balance transaction, or of the capture while there is none.';
COMMENT ON COLUMN recon.movements.balance_transaction_id IS 'Balance transaction; NULL while there is none.';
COMMENT ON COLUMN recon.movements.bt_amount IS 'Its amount in settlement currency.';
COMMENT ON COLUMN recon.movements.bt_currency IS 'Settlement currency.';
COMMENT ON COLUMN recon.movements.exchange_rate IS 'Stripe''s rate between the two.';
COMMENT ON COLUMN recon.movements.first_fetched_at IS 'UTC instant at which its balance transaction was first seen.';
COMMENT ON COLUMN recon.movements.period IS 'Month of moved_at in the zone of the books.';
COMMENT ON VIEW checks.reconciliation_residual IS 'Ledger, carrier lines and Stripe leave nothing over, per period and currency; totals are taken from the two sides anew.';
COMMENT ON COLUMN checks.reconciliation_residual.period IS 'Accounting month, YYYY-MM; NULL for the other stages.';
COMMENT ON COLUMN checks.reconciliation_residual.currency IS 'Currency.';
COMMENT ON COLUMN checks.reconciliation_residual.ledger_total IS 'Money of the ledger that Stripe settles.';
COMMENT ON COLUMN checks.reconciliation_residual.carried IS 'Sum of the carrier lines.';
COMMENT ON COLUMN checks.reconciliation_residual.stripe_total IS 'Movements of token sales.';
COMMENT ON COLUMN checks.reconciliation_residual.residual IS 'What is left over.';

COMMENT ON VIEW checks.stripe_balance IS 'Stripe''s balance moves by its transactions from snapshot to snapshot, and an itemised payout is the sum of its items.';
COMMENT ON COLUMN checks.stripe_balance.code IS 'balance_rollforward or payout_total_mismatch.';
COMMENT ON COLUMN checks.stripe_balance.subject IS 'Snapshot or payout.';
COMMENT ON COLUMN checks.stripe_balance.currency IS 'Currency.';
COMMENT ON COLUMN checks.stripe_balance.off_by IS 'Difference in minor units.';
COMMENT ON COLUMN checks.stripe_balance.note IS 'The figures.';

COMMENT ON VIEW checks.returned_money IS 'Of no purchase came less than nothing back, or more than was paid, that no break tells of.';
COMMENT ON COLUMN checks.returned_money.transaction_id IS 'Purchase.';
COMMENT ON COLUMN checks.returned_money.account_id IS 'Account.';
COMMENT ON COLUMN checks.returned_money.amount_cents IS 'What was paid, in minor units.';
COMMENT ON COLUMN checks.returned_money.returned_cents IS 'What came back, net of reversals.';
COMMENT ON COLUMN checks.returned_money.currency IS 'Currency.';

COMMENT ON VIEW checks.match_groups IS 'Every money row that Stripe settles and every movement of a token sale stands in exactly one match group.';
COMMENT ON COLUMN checks.match_groups.id IS 'Ledger row or movement.';
COMMENT ON COLUMN checks.match_groups.rows_and_movements IS 'How often it is there.';
COMMENT ON COLUMN checks.match_groups.places IS 'How often it stands in a group.';
