-- Calls of a month under volume tiers that is over: each is brought to the tier of the month's total.
INSERT INTO revised_usage BY NAME
SELECT
    rated.row_id, call.usage_id, call.revision_no + 1 AS revision_no, call.account_id, call.original_at AS occurred_at,
    CASE WHEN call.ever_billed THEN 'correction' ELSE 'usage' END AS transaction_type,
    CASE WHEN call.ever_billed
        THEN derived_id(call.original_at, 'correction', call.usage_transaction_id::VARCHAR || ':' || (call.revision_no + 1))
        ELSE call.usage_transaction_id END AS transaction_id,
    CASE WHEN call.ever_billed THEN call.usage_transaction_id END AS corrects_transaction_id,
    call.billable_tokens - rated.billable_tokens AS token_amount, 0 AS actual_tokens, 'trued_up' AS revision_reason
FROM usage_rated AS rated
JOIN month_calls AS call USING (row_id);

INSERT INTO books.usage_revisions BY NAME
SELECT
    call.* EXCLUDE (row_id, period, position, usage_transaction_id, original_at, ever_billed) REPLACE (
        call.revision_no + 1 AS revision_no, rated.billable_tokens AS billable_tokens,
        ppm_decimal(rated.multiplier_ppm) AS multiplier, $recorded_at AS recorded_at, $posting_id AS posting_id,
        $billing_date AS billing_date),
    'trued_up' AS revision_reason
FROM month_calls AS call
JOIN usage_rated AS rated USING (row_id)
ORDER BY row_id DESC;
