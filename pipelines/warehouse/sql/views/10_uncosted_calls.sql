-- Calls whose cost at their provider is not known, by model and why: unknown is never zero.
CREATE OR REPLACE VIEW finance.uncosted_calls AS
WITH looked_up AS (
    SELECT provider, model, kind, price_version, reason, posting_id,
        lead(posting_id) OVER (PARTITION BY provider, model, kind ORDER BY posting_id) AS next_posting_id
    FROM books.provider_models
), uncosted AS (
    SELECT usage.*,
        CASE
            WHEN looked_up.reason IS NOT NULL THEN looked_up.reason
            WHEN usage.service_tier <> 'standard' AND (looked_up.price_version, usage.service_tier) NOT IN
                (SELECT (price_version, variant) FROM books.provider_prices) THEN 'no_price_for_tier'
            WHEN usage.input_tokens < usage.cache_read_tokens + usage.cache_write_5m_tokens + usage.cache_write_1h_tokens
                    + usage.audio_input_tokens + usage.image_input_tokens
                OR usage.output_tokens < usage.reasoning_tokens + usage.audio_output_tokens + usage.image_output_tokens
                OR (usage.cache_read_tokens + usage.cache_write_5m_tokens + usage.cache_write_1h_tokens > 0
                    AND usage.audio_input_tokens + usage.image_input_tokens > 0)
                OR (usage.reasoning_tokens > 0 AND usage.audio_output_tokens + usage.image_output_tokens > 0)
                THEN 'overlapping_counts'
            WHEN usage.total_tokens = 0 AND usage.image_count > 0 THEN 'no_price_for_size'
            ELSE 'no_price_at_that_time'
        END AS reason
    FROM books.usage_current AS usage
    LEFT JOIN looked_up
        ON looked_up.provider IS NOT DISTINCT FROM usage.provider AND looked_up.model IS NOT DISTINCT FROM usage.model
        AND looked_up.kind = CASE WHEN usage.total_tokens = 0 AND usage.image_count > 0 THEN 'images' ELSE 'tokens' END
        AND usage.posting_id >= looked_up.posting_id
        AND usage.posting_id < coalesce(looked_up.next_posting_id, 9223372036854775807)
    WHERE usage.provider_cost_nanousd IS NULL
)
SELECT provider, model, reason, count(*) AS calls, sum(input_tokens)::BIGINT AS input_tokens,
    sum(output_tokens)::BIGINT AS output_tokens, sum(image_count)::BIGINT AS image_count,
    sum(reported_cost_nanousd)::BIGINT AS reported_cost_nanousd, min(occurred_at) AS first_occurred_at,
    max(occurred_at) AS last_occurred_at
FROM uncosted
GROUP BY provider, model, reason;
