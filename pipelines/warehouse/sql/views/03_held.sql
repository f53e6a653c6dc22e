-- Calls that no rule prices yet: kept, valued and reported, not billed.
CREATE OR REPLACE VIEW finance.held AS
SELECT usage_id, account_id, occurred_at, operation_type, provider, model, image_count, image_size, image_quality,
    total_tokens, reported_billable_tokens, reported_cost_nanousd, posting_id
FROM books.usage_current
WHERE billable_tokens IS NULL;
