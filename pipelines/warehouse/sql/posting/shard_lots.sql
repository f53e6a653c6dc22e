WITH moved AS (
    SELECT
        lot_id,
        sum(CASE WHEN kind IN ('burn', 'repay', 'take_back', 'expire') THEN -tokens ELSE tokens END)::BIGINT AS change,
        sum(CASE kind WHEN 'expire' THEN tokens WHEN 'revive' THEN -tokens ELSE 0 END)::BIGINT AS expired,
        count(*) FILTER (kind = 'expire') AS expiry_count,
        count(*) FILTER (kind = 'revive') AS revival_count
    FROM finance.lot_allocations
    SEMI JOIN settled_accounts USING (account_id)
    WHERE lot_id IS NOT NULL AND hash(account_id) % $shards = $shard
    GROUP BY lot_id
)
SELECT
    lot.lot_id::VARCHAR AS lot_id, lot.account_id, lot.token_amount AS tokens, lot.priority,
    epoch_us(lot.effective_at) AS effective_us, epoch_us(lot.expires_at) AS expires_us,
    lot.token_amount + coalesce(moved.change, 0) AS remaining, coalesce(moved.expired, 0) AS expired,
    coalesce(moved.expiry_count, 0) AS expiry_count, coalesce(moved.revival_count, 0) AS revival_count
FROM finance.credit_lots AS lot
SEMI JOIN settled_accounts USING (account_id)
LEFT JOIN moved USING (lot_id)
WHERE hash(lot.account_id) % $shards = $shard
  AND (remaining > 0 OR coalesce(moved.expired, 0) > 0
    OR lot.account_id IN (SELECT account_id FROM entries WHERE lot_kind IN ('take_back', 'release')))
