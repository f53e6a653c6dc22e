-- Calls that no rule has priced yet, numbered below every record.
CREATE OR REPLACE TEMP TABLE held_calls AS
WITH held AS (
    SELECT 0 AS revision_no, 'first' AS revision_reason, first.*
    FROM books.token_usage AS first
    ANTI JOIN books.usage_revisions AS later ON later.usage_id = first.usage_id
    WHERE first.billable_tokens IS NULL
    UNION ALL
    SELECT * FROM books.usage_revisions
    QUALIFY row_number() OVER (PARTITION BY usage_id ORDER BY revision_no DESC) = 1
)
SELECT -row_number() OVER (ORDER BY occurred_at, usage_id) AS row_id, held.*
FROM held
WHERE billable_tokens IS NULL;
