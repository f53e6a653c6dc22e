-- How many posted calls the total of a month under volume tiers prices otherwise, of months that are over by the date and
-- were not by the last one: what a posting without any file would have to bring to their tier.
WITH volume AS (
    SELECT rate_id, rate_version, from_json(charge -> '$.volume', '["JSON"]') AS tiers
    FROM books.rates WHERE (charge -> '$.volume') IS NOT NULL
), tiers AS (
    SELECT rate_id, rate_version, coalesce((tier ->> '$.up_to')::BIGINT, 9223372036854775807) AS high,
        coalesce(lag((tier ->> '$.up_to')::BIGINT) OVER (PARTITION BY rate_id, rate_version ORDER BY tier_no), -1) AS low,
        (tier ->> '$.multiplier')::DECIMAL(12, 6) AS multiplier
    FROM (SELECT rate_id, rate_version, unnest(tiers) AS tier, unnest(range(len(tiers))) AS tier_no FROM volume)
), calls AS (
    SELECT place.account_id, place.rate_id, place.period, call.rate_version, call.total_tokens, call.billable_tokens,
        sum(call.total_tokens) OVER (PARTITION BY place.account_id, place.rate_id, place.period) AS month_tokens
    FROM books.tier_positions AS place
    JOIN books.usage_current AS call ON call.usage_id = place.usage_id AND call.rate_id = place.rate_id
    WHERE place.period >= $previous_tier_month AND place.period < $tier_month
      AND place.rate_id IN (SELECT rate_id FROM volume) AND call.charge_type = 'tiered'
)
SELECT count(*)
FROM calls
JOIN tiers
    ON tiers.rate_id = calls.rate_id AND tiers.rate_version = calls.rate_version
    AND month_tokens > tiers.low AND month_tokens <= tiers.high
WHERE ((total_tokens * multiplier * 1000000)::HUGEINT + 999999) // 1000000 <> billable_tokens
