-- Every call was charged by the narrowest rule that stood in the price file at its posting, held when it happened and was meant for it, whosever it was; by the settings alone only where there was none.
WITH rules AS (
    -- The rules of the file. How narrow one is, key by key as a number; which operation it is for is a word where the rule
    -- states it, a list where it follows from the charge. Those that settings make come last and are proved elsewhere.
    SELECT rate_id, rate_version, effective_from, match ->> '$.account' AS for_account,
        match ->> '$.workspace' AS for_workspace, match ->> '$.plan' AS for_plan,
        lower(match ->> '$.provider') AS for_provider, lower(match ->> '$.model') AS for_model,
        lower(match ->> '$.image_size') AS for_size, lower(match ->> '$.image_quality') AS for_quality,
        json_type(match, '$.operation') = 'VARCHAR' AS says_operation,
        CASE WHEN says_operation THEN [match ->> '$.operation']
            ELSE from_json(match -> '$.operation', '["VARCHAR"]') END AS for_operations,
        replace(replace(regexp_escape(for_model), '\*', '.*'), '\?', '.') AS model_pattern,
        CASE WHEN for_account IS NULL THEN 0 ELSE 192 END + CASE WHEN for_workspace IS NULL THEN 0 ELSE 96 END
        + CASE WHEN for_plan IS NULL THEN 0 ELSE 48 END
        + CASE WHEN for_model IS NULL THEN 0 WHEN contains(for_model, '*') OR contains(for_model, '?') THEN 16 ELSE 32 END
        + CASE WHEN for_provider IS NULL THEN 0 ELSE 8 END + CASE WHEN says_operation THEN 4 ELSE 0 END
        + CASE WHEN for_size IS NULL THEN 0 ELSE 2 END + CASE WHEN for_quality IS NULL THEN 0 ELSE 1 END AS narrowness
    FROM books.rates
    WHERE (match ->> '$.image_family') IS NULL AND rate_id <> 'default_multiplier'
), standing AS (
    -- From which posting until before which the file held a rule, and until when the rule held as the file said then.
    SELECT rules.*, state.effective_to, state.posting_id AS known_from, state.known_until
    FROM rules
    JOIN (
        SELECT *, coalesce(lead(posting_id) OVER (PARTITION BY rate_id, rate_version ORDER BY posting_id),
            9223372036854775807) AS known_until
        FROM books.rate_states
    ) AS state USING (rate_id, rate_version)
    WHERE state.is_in_file
), calls AS (
    -- A call that a policy lets go has no rule; one that its month's total priced again keeps the rule it had.
    SELECT usage_id, 0 AS revision_no, account_id, operation_type, provider, model, image_size, image_quality, rate_id,
        rate_version, billable_tokens, occurred_at, posting_id
    FROM books.token_usage
    WHERE (rate_id IS NOT NULL OR billable_tokens IS NULL) --delta AND posting_id = $posting_id
    UNION ALL
    SELECT usage_id, revision_no, account_id, operation_type, provider, model, image_size, image_quality, rate_id,
        rate_version, billable_tokens, occurred_at, posting_id
    FROM books.usage_revisions
    WHERE (rate_id IS NOT NULL OR billable_tokens IS NULL) AND revision_reason <> 'trued_up' --delta AND posting_id = $posting_id
), products AS (
    SELECT DISTINCT operation_type, provider, model, image_size, image_quality,
        regexp_replace(lower(model), '^.*/', '') AS bare_model
    FROM calls
), fitting AS (
    -- Which rules are for which products. An image model of no family must be named.
    SELECT product.operation_type, product.provider, product.model, product.image_size, product.image_quality, rule.*
    FROM products AS product
    JOIN standing AS rule
        ON list_contains(rule.for_operations, product.operation_type)
        AND (rule.for_provider IS NULL OR rule.for_provider = lower(product.provider))
        AND (rule.for_size IS NULL OR rule.for_size = lower(product.image_size))
        AND (rule.for_quality IS NULL OR rule.for_quality = lower(product.image_quality))
        AND CASE WHEN rule.for_model IS NOT NULL THEN regexp_full_match(
                CASE WHEN contains(rule.for_model, '/') THEN lower(product.model) ELSE product.bare_model END,
                rule.model_pattern, 's')
            ELSE product.operation_type <> 'image' OR product.bare_model LIKE 'dall-e-3%'
                OR product.bare_model LIKE 'dall-e-2%' OR product.bare_model LIKE 'imagen%'
                OR (product.bare_model LIKE 'gemini%' AND contains(product.bare_model, 'image')) END
), owned AS (
    -- Whose a call was: the version of its account in force when it happened, of those known at its posting.
    SELECT call.usage_id, call.revision_no, version.workspace_id, version.plan
    FROM calls AS call
    JOIN books.account_versions AS version
        ON version.account_id = call.account_id AND version.posting_id <= call.posting_id
    WHERE call.account_id IN (
        SELECT account_id FROM books.account_versions
        WHERE workspace_id IN (SELECT for_workspace FROM rules) OR plan IN (SELECT for_plan FROM rules))
    QUALIFY row_number() OVER (
        PARTITION BY call.usage_id, call.revision_no
        ORDER BY version.updated_at <= call.occurred_at DESC,
            CASE WHEN version.updated_at <= call.occurred_at THEN version.updated_at END DESC, version.updated_at,
            version.created_at DESC, version.file_id DESC NULLS LAST, version.line_no DESC NULLS LAST) = 1
), charged AS (
    SELECT call.*, owned.workspace_id, owned.plan, coalesce(own.narrowness, -1) AS narrowness,
        own.rate_id IS NOT NULL AS is_of_file
    FROM calls AS call
    LEFT JOIN owned ON owned.usage_id = call.usage_id AND owned.revision_no = call.revision_no
    LEFT JOIN rules AS own ON own.rate_id = call.rate_id AND own.rate_version = call.rate_version
), narrower AS (
    -- Joined by the narrowest word of a rule, so that a thousand customers' rules are not tried on every call.
    SELECT call.usage_id, call.revision_no, rule.rate_id AS narrower_rate_id, rule.* EXCLUDE (rate_id)
    FROM charged AS call
    JOIN fitting AS rule ON rule.for_account = call.account_id AND rule.operation_type = call.operation_type
        AND rule.provider IS NOT DISTINCT FROM call.provider AND rule.model IS NOT DISTINCT FROM call.model
        AND rule.image_size IS NOT DISTINCT FROM call.image_size
        AND rule.image_quality IS NOT DISTINCT FROM call.image_quality
        AND rule.narrowness > call.narrowness
    UNION ALL
    SELECT call.usage_id, call.revision_no, rule.rate_id, rule.* EXCLUDE (rate_id)
    FROM charged AS call
    JOIN fitting AS rule ON rule.for_account IS NULL AND rule.for_workspace = call.workspace_id
        AND rule.operation_type = call.operation_type
        AND rule.provider IS NOT DISTINCT FROM call.provider AND rule.model IS NOT DISTINCT FROM call.model
        AND rule.image_size IS NOT DISTINCT FROM call.image_size
        AND rule.image_quality IS NOT DISTINCT FROM call.image_quality
        AND rule.narrowness > call.narrowness
    UNION ALL
    SELECT call.usage_id, call.revision_no, rule.rate_id, rule.* EXCLUDE (rate_id)
    FROM charged AS call
    JOIN fitting AS rule ON rule.for_account IS NULL AND rule.for_workspace IS NULL
        AND rule.operation_type = call.operation_type
        AND rule.provider IS NOT DISTINCT FROM call.provider AND rule.model IS NOT DISTINCT FROM call.model
        AND rule.image_size IS NOT DISTINCT FROM call.image_size
        AND rule.image_quality IS NOT DISTINCT FROM call.image_quality
        AND rule.narrowness > call.narrowness
)
SELECT call.usage_id, call.account_id, call.workspace_id, call.plan, call.operation_type, call.model, call.occurred_at,
    call.rate_id, rule.narrower_rate_id, 'a narrower rule was in force' AS defect
