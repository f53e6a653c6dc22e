-- Held calls that a new rule prices: each enters the ledger once, as the usage row it never had.
INSERT INTO revised_usage BY NAME
SELECT
    rated.row_id, rated.usage_id, held.revision_no + 1 AS revision_no, rated.account_id, rated.occurred_at,
    'usage' AS transaction_type, rated.transaction_id, NULL::UUID AS corrects_transaction_id,
    -rated.billable_tokens AS token_amount, 0 AS actual_tokens, 'priced' AS revision_reason
FROM usage_rated AS rated
JOIN held_calls AS held USING (row_id)
WHERE rated.billable_tokens IS NOT NULL;

INSERT INTO books.usage_revisions BY NAME
SELECT
    held.* EXCLUDE (row_id) REPLACE (
        held.revision_no + 1 AS revision_no, 'priced' AS revision_reason, rated.billable_tokens AS billable_tokens,
        rated.charge_type AS charge_type, ppm_decimal(rated.multiplier_ppm) AS multiplier,
        rated.fixed_cost AS fixed_cost, rated.rate_id AS rate_id, rated.rate_version AS rate_version,
        rated.settings_version AS settings_version, $recorded_at AS recorded_at, $posting_id AS posting_id,
        $billing_date AS billing_date)
FROM held_calls AS held
JOIN usage_rated AS rated USING (row_id)
WHERE rated.billable_tokens IS NOT NULL
ORDER BY row_id DESC;
