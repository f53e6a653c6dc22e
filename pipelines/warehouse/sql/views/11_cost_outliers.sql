-- Calls whose reported cost is far from the cost computed from the provider's prices. Listed are differences of more
-- than one cent that are also more than a tenth of the computed cost; without a computed cost, reports above 1,000
-- dollars per million tokens, which is more than any provider charges.
CREATE OR REPLACE VIEW finance.cost_outliers AS
WITH compared AS (
    SELECT usage_id, account_id, occurred_at, operation_type, provider, model, input_tokens, output_tokens, image_count,
        success, reported_cost_nanousd, provider_cost_nanousd,
        reported_cost_nanousd - provider_cost_nanousd AS difference_nanousd, total_tokens, posting_id
    FROM books.usage_current
    WHERE reported_cost_nanousd IS NOT NULL
)
SELECT * EXCLUDE (total_tokens, posting_id),
    CASE
        WHEN reported_cost_nanousd < 0 THEN 'below_zero'
        WHEN provider_cost_nanousd IS NULL THEN 'implausible'
        WHEN reported_cost_nanousd = 0 THEN 'reported_as_free'
        WHEN reported_cost_nanousd // 10 >= provider_cost_nanousd THEN 'ten_times_above'
        WHEN provider_cost_nanousd // 10 >= reported_cost_nanousd THEN 'ten_times_below'
        WHEN difference_nanousd > 0 THEN 'above'
        ELSE 'below'
    END AS finding,
    posting_id
FROM compared
WHERE reported_cost_nanousd < 0 OR CASE
    WHEN provider_cost_nanousd IS NOT NULL
        THEN abs(difference_nanousd) > 10000000 AND abs(difference_nanousd) > provider_cost_nanousd // 10
    ELSE total_tokens > 0 AND reported_cost_nanousd // 1000000 > total_tokens
END;
