-- Every correction or reversal names an existing row of the same account; what was billed for a call never turns positive.
SELECT row.transaction_id, row.account_id, row.transaction_type, row.corrects_transaction_id, 'names no row' AS defect
FROM books.token_transactions AS row
LEFT JOIN books.token_transactions AS named
    ON named.transaction_id = row.corrects_transaction_id AND named.account_id = row.account_id
WHERE named.transaction_id IS NULL
  AND (row.corrects_transaction_id IS NOT NULL
    OR row.transaction_type IN ('correction', 'chargeback_reversal')
    OR (row.transaction_type = 'refund' AND row.token_amount > 0))
UNION ALL
SELECT any_value(transaction_id), account_id, 'usage', NULL, 'net above zero'
FROM books.token_transactions
WHERE usage_id IN (SELECT usage_id FROM books.token_transactions WHERE usage_id IS NOT NULL AND token_amount > 0)
GROUP BY account_id, usage_id HAVING sum(token_amount) > 0
