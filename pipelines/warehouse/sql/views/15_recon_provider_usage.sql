-- Calls of the books against the provider's own usage report, by UTC day, provider and model, where there is a report.
CREATE OR REPLACE VIEW recon.provider_usage AS
WITH reported AS (
    SELECT usage_date, provider, lower(model) AS model, sum(input_tokens)::BIGINT AS input_tokens,
        sum(output_tokens)::BIGINT AS output_tokens, sum(image_count)::BIGINT AS image_count, sum(requests)::BIGINT AS requests
    FROM books.provider_usage_daily WHERE model IS NOT NULL GROUP BY ALL
), booked AS (
    SELECT timezone('UTC', occurred_at)::DATE AS usage_date, lower(provider) AS provider,
        regexp_replace(lower(coalesce(model, '')), '^.*/', '') AS model, sum(input_tokens)::BIGINT AS input_tokens,
        sum(output_tokens)::BIGINT AS output_tokens, sum(image_count)::BIGINT AS image_count, count(*) AS requests,
        count(*) FILTER (NOT success) AS failed_requests
    FROM books.usage_current
    WHERE (timezone('UTC', occurred_at)::DATE, lower(provider)) IN (SELECT (usage_date, provider) FROM reported)
    GROUP BY ALL
)
SELECT coalesce(reported.usage_date, booked.usage_date) AS usage_date, coalesce(reported.provider, booked.provider) AS provider,
    coalesce(reported.model, booked.model) AS model,
    coalesce(reported.input_tokens, 0) AS reported_input_tokens, coalesce(booked.input_tokens, 0) AS books_input_tokens,
    coalesce(reported.output_tokens, 0) AS reported_output_tokens, coalesce(booked.output_tokens, 0) AS books_output_tokens,
    reported.requests AS reported_requests, coalesce(booked.requests, 0) AS books_requests,
    coalesce(booked.failed_requests, 0) AS failed_requests,
    CASE
        WHEN booked.model IS NULL THEN 'not in the books'
        WHEN reported.model IS NULL THEN 'not in the report'
        WHEN coalesce(reported.input_tokens, 0) = booked.input_tokens AND coalesce(reported.output_tokens, 0) = booked.output_tokens THEN 'equal'
        WHEN coalesce(reported.input_tokens, 0) >= booked.input_tokens AND coalesce(reported.output_tokens, 0) >= booked.output_tokens THEN 'calls missing in the books'
        WHEN coalesce(reported.input_tokens, 0) <= booked.input_tokens AND coalesce(reported.output_tokens, 0) <= booked.output_tokens THEN 'more in the books'
        ELSE 'counted differently'
    END AS finding
FROM reported FULL JOIN booked USING (usage_date, provider, model);
