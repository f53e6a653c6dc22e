-- Stripe's balance moves by its transactions from snapshot to snapshot, and an itemised payout is the sum of its items.
SELECT code, subject, currency, amount_at_stake AS off_by, note
FROM recon.breaks
WHERE code IN ('balance_rollforward', 'payout_total_mismatch') AND state = 'break'
