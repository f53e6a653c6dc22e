-- The temporary tables of one posting's intake. Every framed record is one row of exactly one classified_* table.
CREATE OR REPLACE TEMP TABLE classified_usage (
    row_id BIGINT, source VARCHAR, file_id BIGINT, line_no BIGINT, record_no INTEGER,
    disposition VARCHAR, reason VARCHAR, detail VARCHAR, event_key BLOB, version DECIMAL(38, 9), supersedes BOOLEAN,
    account_id VARCHAR, user_id VARCHAR, workspace_id VARCHAR, project_id VARCHAR, content_piece_id VARCHAR,
    operation_type VARCHAR, provider VARCHAR, model VARCHAR,
    input_tokens BIGINT, output_tokens BIGINT, total_tokens BIGINT, cache_read_tokens BIGINT,
    cache_write_5m_tokens BIGINT, cache_write_1h_tokens BIGINT, reasoning_tokens BIGINT,
    audio_input_tokens BIGINT, audio_output_tokens BIGINT, image_input_tokens BIGINT, image_output_tokens BIGINT,
    image_count BIGINT, image_size VARCHAR, image_quality VARCHAR, service_tier VARCHAR,
    reported_billable_tokens BIGINT, reported_cost_nanousd BIGINT,
    success BOOLEAN, gateway_cache_hit BOOLEAN, cancelled BOOLEAN, error_message VARCHAR, request_metadata JSON,
    occurred_at TIMESTAMPTZ, retried BOOLEAN
);

-- Records of sources with versions, before the fields of one event's versions are put together.
CREATE OR REPLACE TEMP TABLE pending_versions (
    row_id BIGINT, source VARCHAR, file_id BIGINT, line_no BIGINT, record_no INTEGER, is_blank BOOLEAN,
    reason VARCHAR, detail VARCHAR, event_key BLOB, version DECIMAL(38, 9),
    account_id VARCHAR, user_id VARCHAR, workspace_id VARCHAR, project_id VARCHAR, content_piece_id VARCHAR,
    operation_type VARCHAR, provider VARCHAR, model VARCHAR,
    input_tokens BIGINT, output_tokens BIGINT, cache_read_tokens BIGINT, cache_write_tokens BIGINT,
    cache_write_5m_tokens BIGINT, cache_write_1h_tokens BIGINT, reasoning_tokens BIGINT,
    audio_input_tokens BIGINT, audio_output_tokens BIGINT, image_input_tokens BIGINT, image_output_tokens BIGINT,
    image_count BIGINT, image_size VARCHAR, image_quality VARCHAR, service_tier VARCHAR,
    reported_billable_tokens BIGINT, reported_cost_nanousd BIGINT,
    success BOOLEAN, gateway_cache_hit BOOLEAN, cancelled BOOLEAN, error_message VARCHAR, request_metadata JSON,
    occurred_at TIMESTAMPTZ, input_convention VARCHAR, output_convention VARCHAR, writes_in_all BOOLEAN,
    required VARCHAR, cost_unread BOOLEAN, retried BOOLEAN
);

CREATE OR REPLACE TEMP TABLE classified_credits (
    row_id BIGINT, source VARCHAR, file_id BIGINT, line_no BIGINT, record_no INTEGER,
    disposition VARCHAR, reason VARCHAR, detail VARCHAR, event_key BLOB,
    credit_id VARCHAR, account_id VARCHAR, transaction_type VARCHAR, token_amount BIGINT, amount_cents BIGINT,
    currency VARCHAR, package_id VARCHAR, stripe_payment_intent_id VARCHAR, stripe_charge_id VARCHAR,
    stripe_refund_id VARCHAR, admin_user_id VARCHAR, occurred_at TIMESTAMPTZ, effective_at TIMESTAMPTZ,
    expires_at TIMESTAMPTZ, priority INTEGER, tax_cents BIGINT, discount_cents BIGINT, settled_by VARCHAR,
    source_credit_id VARCHAR, description VARCHAR, is_welcome BOOLEAN, retried BOOLEAN
);

CREATE OR REPLACE TEMP TABLE classified_accounts (
    row_id BIGINT, source VARCHAR, file_id BIGINT, line_no BIGINT, record_no INTEGER,
    disposition VARCHAR, reason VARCHAR, detail VARCHAR, event_key BLOB,
    account_id VARCHAR, user_id VARCHAR, workspace_id VARCHAR, plan VARCHAR, currency VARCHAR, status VARCHAR,
    auto_recharge_enabled BOOLEAN, auto_recharge_threshold BIGINT, auto_recharge_amount BIGINT,
    stripe_customer_id VARCHAR, default_payment_method_id VARCHAR, created_at TIMESTAMPTZ, updated_at TIMESTAMPTZ,
    reported_balance BIGINT, retried BOOLEAN
);

CREATE OR REPLACE TEMP TABLE classified_provider_usage (
    row_id BIGINT, source VARCHAR, file_id BIGINT, line_no BIGINT, record_no INTEGER,
    disposition VARCHAR, reason VARCHAR, detail VARCHAR, event_key BLOB, account_id VARCHAR,
    bucket_start TIMESTAMPTZ, bucket_end TIMESTAMPTZ, provider VARCHAR, report VARCHAR, model VARCHAR,
    project_id VARCHAR, workspace_id VARCHAR, user_id VARCHAR, api_key_id VARCHAR, service_tier VARCHAR,
    line_item VARCHAR, input_tokens BIGINT, output_tokens BIGINT, cache_read_tokens BIGINT, cache_write_tokens BIGINT,
    audio_input_tokens BIGINT, audio_output_tokens BIGINT, image_count BIGINT, requests BIGINT, cost_nanousd BIGINT,
    retried BOOLEAN
);

CREATE OR REPLACE TEMP TABLE quarantined_records (
    file_id BIGINT, line_no BIGINT, record_no INTEGER, source VARCHAR, kind VARCHAR, reason VARCHAR, detail VARCHAR,
    account_id VARCHAR, event_key BLOB, line_sha256 BLOB, parsed JSON, raw BLOB
);

CREATE OR REPLACE TEMP TABLE disposition_transitions (
    file_id BIGINT, line_no BIGINT, record_no INTEGER, disposition VARCHAR, reason VARCHAR,
    previous_disposition VARCHAR, event_key BLOB
);

CREATE OR REPLACE TEMP TABLE known_accounts (account_id VARCHAR);
