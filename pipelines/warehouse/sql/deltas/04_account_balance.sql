WITH sums AS (
    SELECT account_id, sum(token_amount) AS tokens, arg_max(balance_after, account_seq) AS last_after, max(account_seq) AS last_seq
    FROM books.token_transactions WHERE posting_id = $posting_id GROUP BY account_id
)
SELECT sums.account_id
FROM sums
LEFT JOIN books.token_accounts AS account ON account.account_id = sums.account_id
LEFT JOIN books.account_heads AS head ON head.account_id = sums.account_id
LEFT JOIN opening_heads AS opening ON opening.account_id = sums.account_id
WHERE account.balance IS DISTINCT FROM sums.last_after
   OR account.balance IS DISTINCT FROM opening.balance + sums.tokens
   OR head.balance IS DISTINCT FROM account.balance
   OR head.account_seq IS DISTINCT FROM sums.last_seq
