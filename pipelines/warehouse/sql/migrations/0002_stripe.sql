-- Stripe's objects as last seen, typed; the raw JSON of every sighting is in the extract below stripe/.
-- Amounts are BIGINT minor units in the currency beside them, currencies lower case, times TIMESTAMPTZ in UTC.
-- (id, stripe_account, livemode) is what makes a row unique. A load replaces rows, so there are no keys and no triggers;
-- the check unique_ids proves it. Everything here can be loaded anew from the files that stripe.loaded_files names.
CREATE SCHEMA stripe;

CREATE TABLE stripe.payment_intents (
    payment_intent_id VARCHAR NOT NULL,
    stripe_account VARCHAR NOT NULL,
    livemode BOOLEAN NOT NULL,
    status VARCHAR NOT NULL,
    amount BIGINT NOT NULL,
    amount_capturable BIGINT NOT NULL,
    amount_received BIGINT NOT NULL,
    currency VARCHAR NOT NULL,
    customer_id VARCHAR,
    latest_charge_id VARCHAR,
    payment_method_id VARCHAR,
    invoice_id VARCHAR,
    cancellation_reason VARCHAR,
    last_error_code VARCHAR,
    last_decline_code VARCHAR,
    capture_method VARCHAR,
    description VARCHAR,
    metadata JSON NOT NULL,
    created TIMESTAMPTZ NOT NULL,
    canceled_at TIMESTAMPTZ,
    api_version VARCHAR,
    fetched_at TIMESTAMPTZ NOT NULL,
    first_fetched_at TIMESTAMPTZ NOT NULL,
    raw_sha256 VARCHAR NOT NULL,
    source_file VARCHAR NOT NULL,
    source_line BIGINT NOT NULL
);

CREATE TABLE stripe.charges (
    charge_id VARCHAR NOT NULL,
    stripe_account VARCHAR NOT NULL,
    livemode BOOLEAN NOT NULL,
    status VARCHAR NOT NULL,
    paid BOOLEAN NOT NULL,
    captured BOOLEAN NOT NULL,
    amount BIGINT NOT NULL,
    amount_captured BIGINT NOT NULL,
    currency VARCHAR NOT NULL,
    payment_intent_id VARCHAR,
    customer_id VARCHAR,
    balance_transaction_id VARCHAR,
    failure_balance_transaction_id VARCHAR,
    failure_code VARCHAR,
    invoice_id VARCHAR,
    payment_method_id VARCHAR,
    payment_method_type VARCHAR,
    payment_method_country VARCHAR,
    card_brand VARCHAR,
    card_funding VARCHAR,
    description VARCHAR,
    metadata JSON NOT NULL,
    created TIMESTAMPTZ NOT NULL,
    api_version VARCHAR,
    fetched_at TIMESTAMPTZ NOT NULL,
    first_fetched_at TIMESTAMPTZ NOT NULL,
    raw_sha256 VARCHAR NOT NULL,
    source_file VARCHAR NOT NULL,
    source_line BIGINT NOT NULL
);

CREATE TABLE stripe.refunds (
    refund_id VARCHAR NOT NULL,
    stripe_account VARCHAR NOT NULL,
    livemode BOOLEAN NOT NULL,
    status VARCHAR NOT NULL,
    amount BIGINT NOT NULL,
    currency VARCHAR NOT NULL,
    charge_id VARCHAR,
    payment_intent_id VARCHAR,
    balance_transaction_id VARCHAR,
    failure_balance_transaction_id VARCHAR,
    failure_reason VARCHAR,
    pending_reason VARCHAR,
    reason VARCHAR,
    metadata JSON NOT NULL,
    created TIMESTAMPTZ NOT NULL,
    api_version VARCHAR,
    fetched_at TIMESTAMPTZ NOT NULL,
    first_fetched_at TIMESTAMPTZ NOT NULL,
    raw_sha256 VARCHAR NOT NULL,
    source_file VARCHAR NOT NULL,
    source_line BIGINT NOT NULL
);

