-- The events of this posting with their price. They come in the order of their files, near enough for zone maps;
-- a sort of millions of wide rows would cost more than everything else here.
INSERT INTO books.token_usage BY NAME
SELECT
    rated.usage_id, usage.event_key, usage.account_id, usage.user_id, usage.workspace_id, usage.project_id,
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
WHERE usage.disposition = 'accepted' AND NOT usage.supersedes;
