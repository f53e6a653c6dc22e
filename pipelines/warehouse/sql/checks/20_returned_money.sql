-- Of no purchase came less than nothing back, or more than was paid, that no break tells of.
WITH returned AS (
    SELECT row.corrects_transaction_id AS transaction_id, row.transaction_id AS by_transaction_id, row.amount_cents
    FROM books.token_transactions AS row
    WHERE row.transaction_type IN ('refund', 'chargeback') AND row.amount_cents < 0 AND row.corrects_transaction_id IS NOT NULL
), given AS (
    SELECT coalesce(returned.transaction_id, row.corrects_transaction_id) AS transaction_id, row.amount_cents
    FROM books.token_transactions AS row
    LEFT JOIN returned ON returned.by_transaction_id = row.corrects_transaction_id
    WHERE row.transaction_type IN ('refund', 'chargeback_reversal') AND row.amount_cents > 0
), net AS (
    SELECT transaction_id, -sum(amount_cents)::BIGINT AS returned_cents
    FROM (SELECT transaction_id, amount_cents FROM returned UNION ALL SELECT transaction_id, amount_cents FROM given)
    GROUP BY transaction_id
)
SELECT bought.transaction_id, bought.account_id, bought.amount_cents, net.returned_cents, bought.currency
FROM net JOIN books.token_transactions AS bought USING (transaction_id)
WHERE EXISTS (FROM recon.parameters)
  AND bought.transaction_type IN ('purchase', 'auto_recharge') AND bought.amount_cents IS NOT NULL
  AND (net.returned_cents < 0 OR net.returned_cents > bought.amount_cents)
  AND NOT EXISTS (
    FROM recon.breaks AS told
    WHERE told.payment_intent_id = bought.stripe_payment_intent_id OR told.transaction_id = bought.transaction_id
       OR told.account_id = bought.account_id)
