SELECT lot_id::VARCHAR AS lot_id, account_id, token_amount AS tokens, priority, epoch_us(effective_at) AS effective_us,
    epoch_us(expires_at) AS expires_us, remaining, expired, expiry_count, revival_count
FROM finance.lot_balances
SEMI JOIN settled_accounts USING (account_id)
WHERE hash(account_id) % $shards = $shard
  AND (remaining > 0 OR expired > 0
    OR account_id IN (SELECT account_id FROM entries WHERE lot_kind IN ('take_back', 'release')))