CREATE TABLE stripe.disputes (
    dispute_id VARCHAR NOT NULL,
    stripe_account VARCHAR NOT NULL,
    livemode BOOLEAN NOT NULL,
    status VARCHAR NOT NULL,
    amount BIGINT NOT NULL,
    currency VARCHAR NOT NULL,
    charge_id VARCHAR,
    payment_intent_id VARCHAR,
    reason VARCHAR,
    is_charge_refundable BOOLEAN,
    evidence_due_by TIMESTAMPTZ,
    balance_transaction_ids VARCHAR[] NOT NULL,
    metadata JSON NOT NULL,
    created TIMESTAMPTZ NOT NULL,
    api_version VARCHAR,
    fetched_at TIMESTAMPTZ NOT NULL,
    first_fetched_at TIMESTAMPTZ NOT NULL,
    raw_sha256 VARCHAR NOT NULL,
    source_file VARCHAR NOT NULL,
    source_line BIGINT NOT NULL
);

CREATE TABLE stripe.balance_transactions (
    balance_transaction_id VARCHAR NOT NULL,
    stripe_account VARCHAR NOT NULL,
    livemode BOOLEAN NOT NULL,
    type VARCHAR NOT NULL,
    reporting_category VARCHAR NOT NULL,
    amount BIGINT NOT NULL,
    currency VARCHAR NOT NULL,
    fee BIGINT NOT NULL,
    net BIGINT NOT NULL,
    status VARCHAR NOT NULL,
    source_id VARCHAR,
    exchange_rate DECIMAL(24,12),
    balance_type VARCHAR,
    fee_details JSON NOT NULL,
    description VARCHAR,
    created TIMESTAMPTZ NOT NULL,
    available_on TIMESTAMPTZ NOT NULL,
    api_version VARCHAR,
    fetched_at TIMESTAMPTZ NOT NULL,
    first_fetched_at TIMESTAMPTZ NOT NULL,
    raw_sha256 VARCHAR NOT NULL,
    source_file VARCHAR NOT NULL,
    source_line BIGINT NOT NULL
);

CREATE TABLE stripe.payouts (
    payout_id VARCHAR NOT NULL,
    stripe_account VARCHAR NOT NULL,
    livemode BOOLEAN NOT NULL,
    status VARCHAR NOT NULL,
    amount BIGINT NOT NULL,
    currency VARCHAR NOT NULL,
    automatic BOOLEAN NOT NULL,
    method VARCHAR,
    type VARCHAR,
    balance_transaction_id VARCHAR,
    failure_balance_transaction_id VARCHAR,
    failure_code VARCHAR,
    reconciliation_status VARCHAR,
    destination_id VARCHAR,
    trace_id VARCHAR,
    original_payout_id VARCHAR,
    reversed_by_id VARCHAR,
    description VARCHAR,
    metadata JSON NOT NULL,
    created TIMESTAMPTZ NOT NULL,
    arrival_date TIMESTAMPTZ NOT NULL,
    api_version VARCHAR,
    fetched_at TIMESTAMPTZ NOT NULL,
    first_fetched_at TIMESTAMPTZ NOT NULL,
    raw_sha256 VARCHAR NOT NULL,
    source_file VARCHAR NOT NULL,
    source_line BIGINT NOT NULL
);

CREATE TABLE stripe.payout_items (
    payout_id VARCHAR NOT NULL,
    balance_transaction_id VARCHAR NOT NULL,
    stripe_account VARCHAR NOT NULL,
    livemode BOOLEAN NOT NULL,
    fetched_at TIMESTAMPTZ NOT NULL,
    source_file VARCHAR NOT NULL,
    source_line BIGINT NOT NULL
);

