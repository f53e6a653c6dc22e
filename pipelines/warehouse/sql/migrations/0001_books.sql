-- The spine: audit trail, the five tables of the books, the token lots.
-- Times are TIMESTAMPTZ in UTC, tokens BIGINT, money BIGINT minor units beside a currency. No DOUBLE anywhere.
-- Big tables carry no key: dedup and a check view prove uniqueness. Small tables do.

CREATE SCHEMA audit;
CREATE SCHEMA books;
CREATE SCHEMA finance;
CREATE SCHEMA checks;

CREATE TABLE audit.postings (
    posting_id BIGINT PRIMARY KEY,
    billing_date DATE NOT NULL,
    recorded_at TIMESTAMPTZ NOT NULL,
    intent_hash VARCHAR NOT NULL,
    kind VARCHAR NOT NULL,
    files BIGINT NOT NULL,
    received BIGINT NOT NULL,
    accepted BIGINT NOT NULL,
    duplicate BIGINT NOT NULL,
    superseded BIGINT NOT NULL,
    conflict BIGINT NOT NULL,
    ignored BIGINT NOT NULL,
    quarantined BIGINT NOT NULL,
    blank BIGINT NOT NULL,
    usage_rows BIGINT NOT NULL,
    ledger_rows BIGINT NOT NULL,
    held_rows BIGINT NOT NULL,
    tokens_billed BIGINT NOT NULL,
    tokens_credited BIGINT NOT NULL,
    admin_seq BIGINT NOT NULL,
    code_version VARCHAR NOT NULL,
    previous_head VARCHAR NOT NULL,
    head VARCHAR NOT NULL,
    CHECK (received = accepted + duplicate + superseded + conflict + ignored + quarantined + blank)
);

CREATE TABLE audit.blocks (
    posting_id BIGINT NOT NULL,
    table_name VARCHAR NOT NULL,
    block_no BIGINT NOT NULL,
    row_count BIGINT NOT NULL,
    hash_version INTEGER NOT NULL,
    sha256 VARCHAR NOT NULL,
    PRIMARY KEY (posting_id, table_name, block_no)
);

CREATE TABLE audit.usage_files (
    file_id BIGINT PRIMARY KEY,
    source VARCHAR NOT NULL,
    kind VARCHAR NOT NULL CHECK (kind IN ('usage', 'credits', 'accounts', 'provider_usage')),
    path VARCHAR NOT NULL,
    sha256 VARCHAR NOT NULL,
    size_bytes BIGINT NOT NULL,
    byte_from BIGINT NOT NULL,
    continues_file_id BIGINT,
    profile VARCHAR,
    profile_sha256 VARCHAR,
    file_date DATE NOT NULL,
    outcome VARCHAR NOT NULL CHECK (outcome IN ('taken', 'duplicate', 'refused')),
    reason VARCHAR,
    first_line BIGINT NOT NULL,
    last_line BIGINT NOT NULL,
    received BIGINT NOT NULL,
    accepted BIGINT NOT NULL,
    duplicate BIGINT NOT NULL,
    superseded BIGINT NOT NULL,
    conflict BIGINT NOT NULL,
    ignored BIGINT NOT NULL,
    quarantined BIGINT NOT NULL,
    blank BIGINT NOT NULL,
    posting_id BIGINT NOT NULL,
    CHECK (received = accepted + duplicate + superseded + conflict + ignored + quarantined + blank)
);

CREATE TABLE audit.line_dispositions (
    file_id BIGINT NOT NULL,
    line_no BIGINT NOT NULL,
    record_no INTEGER NOT NULL,
    disposition VARCHAR NOT NULL,
    reason VARCHAR,
    previous_disposition VARCHAR,
    event_key BLOB,
    posting_id BIGINT NOT NULL
);

CREATE TABLE audit.quarantine (
    file_id BIGINT NOT NULL,
    line_no BIGINT NOT NULL,
    record_no INTEGER NOT NULL,
    source VARCHAR NOT NULL,
    kind VARCHAR NOT NULL,
    reason VARCHAR NOT NULL,
    detail VARCHAR,
    account_id VARCHAR,
    event_key BLOB,
    line_sha256 BLOB NOT NULL,
    parsed JSON,
    posting_id BIGINT NOT NULL
);

