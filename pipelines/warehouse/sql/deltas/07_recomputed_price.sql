WITH terms AS (
    -- A version ends for what was posted once its successor was known; one entered later for a past date binds no one before.
    SELECT own.*, next.updated_at AS successor_known_at
    FROM books.system_settings AS own
    LEFT JOIN books.system_settings AS next ON next.superseded_by IS NULL AND next.effective_from = own.effective_to
    QUALIFY row_number() OVER (PARTITION BY own.settings_version ORDER BY own.superseded_by NULLS FIRST) = 1
), events AS (
    SELECT usage.*, terms.partial_error, terms.gateway_cache_hit, terms.cancelled_stream,
        terms.default_token_multiplier, terms.image_generation_cost_dall_e_3, terms.image_generation_cost_dall_e_2,
        terms.image_generation_cost_google, terms.effective_from, terms.effective_to, terms.superseded_by, terms.successor_known_at,
        terms.settings_version IS NOT NULL AS has_terms,
        CASE WHEN usage.operation_type = 'image' THEN regexp_replace(lower(coalesce(usage.model, '')), '^.*/', '') END
            AS bare_model
    FROM (
        SELECT * FROM books.token_usage WHERE posting_id = $posting_id
        UNION ALL BY NAME SELECT * EXCLUDE (revision_no, revision_reason) FROM books.usage_revisions WHERE posting_id = $posting_id
    ) AS usage
    LEFT JOIN terms ON terms.settings_version = usage.settings_version
), expected AS (
    SELECT *,
        CASE
            WHEN bare_model LIKE 'dall-e-3%' THEN image_generation_cost_dall_e_3
            WHEN bare_model LIKE 'dall-e-2%' THEN image_generation_cost_dall_e_2
            WHEN bare_model LIKE 'imagen%' OR (bare_model LIKE 'gemini%' AND contains(bare_model, 'image'))
                THEN image_generation_cost_google
        END AS image_cost,
        -- A free call names no rate: it failed, or a policy of its settings lets gateway hits or cancelled streams go.
        (NOT success AND partial_error = 'free')
            OR (rate_id IS NULL AND charge_type IS NULL AND billable_tokens = 0
                AND (gateway_cache_hit = 'free' OR cancelled_stream = 'free')) AS is_free
    FROM events
), figures AS (
    SELECT *,
        CASE
            WHEN is_free THEN 0::HUGEINT
            WHEN operation_type = 'image' THEN image_count::HUGEINT * image_cost
            -- ceil(total x multiplier) in 128-bit integers: the multiplier has six decimals.
            ELSE (total_tokens::HUGEINT * (default_token_multiplier * 1000000)::HUGEINT + 999999) // 1000000
        END AS expected_tokens
    FROM expected
)
SELECT usage_id, account_id, operation_type, model, total_tokens, image_count, billable_tokens, expected_tokens,
    settings_version, rate_id
FROM figures
WHERE NOT has_terms
   OR billable_tokens IS DISTINCT FROM expected_tokens
   OR (superseded_by IS NULL AND (occurred_at < effective_from
        OR (occurred_at >= effective_to AND recorded_at >= successor_known_at)))
   OR (NOT is_free AND operation_type <> 'image' AND multiplier IS DISTINCT FROM default_token_multiplier)
   OR (NOT is_free AND operation_type = 'image' AND fixed_cost IS DISTINCT FROM image_cost)