FROM charged AS call
JOIN narrower AS rule ON rule.usage_id = call.usage_id AND rule.revision_no = call.revision_no
WHERE (rule.for_workspace IS NULL OR rule.for_workspace = call.workspace_id)
    AND (rule.for_plan IS NULL OR rule.for_plan = call.plan)
    AND (rule.effective_from IS NULL OR call.occurred_at >= rule.effective_from)
    AND (rule.effective_to IS NULL OR call.occurred_at < rule.effective_to)
    AND call.posting_id >= rule.known_from AND call.posting_id < rule.known_until
UNION ALL
SELECT call.usage_id, call.account_id, call.workspace_id, call.plan, call.operation_type, call.model, call.occurred_at,
    call.rate_id, NULL, 'its rule was not in force for it'
FROM charged AS call
LEFT JOIN standing AS own
    ON own.rate_id = call.rate_id AND own.rate_version = call.rate_version
    AND call.posting_id >= own.known_from AND call.posting_id < own.known_until
WHERE call.is_of_file AND (own.rate_id IS NULL
    OR (own.for_account IS NOT NULL AND own.for_account <> call.account_id)
    OR (own.for_workspace IS NOT NULL AND own.for_workspace IS DISTINCT FROM call.workspace_id)
    OR (own.for_plan IS NOT NULL AND own.for_plan IS DISTINCT FROM call.plan)
    OR (own.effective_from IS NOT NULL AND call.occurred_at < own.effective_from)
    OR (own.effective_to IS NOT NULL AND call.occurred_at >= own.effective_to))