CREATE TABLE stripe.customers (
    customer_id VARCHAR NOT NULL,
    stripe_account VARCHAR NOT NULL,
    livemode BOOLEAN NOT NULL,
    currency VARCHAR,
    default_payment_method_id VARCHAR,
    deleted BOOLEAN NOT NULL,
    metadata JSON NOT NULL,
    created TIMESTAMPTZ,
    api_version VARCHAR,
    fetched_at TIMESTAMPTZ NOT NULL,
    first_fetched_at TIMESTAMPTZ NOT NULL,
    raw_sha256 VARCHAR NOT NULL,
    source_file VARCHAR NOT NULL,
    source_line BIGINT NOT NULL
);

CREATE TABLE stripe.checkout_sessions (
    checkout_session_id VARCHAR NOT NULL,
    stripe_account VARCHAR NOT NULL,
    livemode BOOLEAN NOT NULL,
    mode VARCHAR NOT NULL,
    status VARCHAR,
    payment_status VARCHAR NOT NULL,
    amount_total BIGINT,
    currency VARCHAR,
    customer_id VARCHAR,
    payment_intent_id VARCHAR,
    invoice_id VARCHAR,
    client_reference_id VARCHAR,
    price_ids VARCHAR[] NOT NULL,
    product_ids VARCHAR[] NOT NULL,
    metadata JSON NOT NULL,
    created TIMESTAMPTZ NOT NULL,
    api_version VARCHAR,
    fetched_at TIMESTAMPTZ NOT NULL,
    first_fetched_at TIMESTAMPTZ NOT NULL,
    raw_sha256 VARCHAR NOT NULL,
    source_file VARCHAR NOT NULL,
    source_line BIGINT NOT NULL
);

CREATE TABLE stripe.events (
    event_id VARCHAR NOT NULL,
    stripe_account VARCHAR NOT NULL,
    livemode BOOLEAN NOT NULL,
    type VARCHAR NOT NULL,
    object_type VARCHAR NOT NULL,
    object_id VARCHAR,
    created TIMESTAMPTZ NOT NULL,
    api_version VARCHAR,
    fetched_at TIMESTAMPTZ NOT NULL,
    first_fetched_at TIMESTAMPTZ NOT NULL,
    raw_sha256 VARCHAR NOT NULL,
    source_file VARCHAR NOT NULL,
    source_line BIGINT NOT NULL
);

CREATE TABLE stripe.balances (
    taken_at TIMESTAMPTZ NOT NULL,
    stripe_account VARCHAR NOT NULL,
    livemode BOOLEAN NOT NULL,
    balance_type VARCHAR NOT NULL,
    currency VARCHAR NOT NULL,
    available BIGINT NOT NULL,
    pending BIGINT NOT NULL,
    api_version VARCHAR,
    raw_sha256 VARCHAR NOT NULL,
    source_file VARCHAR NOT NULL,
    source_line BIGINT NOT NULL
);

CREATE TABLE stripe.syncs (
    sync_id VARCHAR NOT NULL,
    stripe_account VARCHAR NOT NULL,
    livemode BOOLEAN NOT NULL,
    is_full BOOLEAN NOT NULL,
    started_at TIMESTAMPTZ NOT NULL,
    window_end TIMESTAMPTZ NOT NULL,
    finished_at TIMESTAMPTZ NOT NULL,
    requests BIGINT NOT NULL,
    objects BIGINT NOT NULL,
    api_version VARCHAR NOT NULL,
    source_file VARCHAR NOT NULL,
    source_line BIGINT NOT NULL
);

CREATE TABLE stripe.loaded_files (
    source_file VARCHAR NOT NULL,
    kind VARCHAR NOT NULL,
    bytes_read BIGINT NOT NULL,
    lines_read BIGINT NOT NULL,
    sha256 VARCHAR NOT NULL,
    objects BIGINT NOT NULL,
    rejected BIGINT NOT NULL
);

CREATE TABLE stripe.rejected (
    source_file VARCHAR NOT NULL,
    source_line BIGINT NOT NULL,
    object_type VARCHAR,
    object_id VARCHAR,
    reason VARCHAR NOT NULL,
    detail VARCHAR NOT NULL,
    line_sha256 VARCHAR NOT NULL
);
