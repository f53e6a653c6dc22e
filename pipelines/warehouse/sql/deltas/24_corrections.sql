SELECT row.transaction_id
FROM books.token_transactions AS row
LEFT JOIN books.token_transactions AS named
    ON named.transaction_id = row.corrects_transaction_id AND named.account_id = row.account_id
WHERE row.posting_id = $posting_id AND named.transaction_id IS NULL
  AND (row.corrects_transaction_id IS NOT NULL
    OR row.transaction_type IN ('correction', 'chargeback_reversal')
    OR (row.transaction_type = 'refund' AND row.token_amount > 0))
