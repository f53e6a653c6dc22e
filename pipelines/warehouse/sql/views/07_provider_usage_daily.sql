-- Usage by day and model as the providers report it.
CREATE OR REPLACE VIEW books.provider_usage_daily AS
SELECT usage_date, provider, model, source,
    sum(input_tokens)::BIGINT AS input_tokens, sum(output_tokens)::BIGINT AS output_tokens,
    sum(cache_read_tokens)::BIGINT AS cache_read_tokens, sum(cache_write_tokens)::BIGINT AS cache_write_tokens,
    sum(image_count)::BIGINT AS image_count, sum(requests)::BIGINT AS requests,
    sum(cost_nanousd)::BIGINT AS cost_nanousd
FROM books.provider_usage_current
GROUP BY usage_date, provider, model, source;