CREATE TABLE audit.admin_actions (
    seq BIGINT PRIMARY KEY,
    entry_id VARCHAR NOT NULL,
    occurred_at TIMESTAMPTZ NOT NULL,
    actor VARCHAR NOT NULL,
    action VARCHAR NOT NULL,
    account_id VARCHAR,
    token_amount BIGINT,
    reason VARCHAR NOT NULL,
    entry_hash VARCHAR NOT NULL,
    posting_id BIGINT NOT NULL
);

CREATE TABLE audit.check_results (
    posting_id BIGINT NOT NULL,
    check_name VARCHAR NOT NULL,
    failing_rows BIGINT NOT NULL
);

CREATE TABLE audit.verifications (
    verified_at TIMESTAMPTZ NOT NULL,
    posting_id BIGINT NOT NULL,
    check_name VARCHAR NOT NULL,
    passed BOOLEAN NOT NULL,
    failing_rows BIGINT NOT NULL,
    detail VARCHAR
);

CREATE TABLE books.token_accounts (
    account_id VARCHAR PRIMARY KEY,
    user_id VARCHAR,
    workspace_id VARCHAR,
    balance BIGINT NOT NULL,
    lifetime_tokens_purchased BIGINT NOT NULL,
    lifetime_tokens_used BIGINT NOT NULL,
    lifetime_actual_tokens_used BIGINT NOT NULL,
    lifetime_spent_cents BIGINT NOT NULL,
    auto_recharge_enabled BOOLEAN NOT NULL,
    auto_recharge_threshold BIGINT,
    auto_recharge_amount BIGINT,
    stripe_customer_id VARCHAR,
    default_payment_method_id VARCHAR,
    currency VARCHAR,
    status VARCHAR NOT NULL CHECK (status IN ('active', 'suspended', 'blocked')),
    balance_level VARCHAR NOT NULL CHECK (balance_level IN ('ok', 'low', 'critical', 'negative')),
    last_purchase_at TIMESTAMPTZ,
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL
);

CREATE TABLE books.account_versions (
    account_id VARCHAR NOT NULL,
    user_id VARCHAR,
    workspace_id VARCHAR,
    plan VARCHAR,
    currency VARCHAR,
    status VARCHAR,
    auto_recharge_enabled BOOLEAN,
    auto_recharge_threshold BIGINT,
    auto_recharge_amount BIGINT,
    stripe_customer_id VARCHAR,
    default_payment_method_id VARCHAR,
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL,
    reported_balance BIGINT,
    file_id BIGINT,
    line_no BIGINT,
    posting_id BIGINT NOT NULL
);

CREATE TABLE books.account_heads (
    account_id VARCHAR PRIMARY KEY,
    account_seq BIGINT NOT NULL,
    balance BIGINT NOT NULL,
    tape_end BIGINT NOT NULL,
    welcomed BOOLEAN NOT NULL,
    posting_id BIGINT NOT NULL
);

CREATE TABLE books.token_usage (
    usage_id UUID NOT NULL,
    event_key BLOB NOT NULL,
    account_id VARCHAR NOT NULL,
    user_id VARCHAR,
    workspace_id VARCHAR,
    project_id VARCHAR,
    content_piece_id VARCHAR,
    operation_type VARCHAR NOT NULL,
    provider VARCHAR,
    model VARCHAR,
    input_tokens BIGINT NOT NULL,
    output_tokens BIGINT NOT NULL,
    total_tokens BIGINT NOT NULL,
    cache_read_tokens BIGINT NOT NULL,
    cache_write_5m_tokens BIGINT NOT NULL,
    cache_write_1h_tokens BIGINT NOT NULL,
    reasoning_tokens BIGINT NOT NULL,
    audio_input_tokens BIGINT NOT NULL,
    audio_output_tokens BIGINT NOT NULL,
    image_input_tokens BIGINT NOT NULL,
    image_output_tokens BIGINT NOT NULL,
    image_count BIGINT NOT NULL,
    image_size VARCHAR,
    image_quality VARCHAR,
    service_tier VARCHAR,
    billable_tokens BIGINT,
    charge_type VARCHAR CHECK (charge_type IN ('multiplier', 'fixed', 'weighted', 'tiered')),
    multiplier DECIMAL(12, 6),
    fixed_cost BIGINT,
    rate_id VARCHAR,
    rate_version VARCHAR,
    settings_version VARCHAR NOT NULL,
    reported_billable_tokens BIGINT,
    reported_cost_nanousd BIGINT,
    provider_cost_nanousd BIGINT,
    success BOOLEAN NOT NULL,
    gateway_cache_hit BOOLEAN NOT NULL,
    cancelled BOOLEAN NOT NULL,
    error_message VARCHAR,
    request_metadata JSON,
    occurred_at TIMESTAMPTZ NOT NULL,
    recorded_at TIMESTAMPTZ NOT NULL,
    posting_id BIGINT NOT NULL,
    file_id BIGINT NOT NULL,
    line_no BIGINT NOT NULL,
    record_no INTEGER NOT NULL,
    billing_date DATE NOT NULL,
    CHECK (total_tokens = input_tokens + output_tokens),
    CHECK (billable_tokens IS NULL OR billable_tokens >= 0)
);

