-- A billed event has exactly one usage row, no other usage row exists, and corrections bring it to the current figure.
WITH charges AS (
    SELECT usage_id, account_id, token_amount, transaction_type FROM books.token_transactions
    WHERE usage_id IS NOT NULL OR transaction_type = 'usage'
), suspects AS (
    -- One join settles every event that was charged once and never revised; only the others are added up.
    SELECT coalesce(event.usage_id, charge.usage_id) AS usage_id
    FROM (SELECT usage_id, account_id, billable_tokens FROM books.token_usage) AS event
    FULL JOIN charges AS charge USING (usage_id)
    WHERE event.usage_id IS NULL OR coalesce(event.billable_tokens, 0) <> coalesce(-charge.token_amount, 0)
       OR event.account_id <> charge.account_id OR charge.transaction_type <> 'usage'
    UNION
    SELECT usage_id FROM charges GROUP BY usage_id HAVING count(*) > 1
    UNION
    SELECT usage_id FROM books.usage_revisions
), readings AS (
    SELECT usage_id, account_id, 1 AS originals, 0 AS revision_no, billable_tokens
    FROM books.token_usage SEMI JOIN suspects USING (usage_id)
    UNION ALL
    SELECT usage_id, account_id, 0, revision_no, billable_tokens FROM books.usage_revisions
), figures AS (
    SELECT usage_id, min(account_id) AS account_id, max(account_id) AS last_account, sum(originals) AS originals,
        coalesce(max(billable_tokens) > 0, false) AS ever_billed,
        coalesce(arg_max({'tokens': billable_tokens}, revision_no).tokens, 0) AS billable
    FROM readings GROUP BY usage_id
), posted AS (
    SELECT usage_id, min(account_id) AS account_id, max(account_id) AS last_account,
        count(*) FILTER (transaction_type = 'usage') AS usage_rows, -sum(token_amount) AS tokens
    -- A usage row that names no event at all is among the suspects under NULL.
    FROM charges WHERE usage_id IS NULL OR usage_id IN (SELECT usage_id FROM suspects) GROUP BY usage_id
)
SELECT
    coalesce(figures.usage_id, posted.usage_id) AS usage_id, coalesce(figures.account_id, posted.account_id) AS account_id,
    coalesce(usage_rows, 0) AS usage_rows, figures.billable, coalesce(posted.tokens, 0) AS posted_tokens
FROM figures
FULL JOIN posted USING (usage_id)
WHERE figures.usage_id IS NULL
   OR figures.originals <> 1
   OR coalesce(usage_rows, 0) <> CASE WHEN ever_billed THEN 1 ELSE 0 END
   OR coalesce(posted.tokens, 0) <> figures.billable
   OR figures.account_id <> figures.last_account
   OR posted.account_id <> figures.account_id OR posted.last_account <> figures.account_id
