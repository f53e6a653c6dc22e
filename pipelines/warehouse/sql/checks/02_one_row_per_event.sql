-- A billed event has exactly one usage row, no other usage row exists, and corrections bring it to the current figure.
WITH figures AS (
    SELECT usage_id, min(account_id) AS account_id, max(account_id) AS last_account, bool_or(billable_tokens > 0) AS ever_billed,
        sum(original) AS originals
    FROM (
        SELECT usage_id, account_id, billable_tokens, 1 AS original FROM books.token_usage
        UNION ALL SELECT usage_id, account_id, billable_tokens, 0 FROM books.usage_revisions
    ) AS readings GROUP BY usage_id
), current_figures AS (
    SELECT usage_id, count(*) AS events, sum(coalesce(billable_tokens, 0)) AS billable FROM books.usage_current GROUP BY usage_id
), posted AS (
    SELECT usage_id, count(*) FILTER (transaction_type = 'usage') AS usage_rows, sum(token_amount) AS tokens,
        min(account_id) AS account_id, max(account_id) AS last_account
    FROM books.token_transactions WHERE usage_id IS NOT NULL GROUP BY usage_id
)
SELECT
    coalesce(figures.usage_id, posted.usage_id) AS usage_id, coalesce(figures.account_id, posted.account_id) AS account_id,
    coalesce(usage_rows, 0) AS usage_rows, current_figures.billable, coalesce(-posted.tokens, 0) AS posted_tokens
FROM figures
LEFT JOIN current_figures USING (usage_id)
FULL JOIN posted ON posted.usage_id = figures.usage_id
WHERE figures.usage_id IS NULL
   OR figures.originals <> 1
   OR coalesce(usage_rows, 0) <> CASE WHEN ever_billed THEN 1 ELSE 0 END
   OR coalesce(-posted.tokens, 0) <> coalesce(current_figures.billable, 0)
   OR current_figures.events <> 1
   OR figures.account_id <> figures.last_account
   OR posted.account_id <> figures.account_id OR posted.last_account <> figures.account_id
UNION ALL
    -- A usage row that names no event at all.
SELECT NULL, account_id, count(*), NULL, -sum(token_amount)
FROM books.token_transactions WHERE transaction_type = 'usage' AND usage_id IS NULL GROUP BY account_id
