UPDATE usage_rated AS rated SET
    billable_tokens = priced.billable_tokens, multiplier_ppm = priced.multiplier_ppm,
    rating_reason = priced.rating_reason
FROM tiered_prices AS priced
WHERE rated.row_id = priced.row_id;

INSERT INTO books.tier_positions BY NAME
SELECT call.usage_id, call.account_id, call.rate_id, call.period, priced.position, call.total_tokens AS tokens,
    $posting_id AS posting_id
FROM tiered_calls AS call
JOIN tiered_prices AS priced USING (row_id)
WHERE call.known_position IS NULL
ORDER BY call.account_id, call.rate_id, call.period, priced.position, call.usage_id;
