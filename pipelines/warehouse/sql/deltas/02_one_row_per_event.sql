WITH figures AS (
    SELECT usage_id, account_id, billable_tokens FROM books.token_usage
    WHERE posting_id = $posting_id AND billable_tokens > 0
), posted AS (
    SELECT usage_id, account_id, -token_amount AS tokens FROM books.token_transactions
    ANTI JOIN (SELECT usage_id FROM books.usage_revisions WHERE posting_id = $posting_id) AS revised USING (usage_id)
    WHERE posting_id = $posting_id AND transaction_type = 'usage'
)
SELECT usage_id FROM figures
FULL JOIN posted USING (usage_id)
WHERE figures.billable_tokens IS DISTINCT FROM posted.tokens OR figures.account_id IS DISTINCT FROM posted.account_id
