WITH figures AS (
    SELECT usage_id, account_id, billable_tokens FROM books.token_usage
    WHERE posting_id = $posting_id AND billable_tokens > 0
), revised AS (
    SELECT usage_id, account_id, arg_max({'billable': billable_tokens}, revision_no).billable AS billable_tokens
    FROM books.usage_revisions WHERE posting_id = $posting_id GROUP BY usage_id, account_id
), posted AS (
    SELECT usage_id, account_id, -token_amount AS tokens FROM books.token_transactions
    ANTI JOIN revised USING (usage_id)
    WHERE posting_id = $posting_id AND (transaction_type = 'usage' OR usage_id IS NOT NULL)
), settled AS (
    -- All rows of a revised event, whenever posted, come to its figure now.
    SELECT usage_id, account_id, -sum(token_amount) AS tokens FROM books.token_transactions
    SEMI JOIN revised USING (usage_id) GROUP BY usage_id, account_id
)
SELECT usage_id FROM figures
FULL JOIN posted USING (usage_id)
WHERE figures.billable_tokens IS DISTINCT FROM posted.tokens OR figures.account_id IS DISTINCT FROM posted.account_id
UNION ALL
SELECT usage_id FROM revised
FULL JOIN settled USING (usage_id)
WHERE coalesce(revised.billable_tokens, 0) <> coalesce(settled.tokens, 0)
   OR settled.account_id <> revised.account_id
