SELECT row.account_id FROM books.token_transactions AS row
JOIN opening_heads AS opening ON opening.account_id = row.account_id
WHERE row.posting_id = $posting_id AND row.transaction_type = 'bonus' AND row.metadata ->> '$.welcome' = 'true'
GROUP BY row.account_id HAVING count(*) > 1 OR bool_or(opening.welcomed)
