-- What the price file said of each rule, posting by posting where that changed: enough to tell which rules a posting knew.
CREATE TABLE books.rate_states (
    rate_id VARCHAR NOT NULL,
    rate_version VARCHAR NOT NULL,
    effective_to TIMESTAMPTZ,
    is_in_file BOOLEAN NOT NULL,
    posting_id BIGINT NOT NULL
);

-- The tokens of an account's month under one tiered rule lie end to end: a call has those after `position`.
CREATE TABLE books.tier_positions (
    usage_id UUID NOT NULL,
    account_id VARCHAR NOT NULL,
    rate_id VARCHAR NOT NULL,
    period VARCHAR NOT NULL,
    position BIGINT NOT NULL,
    tokens BIGINT NOT NULL,
    posting_id BIGINT NOT NULL
);
