-- balance_after = balance_before + token_amount, each row starts where the one before ended, and no number is missing.
WITH ordered AS (
    SELECT account_id, account_seq, transaction_id, token_amount, balance_before, balance_after,
        lag(balance_after, 1, 0) OVER account AS previous_after,
        lag(account_seq, 1, 0) OVER account AS previous_seq
    FROM books.token_transactions
    WINDOW account AS (PARTITION BY account_id ORDER BY account_seq)
)
SELECT account_id, account_seq, transaction_id, token_amount, balance_before, balance_after, previous_after, previous_seq
FROM ordered
WHERE balance_after <> balance_before + token_amount
   OR balance_before <> previous_after
   OR account_seq <> previous_seq + 1
