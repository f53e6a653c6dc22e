-- recorded_at rises strictly by posting, every row carries its posting's instant, and billing dates never go back.
WITH ordered AS (
    SELECT posting_id, recorded_at, billing_date,
        lag(recorded_at) OVER (ORDER BY posting_id) AS previous_at,
        lag(billing_date) OVER (ORDER BY posting_id) AS previous_date
    FROM audit.postings
)
SELECT posting_id, 'audit.postings' AS table_name FROM ordered WHERE recorded_at <= previous_at OR billing_date < previous_date
UNION
SELECT posting_id, 'books.token_usage' FROM books.token_usage AS row
LEFT JOIN audit.postings AS posting USING (posting_id)
WHERE row.recorded_at IS DISTINCT FROM posting.recorded_at OR row.billing_date IS DISTINCT FROM posting.billing_date
UNION
SELECT posting_id, 'books.usage_revisions' FROM books.usage_revisions AS row
LEFT JOIN audit.postings AS posting USING (posting_id)
WHERE row.recorded_at IS DISTINCT FROM posting.recorded_at OR row.billing_date IS DISTINCT FROM posting.billing_date
UNION
SELECT posting_id, 'books.token_transactions' FROM books.token_transactions AS row
LEFT JOIN audit.postings AS posting USING (posting_id)
WHERE row.recorded_at IS DISTINCT FROM posting.recorded_at
UNION
SELECT posting_id, 'finance.lot_allocations' FROM finance.lot_allocations AS row
LEFT JOIN audit.postings AS posting USING (posting_id)
WHERE row.recorded_at IS DISTINCT FROM posting.recorded_at
