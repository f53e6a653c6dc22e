WITH ordered AS (
    SELECT row.account_id, row.account_seq, row.token_amount, row.balance_before, row.balance_after,
        coalesce(lag(row.balance_after) OVER account, opening.balance) AS previous_after,
        coalesce(lag(row.account_seq) OVER account, opening.account_seq) AS previous_seq
    FROM books.token_transactions AS row
    LEFT JOIN opening_heads AS opening ON opening.account_id = row.account_id
    WHERE row.posting_id = $posting_id
    WINDOW account AS (PARTITION BY row.account_id ORDER BY row.account_seq)
)
SELECT account_id, account_seq FROM ordered
WHERE balance_after <> balance_before + token_amount
   OR balance_before IS DISTINCT FROM previous_after
   OR account_seq IS DISTINCT FROM previous_seq + 1
