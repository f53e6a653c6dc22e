-- Tiered calls of this posting, what was posted before them of their months, and the place of those that had one.
CREATE OR REPLACE TEMP TABLE superseded_calls AS
SELECT usage.row_id, first.usage_id
FROM books.token_usage AS first
JOIN (SELECT row_id, event_key FROM classified_usage WHERE supersedes) AS usage USING (event_key);

CREATE OR REPLACE TEMP TABLE tiered_calls AS
WITH calls AS (
    SELECT rated.row_id, coalesce(posted.usage_id, rated.usage_id) AS usage_id, rated.account_id, rated.occurred_at,
        rated.transaction_id, rated.rate_id, rated.rate_version, rated.total_tokens,
        known.position AS known_position,
        -- A later version stays in the month of the first one.
        coalesce(known.period, strftime(timezone($timezone, rated.occurred_at), '%Y-%m')) AS period
    FROM usage_rated AS rated
    LEFT JOIN superseded_calls AS posted USING (row_id)
    LEFT JOIN books.tier_positions AS known
        ON known.usage_id = coalesce(posted.usage_id, rated.usage_id) AND known.rate_id = rated.rate_id
    WHERE rated.charge_type = 'tiered'
), openings AS (
    SELECT account_id, rate_id, period, max(position + tokens) AS opening
    FROM books.tier_positions
    SEMI JOIN calls USING (account_id, rate_id, period)
    GROUP BY ALL
)
SELECT calls.*, coalesce(openings.opening, 0) AS opening
FROM calls
LEFT JOIN openings USING (account_id, rate_id, period);

-- Months under volume tiers that are over: those that ended since the last posting, and those that this one touches.
CREATE OR REPLACE TEMP TABLE settled_months AS
SELECT DISTINCT account_id, rate_id, period
FROM (
    SELECT account_id, rate_id, period FROM tiered_calls
    UNION
    SELECT place.account_id, place.rate_id, place.period
    FROM books.tier_positions AS place SEMI JOIN superseded_calls USING (usage_id)
    UNION
    SELECT account_id, rate_id, period FROM books.tier_positions WHERE period >= $previous_tier_month
)
WHERE period < $tier_month
  AND rate_id IN (SELECT rate_id FROM books.rates WHERE (charge -> '$.volume') IS NOT NULL);

-- The calls of those months that were posted before, as they stand, numbered below every record and every held call.
CREATE OR REPLACE TEMP TABLE month_calls AS
SELECT
    -1000000000000 - row_number() OVER (ORDER BY current.usage_id) AS row_id, place.period, place.position,
    derived_id_of_hex(first.occurred_at, 'usage', hex(first.event_key)) AS usage_transaction_id,
    first.occurred_at AS original_at, coalesce(later.revision_no, 0) AS revision_no,
    coalesce(first.billable_tokens > 0, false) OR coalesce(later.ever_billed, false) AS ever_billed, current.*
FROM settled_months
JOIN books.tier_positions AS place USING (account_id, rate_id, period)
JOIN books.usage_current AS current ON current.usage_id = place.usage_id AND current.rate_id = place.rate_id
JOIN books.token_usage AS first ON first.usage_id = place.usage_id
LEFT JOIN (
    SELECT usage_id, max(revision_no) AS revision_no, bool_or(billable_tokens > 0) AS ever_billed
    FROM books.usage_revisions GROUP BY usage_id
) AS later ON later.usage_id = place.usage_id
ANTI JOIN superseded_calls ON superseded_calls.usage_id = place.usage_id
WHERE current.charge_type = 'tiered';

CREATE OR REPLACE TEMP TABLE calls_to_price AS
WITH calls AS (
    SELECT row_id, account_id, period, occurred_at, transaction_id, rate_id, rate_version, total_tokens, opening,
        known_position
    FROM tiered_calls
    UNION ALL
    SELECT row_id, account_id, period, occurred_at, usage_transaction_id, rate_id, rate_version, total_tokens, 0, position
    FROM month_calls
), totals AS (
    SELECT account_id, rate_id, period, sum(total_tokens)::BIGINT AS month_tokens
    FROM calls SEMI JOIN settled_months USING (account_id, rate_id, period) GROUP BY ALL
)
SELECT calls.*, totals.month_tokens FROM calls LEFT JOIN totals USING (account_id, rate_id, period);

CREATE OR REPLACE TEMP TABLE tiered_prices (
    row_id BIGINT, position BIGINT, billable_tokens BIGINT, multiplier_ppm BIGINT, rating_reason VARCHAR
);
