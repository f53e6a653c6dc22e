-- What every call cost at its provider, computed again from the price lists that the books hold, by what its model was taken for at its posting; unknown where they cannot tell.
WITH looked_up AS (
    SELECT provider, model, kind, price_version, posting_id,
        coalesce(lead(posting_id) OVER (PARTITION BY provider, model, kind ORDER BY posting_id), 9223372036854775807)
            AS known_until
    FROM books.provider_models
), prices AS (
    -- In 10^-24 dollars for one token, image or request: the digits of the decimal, for so many units.
    SELECT * EXCLUDE (effective_from, effective_to), coalesce(effective_from, '-infinity') AS effective_from,
        coalesce(effective_to, 'infinity') AS effective_to,
        replace(price_usd::VARCHAR, '.', '')::HUGEINT * 1000000 // per AS scaled
    FROM books.provider_prices
), starts AS (
    SELECT *, CASE WHEN tier_start = 0 THEN -1 ELSE tier_start END AS tier_from,
        coalesce(lead(tier_start) OVER (
            PARTITION BY price_version, variant, effective_from, effective_to, day_second_from, day_second_to
            ORDER BY tier_start), 9223372036854775807) AS tier_to
    FROM (
        SELECT price_version, variant, effective_from, effective_to, day_second_from, day_second_to, tier_start FROM prices
        UNION
        SELECT price_version, variant, effective_from, effective_to, day_second_from, day_second_to, 0 FROM prices
    )
), cells AS (
    -- A list of a service tier while it holds, for requests beyond `tier_from` input tokens up to `tier_to`.
    SELECT list.price_version, list.variant, list.effective_from, list.effective_to, list.day_second_from,
        list.day_second_to, list.tier_from, list.tier_to,
        {
            'request': arg_max(scaled, price.tier_start) FILTER (unit = 'requests'),
            'input': arg_max(scaled, price.tier_start) FILTER (unit = 'input_tokens'),
            'output': arg_max(scaled, price.tier_start) FILTER (unit = 'output_tokens'),
            'cache_read': arg_max(scaled, price.tier_start) FILTER (unit = 'cache_read_tokens'),
            'cache_write': arg_max(scaled, price.tier_start) FILTER (unit = 'cache_write_tokens'),
            'cache_write_5m': arg_max(scaled, price.tier_start) FILTER (unit = 'cache_write_5m_tokens'),
            'cache_write_1h': arg_max(scaled, price.tier_start) FILTER (unit = 'cache_write_1h_tokens'),
            'audio_input': arg_max(scaled, price.tier_start) FILTER (unit = 'input_audio_tokens'),
            'image_input': arg_max(scaled, price.tier_start) FILTER (unit = 'input_image_tokens'),
            'reasoning': arg_max(scaled, price.tier_start) FILTER (unit = 'output_reasoning_tokens'),
            'audio_output': arg_max(scaled, price.tier_start) FILTER (unit = 'output_audio_tokens'),
            'image_output': arg_max(scaled, price.tier_start) FILTER (unit = 'output_image_tokens')
        } AS rates
    FROM starts AS list
    JOIN prices AS price
        ON price.price_version = list.price_version AND price.variant = list.variant
        AND price.effective_from = list.effective_from AND price.effective_to = list.effective_to
        AND price.day_second_from = list.day_second_from AND price.day_second_to = list.day_second_to
        AND price.tier_start <= list.tier_start
    WHERE price.unit <> 'images'
    GROUP BY ALL
    HAVING count(*) FILTER (unit IN ('input_tokens', 'output_tokens', 'requests')) > 0
), known_tiers AS (
    SELECT price_version, variant, min(effective_from) AS known_from FROM prices GROUP BY price_version, variant
), calls AS (
    SELECT usage_id, account_id, provider, model, service_tier, posting_id, occurred_at, input_tokens, output_tokens,
        total_tokens, cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens, reasoning_tokens,
        audio_input_tokens, audio_output_tokens, image_input_tokens, image_output_tokens, image_count,
        lower(image_size) AS size, lower(image_quality) AS quality, success, gateway_cache_hit, provider_cost_nanousd,
        coalesce(service_tier, 'standard') AS variant, (epoch_us(occurred_at) // 1000000) % 86400 AS day_second,
        CASE WHEN total_tokens = 0 AND image_count > 0 THEN 'images' ELSE 'tokens' END AS kind
    FROM (
        SELECT * FROM books.token_usage
        UNION ALL BY NAME
        -- A price for a held call, or the total of a month, says nothing new of what the provider charged.
        SELECT * FROM books.usage_revisions WHERE revision_reason = 'superseded'
    )
), listed AS (
    SELECT call.*, looked_up.price_version, tier.known_from <= call.occurred_at AS is_known_tier
    FROM calls AS call
    LEFT JOIN looked_up
        ON looked_up.provider IS NOT DISTINCT FROM call.provider AND looked_up.model IS NOT DISTINCT FROM call.model
        AND looked_up.kind = call.kind
        AND call.posting_id >= looked_up.posting_id AND call.posting_id < looked_up.known_until
    LEFT JOIN known_tiers AS tier ON tier.price_version = looked_up.price_version AND tier.variant = call.variant
), priced AS (
    -- A service tier has its own list, or while it has none the standard one, but for the time before its first.
    SELECT call.*, CASE WHEN own.rates IS NOT NULL THEN own.rates WHEN call.is_known_tier THEN plain.rates END AS rates,
        CASE WHEN own_image.scaled IS NOT NULL THEN own_image.scaled
            WHEN call.is_known_tier THEN plain_image.scaled END AS image_rate
    FROM listed AS call
    LEFT JOIN cells AS own
        ON own.price_version = call.price_version AND own.variant = call.variant AND call.kind = 'tokens'
        AND call.occurred_at >= own.effective_from AND call.occurred_at < own.effective_to
        AND call.day_second >= own.day_second_from AND call.day_second < own.day_second_to
        AND call.input_tokens > own.tier_from AND call.input_tokens <= own.tier_to
    LEFT JOIN cells AS plain
        ON plain.price_version = call.price_version AND plain.variant = 'standard' AND call.variant <> 'standard'
        AND call.kind = 'tokens'
        AND call.occurred_at >= plain.effective_from AND call.occurred_at < plain.effective_to
        AND call.day_second >= plain.day_second_from AND call.day_second < plain.day_second_to
        AND call.input_tokens > plain.tier_from AND call.input_tokens <= plain.tier_to
    LEFT JOIN prices AS own_image
        ON own_image.unit = 'images' AND own_image.price_version = call.price_version
        AND own_image.variant = call.variant AND call.kind = 'images'
        AND call.occurred_at >= own_image.effective_from AND call.occurred_at < own_image.effective_to
        AND (own_image.image_size = '*' OR own_image.image_size IS NOT DISTINCT FROM call.size)
        AND (own_image.image_quality = '*' OR own_image.image_quality IS NOT DISTINCT FROM call.quality)
    LEFT JOIN prices AS plain_image
        ON plain_image.unit = 'images' AND plain_image.price_version = call.price_version
        AND plain_image.variant = 'standard' AND call.variant <> 'standard' AND call.kind = 'images'
        AND call.occurred_at >= plain_image.effective_from AND call.occurred_at < plain_image.effective_to
        AND (plain_image.image_size = '*' OR plain_image.image_size IS NOT DISTINCT FROM call.size)
        AND (plain_image.image_quality = '*' OR plain_image.image_quality IS NOT DISTINCT FROM call.quality)
), weighed AS (
    -- What a token of a part costs beyond one of its whole; a part without a price of its own costs what the whole does.
    SELECT *, coalesce(rates.input, 0) AS in_rate, coalesce(rates.output, 0) AS out_rate,
        coalesce(rates.cache_read, in_rate) - in_rate AS cached,
        coalesce(rates.cache_write_5m, rates.cache_write, in_rate) - in_rate AS kept_5m,
        coalesce(rates.cache_write_1h, rates.cache_write, in_rate) - in_rate AS kept_1h,
        coalesce(rates.audio_input, in_rate) - in_rate AS heard, coalesce(rates.image_input, in_rate) - in_rate AS seen,
        coalesce(rates.reasoning, out_rate) - out_rate AS thought,
        coalesce(rates.audio_output, out_rate) - out_rate AS spoken,
        coalesce(rates.image_output, out_rate) - out_rate AS drawn,
        -- By use and by kind, as far as each is priced apart: what is both was not counted.
        CASE WHEN cached <> 0 THEN cache_read_tokens ELSE 0 END + CASE WHEN kept_5m <> 0 THEN cache_write_5m_tokens ELSE 0 END
            + CASE WHEN kept_1h <> 0 THEN cache_write_1h_tokens ELSE 0 END AS used_in,
        CASE WHEN heard <> 0 THEN audio_input_tokens ELSE 0 END + CASE WHEN seen <> 0 THEN image_input_tokens ELSE 0 END
            AS kinds_in,
        CASE WHEN thought <> 0 THEN reasoning_tokens ELSE 0 END AS used_out,
        CASE WHEN spoken <> 0 THEN audio_output_tokens ELSE 0 END + CASE WHEN drawn <> 0 THEN image_output_tokens ELSE 0 END
            AS kinds_out
    FROM priced
), figures AS (
    SELECT *,
        CASE
            WHEN gateway_cache_hit OR (NOT success AND total_tokens = 0 AND image_count = 0) THEN 0::HUGEINT
            WHEN kind = 'images' THEN image_count * image_rate
            WHEN rates IS NULL OR cache_write_5m_tokens + cache_write_1h_tokens > input_tokens
                OR used_in + kinds_in > input_tokens OR used_out + kinds_out > output_tokens
                OR (used_in > 0 AND kinds_in > 0) OR (used_out > 0 AND kinds_out > 0)
                OR (input_tokens > 0 AND rates.input IS NULL) OR (output_tokens > 0 AND rates.output IS NULL) THEN NULL
            ELSE coalesce(rates.request, 0) + input_tokens * in_rate + cache_read_tokens * cached
                + cache_write_5m_tokens * kept_5m + cache_write_1h_tokens * kept_1h + audio_input_tokens * heard
                + image_input_tokens * seen + output_tokens * out_rate + reasoning_tokens * thought
                + audio_output_tokens * spoken + image_output_tokens * drawn
        END AS scaled_cost
    FROM weighed
), rounded AS (
    -- To nano-dollars, half to even.
    SELECT *, scaled_cost // 1000000000000000 AS whole, scaled_cost % 1000000000000000 AS rest,
        whole + CASE WHEN rest > 500000000000000 OR (rest = 500000000000000 AND whole % 2 = 1) THEN 1 ELSE 0 END AS expected
    FROM figures
)
SELECT usage_id, account_id, provider, model, service_tier, occurred_at, posting_id, price_version, provider_cost_nanousd,
    expected::HUGEINT AS expected_nanousd
FROM rounded
WHERE provider_cost_nanousd IS DISTINCT FROM expected