-- A later version of an event, or a later price of a held one: same columns, one row per revision.
CREATE TABLE books.usage_revisions AS
    SELECT 0::INTEGER AS revision_no, ''::VARCHAR AS revision_reason, * FROM books.token_usage LIMIT 0;

CREATE TABLE books.usage_versions (
    event_key BLOB NOT NULL,
    version DECIMAL(38, 9) NOT NULL,
    posting_id BIGINT NOT NULL
);

CREATE TABLE books.credits (
    transaction_id UUID NOT NULL,
    source VARCHAR NOT NULL,
    credit_id VARCHAR NOT NULL,
    account_id VARCHAR NOT NULL,
    transaction_type VARCHAR NOT NULL,
    token_amount BIGINT NOT NULL,
    amount_cents BIGINT,
    currency VARCHAR,
    package_id VARCHAR,
    stripe_payment_intent_id VARCHAR,
    stripe_charge_id VARCHAR,
    stripe_refund_id VARCHAR,
    admin_user_id VARCHAR,
    occurred_at TIMESTAMPTZ NOT NULL,
    effective_at TIMESTAMPTZ NOT NULL,
    posted_at TIMESTAMPTZ NOT NULL,
    expires_at TIMESTAMPTZ,
    priority INTEGER,
    tax_cents BIGINT,
    discount_cents BIGINT,
    settled_by VARCHAR NOT NULL,
    source_credit_id VARCHAR,
    description VARCHAR,
    is_welcome BOOLEAN NOT NULL,
    event_key BLOB NOT NULL,
    file_id BIGINT NOT NULL,
    line_no BIGINT NOT NULL,
    posting_id BIGINT NOT NULL
);

CREATE TABLE books.token_transactions (
    transaction_id UUID NOT NULL,
    account_id VARCHAR NOT NULL,
    account_seq BIGINT NOT NULL,
    workspace_id VARCHAR,
    transaction_type VARCHAR NOT NULL,
    token_amount BIGINT NOT NULL,
    balance_before BIGINT NOT NULL,
    balance_after BIGINT NOT NULL,
    amount_cents BIGINT,
    currency VARCHAR,
    usage_id UUID,
    stripe_payment_intent_id VARCHAR,
    stripe_refund_id VARCHAR,
    admin_user_id VARCHAR,
    corrects_transaction_id UUID,
    lot_id UUID,
    tax_cents BIGINT,
    discount_cents BIGINT,
    settled_by VARCHAR,
    description VARCHAR,
    metadata JSON,
    occurred_at TIMESTAMPTZ NOT NULL,
    recorded_at TIMESTAMPTZ NOT NULL,
    period VARCHAR NOT NULL,
    posting_id BIGINT NOT NULL,
    CHECK (balance_after = balance_before + token_amount),
    CHECK (token_amount <> 0 OR amount_cents <> 0),
    CHECK (CASE
        WHEN transaction_type IN ('purchase', 'auto_recharge', 'admin_grant', 'bonus') THEN token_amount > 0
        WHEN transaction_type IN ('usage', 'admin_deduction', 'expiry') THEN token_amount < 0
        WHEN transaction_type = 'chargeback' THEN token_amount <= 0
        WHEN transaction_type = 'chargeback_reversal' THEN token_amount >= 0
        WHEN transaction_type IN ('refund', 'correction', 'opening') THEN true
        ELSE false END)
);

