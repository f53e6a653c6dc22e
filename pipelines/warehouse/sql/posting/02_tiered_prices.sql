UPDATE usage_rated AS rated SET
    billable_tokens = priced.billable_tokens, multiplier_ppm = priced.multiplier_ppm,
    rating_reason = priced.rating_reason
FROM tiered_prices AS priced
WHERE rated.row_id = priced.row_id;

-- A call of before whose month came to another tier than it was billed at.
INSERT INTO usage_rated BY NAME
SELECT call.row_id, call.account_id, call.original_at AS occurred_at, true AS supersedes, call.usage_id,
    call.usage_transaction_id AS transaction_id, call.settings_version, call.rate_id, call.rate_version,
    call.charge_type, priced.multiplier_ppm, priced.billable_tokens, priced.rating_reason, call.total_tokens
FROM month_calls AS call
JOIN tiered_prices AS priced USING (row_id)
WHERE priced.billable_tokens <> call.billable_tokens;

INSERT INTO books.tier_positions BY NAME
SELECT call.usage_id, call.account_id, call.rate_id, call.period, priced.position, call.total_tokens AS tokens,
    $posting_id AS posting_id
FROM tiered_calls AS call
JOIN tiered_prices AS priced USING (row_id)
WHERE call.known_position IS NULL
ORDER BY call.account_id, call.rate_id, call.period, priced.position, call.usage_id;
