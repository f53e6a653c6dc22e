-- At most one welcome bonus per account.
SELECT account_id, count(*) AS welcome_rows
FROM books.token_transactions
WHERE transaction_type = 'bonus' AND metadata ->> '$.welcome' = 'true'
GROUP BY account_id HAVING count(*) > 1
