-- Expiries, and the corrections that revive them for a late call.
INSERT INTO entries BY NAME
WITH lots AS MATERIALIZED (
    -- Read to its end before the first row goes in: on one thread DuckDB would meet the new rows in the same scan.
    SELECT lot_id::VARCHAR AS lot_id, expires_at FROM (
        SELECT lot_id, expires_at FROM finance.credit_lots
        UNION ALL SELECT lot_id, expires_at FROM entries WHERE lot_kind = 'credit'
    ) WHERE lot_id IN (SELECT lot_id::UUID FROM shard_extras)
), extras AS (
    SELECT extra.*, make_timestamptz(at_us) AS happened_at,
        derived_id(lot.expires_at, 'expiry', CASE WHEN expiry_number = 1 THEN lot_id ELSE lot_id || ':' || expiry_number END) AS expiry_id
    FROM shard_extras AS extra
    JOIN lots AS lot USING (lot_id)
)
SELECT
    $extra_base - extra AS entry_id, account_id,
    CASE WHEN is_expiry THEN 'expiry' ELSE 'correction' END AS transaction_type,
    CASE WHEN is_expiry THEN -tokens ELSE tokens END AS token_amount,
    happened_at AS occurred_at, lot_id::UUID AS lot_id,
    CASE WHEN is_expiry THEN expiry_id
        ELSE derived_id(happened_at, 'correction', expiry_id::VARCHAR || ':' || number) END AS transaction_id,
    CASE WHEN NOT is_expiry THEN expiry_id END AS corrects_transaction_id,
    CASE WHEN is_expiry THEN 'Tokens expired' ELSE 'Expired tokens spent by a call that was booked late' END AS description,
    'extra' AS lot_kind
FROM extras;
