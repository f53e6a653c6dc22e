-- What each model cost at its provider beside the tokens billed for it, by UTC day.
CREATE OR REPLACE VIEW finance.costs_daily AS
SELECT occurred_at::DATE AS day, provider, model, count(*) AS calls,
    count(*) FILTER (provider_cost_nanousd IS NULL) AS uncosted_calls,
    sum(input_tokens)::BIGINT AS input_tokens, sum(output_tokens)::BIGINT AS output_tokens,
    sum(image_count)::BIGINT AS image_count, sum(billable_tokens)::BIGINT AS billable_tokens,
    sum(provider_cost_nanousd)::BIGINT AS provider_cost_nanousd
FROM books.usage_current
GROUP BY ALL;
