-- Calls for which the app says it charged other tokens than the books, each with its cause, found by computing what the
-- app would have charged under that cause: a cause is named only when its figure equals the reported one to the token.
CREATE OR REPLACE VIEW finance.billing_drift_calls AS
WITH multipliers AS (
    SELECT rate_id, ((charge ->> '$.multiplier')::DECIMAL(12, 6) * 1000000)::BIGINT AS multiplier_ppm
    FROM books.rates WHERE (charge ->> '$.multiplier') IS NOT NULL
    UNION
    SELECT 'default_multiplier', (default_token_multiplier * 1000000)::BIGINT FROM books.system_settings
), image_costs AS (
    SELECT DISTINCT rate_id, (charge ->> '$.fixed')::BIGINT AS fixed_cost
    FROM books.rates WHERE (charge ->> '$.fixed') IS NOT NULL AND (charge ->> '$.per') = 'image'
), drifted AS (
    SELECT usage_id, account_id, occurred_at, operation_type, provider, model, success, total_tokens, image_count,
        image_size, image_quality, charge_type, multiplier, fixed_cost, rate_id, rate_version, settings_version,
        reported_billable_tokens, billable_tokens, reported_billable_tokens - billable_tokens AS difference_tokens,
        posting_id
    FROM books.usage_current
    WHERE reported_billable_tokens <> billable_tokens
), other_multiplier AS (
    -- The exact figure, or the one that binary floating point gives, under a multiplier of another version or rule.
    SELECT usage_id, bool_or(multipliers.rate_id IS NOT DISTINCT FROM drifted.rate_id) AS is_same_rule
    FROM drifted JOIN multipliers
        ON reported_billable_tokens = (total_tokens::HUGEINT * multiplier_ppm + 999999) // 1000000
        OR reported_billable_tokens = TRY_CAST(ceil(total_tokens::DOUBLE * (multiplier_ppm::DOUBLE / 1000000)) AS BIGINT)
    WHERE operation_type <> 'image' AND (multiplier IS NULL OR multiplier_ppm <> (multiplier * 1000000)::BIGINT)
    GROUP BY usage_id
), other_image_price AS (
    SELECT usage_id, bool_or(image_costs.rate_id = drifted.rate_id) AS is_same_rule
    FROM drifted JOIN image_costs
        ON reported_billable_tokens = image_count::HUGEINT * image_costs.fixed_cost
    WHERE operation_type = 'image' AND image_costs.fixed_cost IS DISTINCT FROM drifted.fixed_cost
    GROUP BY usage_id
)
SELECT drifted.* EXCLUDE (posting_id),
    CASE
        WHEN charge_type = 'multiplier' AND reported_billable_tokens
            = TRY_CAST(ceil(total_tokens::DOUBLE * multiplier::DOUBLE) AS BIGINT) THEN 'float_rounding'
        WHEN billable_tokens = 0 AND charge_type IS NULL
            AND (other_multiplier.usage_id IS NOT NULL OR other_image_price.usage_id IS NOT NULL) THEN 'charged_a_free_call'
        WHEN reported_billable_tokens = 0 THEN 'not_charged'
        WHEN other_multiplier.is_same_rule THEN 'stale_multiplier'
        WHEN other_multiplier.usage_id IS NOT NULL THEN 'other_rule'
        WHEN other_image_price.is_same_rule THEN 'stale_image_cost'
        WHEN other_image_price.usage_id IS NOT NULL THEN 'wrong_image_size'
        WHEN charge_type = 'fixed' AND operation_type = 'image' AND fixed_cost > 0
            AND reported_billable_tokens % fixed_cost = 0 THEN 'wrong_image_count'
        ELSE 'unknown'
    END AS cause,
    posting_id
FROM drifted
LEFT JOIN other_multiplier USING (usage_id)
LEFT JOIN other_image_price USING (usage_id);

-- The same by account, model and cause.
CREATE OR REPLACE VIEW finance.billing_drift AS
SELECT account_id, provider, model, cause, count(*) AS calls,
    sum(reported_billable_tokens)::BIGINT AS reported_tokens, sum(billable_tokens)::BIGINT AS billable_tokens,
    sum(difference_tokens)::BIGINT AS difference_tokens, min(occurred_at) AS first_occurred_at,
    max(occurred_at) AS last_occurred_at
FROM finance.billing_drift_calls
GROUP BY account_id, provider, model, cause;
