-- Tiered calls of this posting, what was posted before them of their months, and the place of those that had one.
CREATE OR REPLACE TEMP TABLE tiered_calls AS
WITH calls AS (
    SELECT rated.row_id, coalesce(posted.usage_id, rated.usage_id) AS usage_id, rated.account_id,
        strftime(timezone($timezone, rated.occurred_at), '%Y-%m') AS period, rated.occurred_at, rated.transaction_id,
        rated.rate_id, rated.rate_version, rated.total_tokens
    FROM usage_rated AS rated
    LEFT JOIN (
        SELECT usage.row_id, first.usage_id
        FROM books.token_usage AS first
        JOIN (SELECT row_id, event_key FROM classified_usage WHERE supersedes) AS usage USING (event_key)
    ) AS posted USING (row_id)
    WHERE rated.charge_type = 'tiered'
), openings AS (
    SELECT account_id, rate_id, period, max(position + tokens) AS opening
    FROM books.tier_positions
    SEMI JOIN calls USING (account_id, rate_id, period)
    GROUP BY ALL
)
SELECT calls.*, coalesce(openings.opening, 0) AS opening, known.position AS known_position
FROM calls
LEFT JOIN openings USING (account_id, rate_id, period)
LEFT JOIN books.tier_positions AS known ON known.usage_id = calls.usage_id AND known.rate_id = calls.rate_id;

CREATE OR REPLACE TEMP TABLE tiered_prices (
    row_id BIGINT, position BIGINT, billable_tokens BIGINT, multiplier_ppm BIGINT, rating_reason VARCHAR
);
