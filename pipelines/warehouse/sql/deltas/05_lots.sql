-- The lots of the touched accounts, added up again from their own rows.
WITH lots AS (
    SELECT account_id, sum(remaining)::BIGINT AS remaining,
        bool_or(remaining < 0 OR burnt < 0 OR taken_back < 0 OR expired < 0) AS torn
    FROM finance.lot_balances SEMI JOIN settled_accounts USING (account_id) GROUP BY account_id
), debt AS (
    SELECT account_id, sum(debit_to - debit_from)::BIGINT AS tokens
    FROM finance.open_debt SEMI JOIN settled_accounts USING (account_id) GROUP BY account_id
)
SELECT head.account_id
FROM books.account_heads AS head
SEMI JOIN settled_accounts USING (account_id)
LEFT JOIN lots USING (account_id)
LEFT JOIN debt USING (account_id)
WHERE head.balance <> coalesce(lots.remaining, 0) - coalesce(debt.tokens, 0) OR coalesce(lots.torn, false)
