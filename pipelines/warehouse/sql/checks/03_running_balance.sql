-- balance_after = balance_before + token_amount, each row starts where the one before ended, and no number is missing.
WITH ordered AS (
    SELECT account_id, account_seq, transaction_id, token_amount, balance_before, balance_after,
        coalesce(lag(balance_after) OVER account, 0) AS previous_after,
        coalesce(lag(account_seq) OVER account, 0) AS previous_seq
    FROM books.token_transactions
    WINDOW account AS (PARTITION BY account_id ORDER BY account_seq)
)
SELECT account_id, account_seq, transaction_id, token_amount, balance_before, balance_after, previous_after, previous_seq
FROM ordered
WHERE balance_after <> balance_before + token_amount
   OR balance_before <> previous_after
   OR account_seq <> previous_seq + 1
