-- Billable tokens of every event, recomputed here from tables alone by the rule it names, and compared. Tiered calls tile their months.
WITH terms AS (
    -- A version ends for what was posted once its successor was known; one entered later for a past date binds no one before.
    SELECT own.* EXCLUDE (gateway_cache_hit), own.gateway_cache_hit AS cache_policy,
        next.updated_at AS successor_known_at
    FROM books.system_settings AS own
    LEFT JOIN books.system_settings AS next ON next.superseded_by IS NULL AND next.effective_from = own.effective_to
    QUALIFY row_number() OVER (PARTITION BY own.settings_version ORDER BY own.superseded_by NULLS FIRST) = 1
), rules AS (
    -- What each rule says, read from its decimal texts. Pools: plain input, cache read, cache write for 5 minutes and for
    -- an hour, heard; plain output, thought, spoken.
    SELECT rate_id, rate_version, effective_from AS rule_from,
        match ->> '$.account' AS for_account, lower(match ->> '$.provider') AS for_provider,
        lower(match ->> '$.image_size') AS for_size, lower(match ->> '$.image_quality') AS for_quality,
        CASE WHEN json_type(match, '$.operation') = 'VARCHAR' THEN [match ->> '$.operation']
            ELSE from_json(match -> '$.operation', '["VARCHAR"]') END AS for_operations, match ->> '$.image_family' AS for_family,
        lower(match ->> '$.model') AS for_model,
        replace(replace(regexp_escape(for_model), '\*', '.*'), '\?', '.') AS model_pattern,
        charge ->> '$.per' AS per, (charge ->> '$.fixed')::HUGEINT AS fixed,
        (charge ->> '$.package.cost')::HUGEINT AS package_cost, (charge ->> '$.package.tokens')::HUGEINT AS package_tokens,
        (charge ->> '$.long_context.above')::BIGINT AS above, (charge -> '$.volume') IS NOT NULL AS is_volume,
        coalesce(charge -> '$.graduated', charge -> '$.volume') AS tiers,
        CASE WHEN tiers IS NOT NULL THEN 'tiered' WHEN (charge -> '$.weights') IS NOT NULL THEN 'weighted'
            WHEN (charge ->> '$.multiplier') IS NOT NULL THEN 'multiplier' ELSE 'fixed' END AS rule_type,
        CASE WHEN (charge -> '$.weights') IS NULL THEN list_resize([]::DECIMAL(12, 6)[], 8, (charge ->> '$.multiplier')::DECIMAL(12, 6))
            ELSE [
                ((charge -> '$.weights') ->> '$.input')::DECIMAL(12, 6),
                coalesce(((charge -> '$.weights') ->> '$.cache_read')::DECIMAL(12, 6), ((charge -> '$.weights') ->> '$.input')::DECIMAL(12, 6)),
                coalesce(((charge -> '$.weights') ->> '$.cache_write_5m')::DECIMAL(12, 6), ((charge -> '$.weights') ->> '$.input')::DECIMAL(12, 6)),
                coalesce(((charge -> '$.weights') ->> '$.cache_write_1h')::DECIMAL(12, 6), ((charge -> '$.weights') ->> '$.input')::DECIMAL(12, 6)),
                coalesce(((charge -> '$.weights') ->> '$.audio')::DECIMAL(12, 6), ((charge -> '$.weights') ->> '$.input')::DECIMAL(12, 6)),
                ((charge -> '$.weights') ->> '$.output')::DECIMAL(12, 6),
                coalesce(((charge -> '$.weights') ->> '$.reasoning')::DECIMAL(12, 6), ((charge -> '$.weights') ->> '$.output')::DECIMAL(12, 6)),
                coalesce(((charge -> '$.weights') ->> '$.audio')::DECIMAL(12, 6), ((charge -> '$.weights') ->> '$.output')::DECIMAL(12, 6))
            ] END AS ordinary,
        CASE WHEN (charge -> '$.long_context.weights') IS NULL THEN list_resize([]::DECIMAL(12, 6)[], 8, (charge ->> '$.long_context.multiplier')::DECIMAL(12, 6))
            ELSE [
                ((charge -> '$.long_context.weights') ->> '$.input')::DECIMAL(12, 6),
                coalesce(((charge -> '$.long_context.weights') ->> '$.cache_read')::DECIMAL(12, 6), ((charge -> '$.long_context.weights') ->> '$.input')::DECIMAL(12, 6)),
                coalesce(((charge -> '$.long_context.weights') ->> '$.cache_write_5m')::DECIMAL(12, 6), ((charge -> '$.long_context.weights') ->> '$.input')::DECIMAL(12, 6)),
                coalesce(((charge -> '$.long_context.weights') ->> '$.cache_write_1h')::DECIMAL(12, 6), ((charge -> '$.long_context.weights') ->> '$.input')::DECIMAL(12, 6)),
                coalesce(((charge -> '$.long_context.weights') ->> '$.audio')::DECIMAL(12, 6), ((charge -> '$.long_context.weights') ->> '$.input')::DECIMAL(12, 6)),
                ((charge -> '$.long_context.weights') ->> '$.output')::DECIMAL(12, 6),
                coalesce(((charge -> '$.long_context.weights') ->> '$.reasoning')::DECIMAL(12, 6), ((charge -> '$.long_context.weights') ->> '$.output')::DECIMAL(12, 6)),
                coalesce(((charge -> '$.long_context.weights') ->> '$.audio')::DECIMAL(12, 6), ((charge -> '$.long_context.weights') ->> '$.output')::DECIMAL(12, 6))
            ] END AS long_context
    FROM books.rates
), tiers AS (
    -- Tier by tier: the tokens of the month after `low` up to `high`.
    SELECT rate_id, rate_version, coalesce(lag((tier ->> '$.up_to')::HUGEINT) OVER own, 0) AS low,
        coalesce((tier ->> '$.up_to')::HUGEINT, 9223372036854775807) AS high,
        (tier ->> '$.multiplier')::DECIMAL(12, 6) AS multiplier
    FROM (
        SELECT rate_id, rate_version, unnest(from_json(tiers, '["JSON"]')) AS tier,
            unnest(range(len(from_json(tiers, '["JSON"]')))) AS tier_no
        FROM rules WHERE tiers IS NOT NULL
    )
    WINDOW own AS (PARTITION BY rate_id, rate_version ORDER BY tier_no)
), readings AS (
    SELECT *, 0 AS revision_no, NULL AS revision_reason FROM books.token_usage --delta WHERE posting_id = $posting_id
    UNION ALL BY NAME SELECT * FROM books.usage_revisions --delta WHERE posting_id = $posting_id
), volume_places AS (
    SELECT place.* FROM books.tier_positions AS place
    SEMI JOIN (
        SELECT own.account_id, own.rate_id, own.period
        FROM books.tier_positions AS own
        SEMI JOIN (SELECT usage_id FROM readings WHERE charge_type = 'tiered') AS call ON call.usage_id = own.usage_id
    ) AS months USING (account_id, rate_id, period)
    WHERE place.rate_id IN (SELECT rate_id FROM rules WHERE is_volume)
), movements AS (
    -- What each reading of a call added to its month, posting by posting.
    SELECT account_id, rate_id, period, posting_id, tokens - coalesce(lag(tokens) OVER call, 0) AS change
    FROM (
        SELECT place.account_id, place.rate_id, place.period, place.usage_id, call.revision_no, call.posting_id,
            CASE WHEN call.rate_id = place.rate_id THEN call.total_tokens ELSE 0 END AS tokens
        FROM volume_places AS place
        JOIN (
            SELECT usage_id, rate_id, total_tokens, posting_id, 0 AS revision_no FROM books.token_usage
            UNION ALL SELECT usage_id, rate_id, total_tokens, posting_id, revision_no FROM books.usage_revisions
        ) AS call ON call.usage_id = place.usage_id
    )
    WINDOW call AS (PARTITION BY rate_id, usage_id ORDER BY revision_no)
), month_totals AS (
    SELECT account_id, rate_id, period, posting_id,
        sum(change) OVER (PARTITION BY account_id, rate_id, period ORDER BY posting_id) AS month_tokens
    FROM (
        SELECT account_id, rate_id, period, posting_id, sum(change) AS change FROM movements
        GROUP BY account_id, rate_id, period, posting_id
    )
), tiered AS (
    -- Graduated: each token by the tier it falls into. Volume: all of a call by the tier that the month had reached with
    -- it, or once the month was over by that of its total; which of the two it was, the call's multiplier says.
    SELECT call.usage_id, call.rate_id, call.revision_no,
        CASE WHEN NOT any_value(rules.is_volume) THEN
            sum(greatest(0, least(place.position + call.total_tokens, tiers.high) - greatest(place.position, tiers.low))
                * tiers.multiplier)
        ELSE any_value(call.total_tokens) * coalesce(
            any_value(tiers.multiplier) FILTER (
                tiers.multiplier = call.multiplier AND call.revision_reason IS DISTINCT FROM 'trued_up'
                AND place.position + call.total_tokens <= tiers.high
                AND (place.position + call.total_tokens > tiers.low OR tiers.low = 0)),
            any_value(tiers.multiplier) FILTER (
                tiers.multiplier = call.multiplier AND total.month_tokens <= tiers.high
                AND (total.month_tokens > tiers.low OR tiers.low = 0)))
        END AS weighed
    FROM readings AS call
    JOIN books.tier_positions AS place ON place.usage_id = call.usage_id AND place.rate_id = call.rate_id
    JOIN rules ON rules.rate_id = call.rate_id AND rules.rate_version = call.rate_version
    JOIN tiers ON tiers.rate_id = call.rate_id AND tiers.rate_version = call.rate_version
    LEFT JOIN month_totals AS total
        ON total.account_id = place.account_id AND total.rate_id = place.rate_id AND total.period = place.period
        AND total.posting_id = call.posting_id
    WHERE call.charge_type = 'tiered'
    GROUP BY call.usage_id, call.rate_id, call.revision_no
), events AS (
    SELECT usage.*, terms.* EXCLUDE (settings_version, updated_at), terms.settings_version IS NOT NULL AS has_terms,
        rules.* EXCLUDE (rate_id, rate_version), tiered.weighed AS tier_weighed,
        CASE WHEN usage.input_tokens > above THEN long_context ELSE ordinary END AS weights,
        CASE WHEN operation_type = 'image' OR for_model IS NOT NULL
            THEN regexp_replace(lower(coalesce(usage.model, '')), '^.*/', '') END AS bare_model
    FROM readings AS usage
    LEFT JOIN terms ON terms.settings_version = usage.settings_version
    LEFT JOIN rules ON rules.rate_id = usage.rate_id AND rules.rate_version = usage.rate_version
    LEFT JOIN tiered ON tiered.usage_id = usage.usage_id AND tiered.rate_id = usage.rate_id
        AND tiered.revision_no = usage.revision_no
), expected AS (
    SELECT *,
        CASE
            WHEN bare_model LIKE 'dall-e-3%' THEN image_generation_cost_dall_e_3
            WHEN bare_model LIKE 'dall-e-2%' THEN image_generation_cost_dall_e_2
            WHEN bare_model LIKE 'imagen%' OR (bare_model LIKE 'gemini%' AND contains(bare_model, 'image'))
                THEN image_generation_cost_google
        END AS image_cost,
        -- A policy of its settings lets it go: it failed, the gateway's cache answered, or the user cancelled it.
        (NOT success AND partial_error = 'free') OR (gateway_cache_hit AND cache_policy = 'free')
            OR (cancelled AND cancelled_stream = 'free') AS is_free,
        -- Exact: sums of tokens x weight with six decimals in 128 bits.
        CASE rule_type
            WHEN 'tiered' THEN tier_weighed
            WHEN 'multiplier' THEN total_tokens * weights[1]
            WHEN 'weighted' THEN
                (uncached - heard) * weights[1] + cache_read_tokens * weights[2] + cache_write_5m_tokens * weights[3]
                + cache_write_1h_tokens * weights[4] + heard * weights[5]
                + (told - spoken) * weights[6] + reasoning_tokens * weights[7] + spoken * weights[8]
        END AS weighed
    FROM (
        -- What is cached, heard or thought is taken out of what it is part of.
        SELECT *, input_tokens - cache_read_tokens - cache_write_5m_tokens - cache_write_1h_tokens AS uncached,
            least(audio_input_tokens, uncached) AS heard, output_tokens - reasoning_tokens AS told,
            least(audio_output_tokens, told) AS spoken
        FROM events
    )
), figures AS (
    SELECT *,
        CASE
            WHEN is_free THEN 0::HUGEINT
            WHEN per = 'block' THEN package_cost * ((total_tokens + package_tokens - 1) // package_tokens)
            WHEN fixed IS NOT NULL THEN fixed * CASE per WHEN 'image' THEN image_count ELSE 1 END
            ELSE ((weighed * 1000000)::HUGEINT + 999999) // 1000000
        END AS expected_tokens,
        -- What the rule says it is for. That no narrower one was, and whose call it was, is another check's.
        coalesce(
            list_contains(for_operations, operation_type)
            AND (rule_from IS NULL OR occurred_at >= rule_from)
            AND (for_account IS NULL OR for_account = account_id)
            AND (for_provider IS NULL OR for_provider = lower(provider))
            AND (for_size IS NULL OR for_size = lower(image_size))
            AND (for_quality IS NULL OR for_quality = lower(image_quality))
            AND (for_family IS NULL OR fixed = image_cost)
            AND (for_model IS NULL OR regexp_full_match(
                CASE WHEN contains(for_model, '/') THEN lower(model) ELSE bare_model END, model_pattern, 's')), false) AS is_meant
    FROM expected
)
SELECT usage_id, account_id, operation_type, model, total_tokens, image_count, billable_tokens, expected_tokens,
    settings_version, rate_id
FROM figures
WHERE NOT has_terms
   OR billable_tokens IS DISTINCT FROM expected_tokens
   OR (superseded_by IS NULL AND (occurred_at < effective_from
        OR (occurred_at >= effective_to AND recorded_at >= successor_known_at)))
   OR (NOT is_free AND rate_id IS NULL AND (operation_type <> 'image' OR image_cost IS NOT NULL))
   OR (rate_id IS NOT NULL AND NOT is_meant)
   OR charge_type IS DISTINCT FROM rule_type
   OR (rate_id = 'default_multiplier' AND multiplier IS DISTINCT FROM default_token_multiplier)
   OR (charge_type = 'multiplier' AND multiplier IS DISTINCT FROM weights[1])
   OR (charge_type = 'fixed' AND fixed_cost IS DISTINCT FROM coalesce(fixed, package_cost))
UNION ALL
SELECT usage_id, account_id, NULL, rate_id || ' ' || period, tokens, NULL, position, expected_position, NULL, rate_id
FROM (
    SELECT *, coalesce(lag(position + tokens) OVER month, 0) AS expected_position
    FROM books.tier_positions AS place
    --delta SEMI JOIN (SELECT DISTINCT account_id, rate_id, period FROM books.tier_positions WHERE posting_id = $posting_id) AS mine
    --delta USING (account_id, rate_id, period)
    WINDOW month AS (PARTITION BY account_id, rate_id, period ORDER BY position, tokens, posting_id, usage_id)
)
WHERE position <> expected_position