CREATE TABLE books.token_pricing (
    package_id VARCHAR NOT NULL,
    package_name VARCHAR NOT NULL,
    token_amount BIGINT NOT NULL CHECK (token_amount > 0),
    price_cents BIGINT NOT NULL,
    price_eur BIGINT,
    price_gbp BIGINT,
    description VARCHAR,
    is_popular BOOLEAN NOT NULL,
    sort_order INTEGER NOT NULL,
    stripe_price_id VARCHAR,
    active BOOLEAN NOT NULL,
    effective_from TIMESTAMPTZ,
    effective_to TIMESTAMPTZ,
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL,
    package_version VARCHAR NOT NULL,
    superseded_by VARCHAR
);

CREATE TABLE books.system_settings (
    settings_version VARCHAR NOT NULL,
    effective_from TIMESTAMPTZ,
    effective_to TIMESTAMPTZ,
    default_token_multiplier DECIMAL(12, 6) NOT NULL,
    image_generation_cost_dall_e_3 BIGINT NOT NULL,
    image_generation_cost_dall_e_2 BIGINT NOT NULL,
    image_generation_cost_google BIGINT NOT NULL,
    tokens_per_usd BIGINT NOT NULL,
    min_purchase_amount_cents BIGINT NOT NULL,
    new_user_bonus_tokens BIGINT NOT NULL,
    low_balance_threshold BIGINT NOT NULL,
    critical_balance_threshold BIGINT NOT NULL,
    updated_by VARCHAR,
    reason VARCHAR,
    updated_at TIMESTAMPTZ NOT NULL,
    partial_error VARCHAR NOT NULL,
    gateway_cache_hit VARCHAR NOT NULL,
    cancelled_stream VARCHAR NOT NULL,
    free_lots_priority INTEGER NOT NULL,
    paid_lots_priority INTEGER NOT NULL,
    breakage_policy VARCHAR NOT NULL,
    superseded_by VARCHAR
);

CREATE TABLE books.rates (
    rate_id VARCHAR NOT NULL,
    rate_version VARCHAR NOT NULL,
    book_sha256 VARCHAR NOT NULL,
    effective_from TIMESTAMPTZ,
    effective_to TIMESTAMPTZ,
    match JSON NOT NULL,
    charge JSON NOT NULL,
    integers JSON NOT NULL,
    superseded_by VARCHAR,
    posting_id BIGINT NOT NULL
);

CREATE TABLE finance.credit_lots (
    lot_id UUID NOT NULL,
    account_id VARCHAR NOT NULL,
    transaction_id UUID NOT NULL,
    transaction_type VARCHAR NOT NULL,
    token_amount BIGINT NOT NULL CHECK (token_amount > 0),
    priority INTEGER NOT NULL,
    effective_at TIMESTAMPTZ NOT NULL,
    expires_at TIMESTAMPTZ,
    currency VARCHAR,
    cost_basis BIGINT NOT NULL,
    settings_version VARCHAR NOT NULL,
    posting_id BIGINT NOT NULL
);

CREATE TABLE finance.lot_allocations (
    account_id VARCHAR NOT NULL,
    lot_id UUID,
    kind VARCHAR NOT NULL CHECK (kind IN ('burn', 'repay', 'release', 'take_back', 'expire', 'revive')),
    debit_from BIGINT,
    debit_to BIGINT,
    tokens BIGINT NOT NULL CHECK (tokens > 0),
    transaction_id UUID,
    allocated_at TIMESTAMPTZ NOT NULL,
    recorded_at TIMESTAMPTZ NOT NULL,
    period VARCHAR NOT NULL,
    posting_id BIGINT NOT NULL
);

-- Stretches of an account's tape that no lot covers yet: its debt, oldest first. Working state, replaced by each posting.
CREATE TABLE finance.open_debt (
    account_id VARCHAR NOT NULL,
    debit_from BIGINT NOT NULL,
    debit_to BIGINT NOT NULL
);

CREATE TABLE audit.schema_versions (
    version INTEGER PRIMARY KEY,
    name VARCHAR NOT NULL
);
