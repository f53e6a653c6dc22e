-- A credit that was booked by hand to settle a break: the same record as one of the app's, with the journal as its source.
INSERT INTO books.credits BY NAME
SELECT
    derived_id($occurred_at::TIMESTAMPTZ, 'credit', $credit_id) AS transaction_id, 'journal' AS source, $credit_id AS credit_id,
    $account_id AS account_id, $transaction_type AS transaction_type, $token_amount AS token_amount,
    $amount_cents::BIGINT AS amount_cents, $currency::VARCHAR AS currency, $package_id::VARCHAR AS package_id,
    $stripe_payment_intent_id::VARCHAR AS stripe_payment_intent_id, $stripe_charge_id::VARCHAR AS stripe_charge_id,
    $stripe_refund_id::VARCHAR AS stripe_refund_id, $actor AS admin_user_id,
    $occurred_at::TIMESTAMPTZ AS occurred_at, $occurred_at::TIMESTAMPTZ AS effective_at, $occurred_at::TIMESTAMPTZ AS posted_at,
    'stripe' AS settled_by, $source_credit_id::VARCHAR AS source_credit_id,
    $reason || ' (' || $break_id || ')' AS description, false AS is_welcome,
    sha256($credit_id)[:32]::BLOB AS event_key, 0 AS file_id, $seq AS line_no, $posting_id AS posting_id;
