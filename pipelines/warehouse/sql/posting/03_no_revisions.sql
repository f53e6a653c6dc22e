-- No later version of a posted event in this posting.
CREATE OR REPLACE TEMP TABLE revised_usage (
    row_id BIGINT, usage_id UUID, revision_no INTEGER, account_id VARCHAR, occurred_at TIMESTAMPTZ,
    transaction_type VARCHAR, transaction_id UUID, corrects_transaction_id UUID, token_amount BIGINT, actual_tokens BIGINT, revision_reason VARCHAR
);
