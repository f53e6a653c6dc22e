-- Reconciliation: what the last run found, and what people and runs have said about it since.
-- recon.parameters, pairs, placements, lines, breaks, bridge and summary are replaced by each run; the others only grow.
CREATE SCHEMA recon;

-- The terms of the last run: the views below and the checks read the same ones.
CREATE TABLE recon.parameters (
    as_of TIMESTAMPTZ NOT NULL,
    timezone VARCHAR NOT NULL,
    stripe_mode VARCHAR NOT NULL,
    stripe_account VARCHAR,
    livemode BOOLEAN,
    scope_metadata_key VARCHAR,
    scope_metadata_value VARCHAR,
    scope_prices VARCHAR[] NOT NULL,
    scope_products VARCHAR[] NOT NULL,
    scope_customers VARCHAR[] NOT NULL,
    is_scoped BOOLEAN NOT NULL,
    posting_id BIGINT NOT NULL,
    mirror_mark BIGINT NOT NULL
);

CREATE TABLE recon.runs (
    run_id BIGINT PRIMARY KEY,
    ran_at TIMESTAMPTZ NOT NULL,
    as_of TIMESTAMPTZ NOT NULL,
    posting_id BIGINT NOT NULL,
    ledger_rows BIGINT NOT NULL,
    movements BIGINT NOT NULL,
    match_groups BIGINT NOT NULL,
    open_breaks BIGINT NOT NULL,
    residual_lines BIGINT NOT NULL,
    code_version VARCHAR NOT NULL
);

CREATE TABLE recon.break_codes (
    number INTEGER PRIMARY KEY,
    code VARCHAR NOT NULL,
    severity VARCHAR NOT NULL,
    detection VARCHAR NOT NULL,
    resolution VARCHAR NOT NULL
);

-- The ordinary match, a purchase and its one movement that agree: what of it the ledger's row does not say already.
-- Replaced by each run and read by look-ups: ids that nothing repeats are not worth the time that compressing them takes.
CREATE TABLE recon.pairs (
    transaction_id UUID NOT NULL,
    movement_id VARCHAR NOT NULL USING COMPRESSION uncompressed,
    stripe_period VARCHAR NOT NULL
);

-- All other rows and movements, by their group.
CREATE TABLE recon.placements (
    group_key VARCHAR NOT NULL,
    kind VARCHAR NOT NULL CHECK (kind IN ('payment', 'refund', 'dispute')),
    state VARCHAR NOT NULL,
    code VARCHAR,
    rule INTEGER,
    confidence VARCHAR,
    transaction_id UUID,
    movement_id VARCHAR,
    account_id VARCHAR,
    ledger_amount BIGINT,
    ledger_currency VARCHAR,
    ledger_period VARCHAR,
    stripe_amount BIGINT,
    stripe_currency VARCHAR,
    stripe_period VARCHAR
);

CREATE TABLE recon.lines (
    group_key VARCHAR NOT NULL,
    period VARCHAR NOT NULL,
    currency VARCHAR NOT NULL,
    state VARCHAR NOT NULL CHECK (state IN ('timing', 'expected', 'matched_with_variance', 'overridden', 'break')),
    code VARCHAR NOT NULL,
    amount BIGINT NOT NULL,
    PRIMARY KEY (group_key, period, currency)
);

CREATE TABLE recon.breaks (
    break_id VARCHAR PRIMARY KEY,
    period VARCHAR,
    code VARCHAR NOT NULL,
    severity VARCHAR NOT NULL CHECK (severity IN ('info', 'low', 'med', 'high', 'critical')),
    state VARCHAR NOT NULL,
    currency VARCHAR,
    residual_amount BIGINT NOT NULL,
    amount_at_stake BIGINT NOT NULL,
    account_id VARCHAR,
    transaction_id UUID,
    payment_intent_id VARCHAR,
    charge_id VARCHAR,
    refund_id VARCHAR,
    dispute_id VARCHAR,
    balance_transaction_id VARCHAR,
    payout_id VARCHAR,
    occurred_at TIMESTAMPTZ,
    first_seen TIMESTAMPTZ NOT NULL,
    age_days INTEGER NOT NULL,
    resolution VARCHAR NOT NULL,
    note VARCHAR,
    subject VARCHAR NOT NULL
);

CREATE TABLE recon.candidates (
    transaction_id UUID NOT NULL,
    payment_key VARCHAR NOT NULL,
    PRIMARY KEY (transaction_id, payment_key)
);

CREATE TABLE recon.bridge (
    stage VARCHAR NOT NULL CHECK (stage IN ('A', 'B', 'C', 'D')),
    period VARCHAR,
    currency VARCHAR NOT NULL,
    subject VARCHAR NOT NULL,
    line_no INTEGER NOT NULL,
    line VARCHAR NOT NULL,
    state VARCHAR,
    code VARCHAR,
    items BIGINT NOT NULL,
    amount BIGINT NOT NULL
);

CREATE TABLE recon.summary (
    period VARCHAR NOT NULL,
    currency VARCHAR NOT NULL,
    ledger_total BIGINT NOT NULL,
    stripe_total BIGINT NOT NULL,
    timing BIGINT NOT NULL,
    expected BIGINT NOT NULL,
    variance BIGINT NOT NULL,
    overridden BIGINT NOT NULL,
    breaks BIGINT NOT NULL,
    residual BIGINT NOT NULL,
    ledger_rows BIGINT NOT NULL,
    matched_rows BIGINT NOT NULL,
    matched_amount BIGINT NOT NULL,
    open_breaks BIGINT NOT NULL,
    PRIMARY KEY (period, currency)
);

CREATE TABLE recon.first_seen (
    break_id VARCHAR PRIMARY KEY,
    first_seen TIMESTAMPTZ NOT NULL
);

CREATE TABLE recon.overrides (
    seq BIGINT PRIMARY KEY,
    break_id VARCHAR NOT NULL,
    actor VARCHAR NOT NULL,
    reason VARCHAR NOT NULL,
    made_at TIMESTAMPTZ NOT NULL,
    expires_at TIMESTAMPTZ
);

-- Lines of the bank's statement, replaced by each run from the files that [stripe] bank_path names.
CREATE TABLE recon.bank_lines (
    line_no BIGINT NOT NULL,
    booked_on DATE NOT NULL,
    amount BIGINT NOT NULL,
    currency VARCHAR NOT NULL,
    reference VARCHAR NOT NULL
);

-- Periods that are closed: what is seen of them later is an adjustment of an open one.
CREATE TABLE audit.period_closes (
    period VARCHAR PRIMARY KEY,
    closed_at TIMESTAMPTZ NOT NULL
);
