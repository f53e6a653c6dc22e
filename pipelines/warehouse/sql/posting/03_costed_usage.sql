-- The price lists of the models in this posting, one row per period and tier of a model and service tier as logged: no
-- two rows hold for the same call. Numbers come as digits: beyond 64 bits JSON numbers would be read as doubles.
CREATE OR REPLACE TEMP TABLE token_prices AS
SELECT provider, model, service_tier, coalesce(make_timestamptz(effective_from), '-infinity') AS effective_from,
    coalesce(make_timestamptz(effective_to), 'infinity') AS effective_to, day_second_from, day_second_to,
    tier_from, coalesce(tier_to, 9223372036854775807) AS tier_to, request, input, cache_read, cache_write_5m,
    cache_write_1h, audio_input, image_input, output, reasoning, audio_output, image_output
FROM (SELECT unnest(from_json($token_cells, '[{"provider": "VARCHAR", "model": "VARCHAR",
    "service_tier": "VARCHAR", "effective_from": "BIGINT",
    "effective_to": "BIGINT", "day_second_from": "BIGINT", "day_second_to": "BIGINT", "tier_from": "BIGINT",
    "tier_to": "BIGINT", "request": "HUGEINT", "input": "HUGEINT", "cache_read": "HUGEINT",
    "cache_write_5m": "HUGEINT", "cache_write_1h": "HUGEINT", "audio_input": "HUGEINT", "image_input": "HUGEINT",
    "output": "HUGEINT", "reasoning": "HUGEINT", "audio_output": "HUGEINT", "image_output": "HUGEINT"}]'),
    max_depth := 2));

CREATE OR REPLACE TEMP TABLE image_prices AS
SELECT provider, model, service_tier, coalesce(make_timestamptz(effective_from), '-infinity') AS effective_from,
    coalesce(make_timestamptz(effective_to), 'infinity') AS effective_to, image_size, image_quality, image
FROM (SELECT unnest(from_json($image_cells, '[{"provider": "VARCHAR", "model": "VARCHAR",
    "service_tier": "VARCHAR", "effective_from": "BIGINT",
    "effective_to": "BIGINT", "image_size": "VARCHAR", "image_quality": "VARCHAR", "image": "HUGEINT"}]'),
    max_depth := 2));

-- Each call with what it cost at its provider, in nano-dollars, and the kind of price that holds for it. NULL where no
-- price is known, or where the counts cannot be told apart: tokens priced by use and by modality whose overlap nobody
-- counted, or subsets that exceed their whole. A call served from a gateway's cache never reached its provider, and a
-- failed call without tokens or images was not charged.
-- Prices are whole numbers of 10^-24 dollars per token or image, so the sum is exact; the division rounds half to even.
CREATE OR REPLACE TEMP VIEW costed_usage AS
WITH priced AS (
    SELECT
        usage.*, cost_kind(total_tokens, image_count) AS cost_kind,
        CASE
            WHEN usage.gateway_cache_hit
                OR (NOT usage.success AND usage.total_tokens = 0 AND usage.image_count = 0) THEN 0::HUGEINT
            WHEN cost_kind(total_tokens, image_count) = 'images' THEN usage.image_count * image.image
            WHEN usage.input_tokens < usage.cache_write_5m_tokens + usage.cache_write_1h_tokens THEN NULL
            WHEN usage.input_tokens < CASE WHEN token.cache_read <> 0 THEN usage.cache_read_tokens ELSE 0 END
                + CASE WHEN token.cache_write_5m <> 0 THEN usage.cache_write_5m_tokens ELSE 0 END
                + CASE WHEN token.cache_write_1h <> 0 THEN usage.cache_write_1h_tokens ELSE 0 END
                + CASE WHEN token.audio_input <> 0 THEN usage.audio_input_tokens ELSE 0 END
                + CASE WHEN token.image_input <> 0 THEN usage.image_input_tokens ELSE 0 END
                OR usage.output_tokens < CASE WHEN token.reasoning <> 0 THEN usage.reasoning_tokens ELSE 0 END
                + CASE WHEN token.audio_output <> 0 THEN usage.audio_output_tokens ELSE 0 END
                + CASE WHEN token.image_output <> 0 THEN usage.image_output_tokens ELSE 0 END THEN NULL
            WHEN ((token.cache_read <> 0 AND usage.cache_read_tokens > 0)
                    OR (token.cache_write_5m <> 0 AND usage.cache_write_5m_tokens > 0)
                    OR (token.cache_write_1h <> 0 AND usage.cache_write_1h_tokens > 0))
                AND ((token.audio_input <> 0 AND usage.audio_input_tokens > 0)
                    OR (token.image_input <> 0 AND usage.image_input_tokens > 0)) THEN NULL
            WHEN token.reasoning <> 0 AND usage.reasoning_tokens > 0
                AND ((token.audio_output <> 0 AND usage.audio_output_tokens > 0)
                    OR (token.image_output <> 0 AND usage.image_output_tokens > 0)) THEN NULL
            ELSE token.request
                + CASE WHEN usage.input_tokens > 0 THEN usage.input_tokens * token.input
                    + usage.cache_read_tokens * token.cache_read
                    + usage.cache_write_5m_tokens * token.cache_write_5m
                    + usage.cache_write_1h_tokens * token.cache_write_1h
                    + usage.audio_input_tokens * token.audio_input
                    + usage.image_input_tokens * token.image_input ELSE 0::HUGEINT END
                + CASE WHEN usage.output_tokens > 0 THEN usage.output_tokens * token.output
                    + usage.reasoning_tokens * token.reasoning
                    + usage.audio_output_tokens * token.audio_output
                    + usage.image_output_tokens * token.image_output ELSE 0::HUGEINT END
        END AS scaled_cost
    FROM classified_usage AS usage
    LEFT JOIN token_prices AS token
        ON token.provider IS NOT DISTINCT FROM usage.provider AND token.model = usage.model
        AND token.service_tier = coalesce(usage.service_tier, 'standard')
        AND usage.occurred_at >= token.effective_from AND usage.occurred_at < token.effective_to
        AND day_second(usage.occurred_at) >= token.day_second_from
        AND day_second(usage.occurred_at) < token.day_second_to
        AND usage.input_tokens > token.tier_from AND usage.input_tokens <= token.tier_to
    LEFT JOIN image_prices AS image
        ON image.provider IS NOT DISTINCT FROM usage.provider AND image.model = usage.model
        AND image.service_tier = coalesce(usage.service_tier, 'standard')
        AND usage.occurred_at >= image.effective_from AND usage.occurred_at < image.effective_to
        AND (image.image_size = '*' OR image.image_size IS NOT DISTINCT FROM lower(usage.image_size))
        AND (image.image_quality = '*' OR image.image_quality IS NOT DISTINCT FROM lower(usage.image_quality))
)
SELECT * EXCLUDE (scaled_cost), half_even(scaled_cost, 1000000000000000::HUGEINT)::BIGINT AS provider_cost_nanousd
FROM priced;
