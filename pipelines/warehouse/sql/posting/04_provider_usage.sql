-- Buckets that providers report, in the order in which they were delivered: the last of a bucket stands.
INSERT INTO books.provider_usage BY NAME
SELECT provider, report, bucket_start, bucket_end, bucket_start::DATE AS usage_date, model, input_tokens, output_tokens,
    cache_read_tokens, cache_write_tokens, audio_input_tokens, audio_output_tokens, image_count, requests, cost_nanousd,
    project_id, workspace_id, user_id, api_key_id, service_tier, line_item, source, event_key AS bucket_key,
    $recorded_at AS recorded_at, file_id, line_no, record_no, $posting_id AS posting_id
FROM classified_provider_usage
WHERE reason = 'aggregate'
ORDER BY file_id, line_no, record_no;
