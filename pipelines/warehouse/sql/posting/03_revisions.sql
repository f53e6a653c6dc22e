-- A later version of a posted event: what it says now beside what the ledger holds for it.
CREATE OR REPLACE TEMP TABLE posted_figures AS
SELECT
    original.usage_id, original.event_key, original.occurred_at AS original_at,
    coalesce(latest.revision_no, 0) AS revision_no,
    CASE WHEN latest.usage_id IS NULL THEN original.billable_tokens ELSE latest.billable_tokens END AS billable_tokens,
    CASE WHEN latest.usage_id IS NULL THEN original.success ELSE latest.success END AS success,
    CASE WHEN latest.usage_id IS NULL THEN original.total_tokens ELSE latest.total_tokens END AS total_tokens,
    original.billable_tokens > 0 OR coalesce(latest.ever_billed, false) AS ever_billed
FROM books.token_usage AS original
SEMI JOIN (SELECT event_key FROM classified_usage WHERE supersedes) AS revised USING (event_key)
LEFT JOIN (
    SELECT usage_id, max(revision_no) AS revision_no, bool_or(billable_tokens > 0) AS ever_billed,
        arg_max({'billable': billable_tokens}, revision_no).billable AS billable_tokens,
        arg_max(success, revision_no) AS success, arg_max(total_tokens, revision_no) AS total_tokens
    FROM books.usage_revisions
    GROUP BY usage_id
) AS latest USING (usage_id);

CREATE OR REPLACE TEMP TABLE revised_usage AS
SELECT
    usage.row_id, posted.usage_id, posted.revision_no + 1 AS revision_no, usage.account_id,
    posted.original_at AS occurred_at,
    derived_id_of_hex(posted.original_at, 'usage', hex(usage.event_key)) AS usage_transaction_id,
    CASE WHEN posted.ever_billed THEN 'correction' ELSE 'usage' END AS transaction_type,
    CASE WHEN posted.ever_billed
        THEN derived_id(posted.original_at, 'correction', usage_transaction_id::VARCHAR || ':' || (posted.revision_no + 1))
        ELSE usage_transaction_id END AS transaction_id,
    CASE WHEN posted.ever_billed THEN usage_transaction_id END AS corrects_transaction_id,
    coalesce(posted.billable_tokens, 0) - coalesce(rated.billable_tokens, 0) AS token_amount,
    CASE WHEN usage.success THEN usage.total_tokens ELSE 0 END
        - CASE WHEN posted.success THEN posted.total_tokens ELSE 0 END AS actual_tokens,
    'superseded' AS revision_reason
FROM classified_usage AS usage
JOIN usage_rated AS rated USING (row_id)
JOIN posted_figures AS posted USING (event_key)
WHERE usage.disposition = 'accepted' AND usage.supersedes;

INSERT INTO books.usage_revisions BY NAME
SELECT
    revised.revision_no, revised.revision_reason,
    revised.usage_id, usage.event_key, usage.account_id, usage.user_id, usage.workspace_id, usage.project_id,
    usage.content_piece_id, usage.operation_type, usage.provider, usage.model, usage.input_tokens, usage.output_tokens,
    usage.total_tokens, usage.cache_read_tokens, usage.cache_write_5m_tokens, usage.cache_write_1h_tokens,
    usage.reasoning_tokens, usage.audio_input_tokens, usage.audio_output_tokens, usage.image_input_tokens,
    usage.image_output_tokens, usage.image_count, usage.image_size, usage.image_quality, usage.service_tier,
    rated.billable_tokens, rated.charge_type, ppm_decimal(rated.multiplier_ppm) AS multiplier, rated.fixed_cost, rated.rate_id,
    rated.rate_version, rated.settings_version, usage.reported_billable_tokens, usage.reported_cost_nanousd,
    usage.provider_cost_nanousd, usage.success, usage.gateway_cache_hit, usage.cancelled,
    usage.error_message, usage.request_metadata, usage.occurred_at,
    $recorded_at AS recorded_at, $posting_id AS posting_id, usage.file_id, usage.line_no, usage.record_no,
    $billing_date AS billing_date
FROM costed_usage AS usage
JOIN usage_rated AS rated USING (row_id)
JOIN revised_usage AS revised USING (row_id)
ORDER BY row_id;
