SELECT account_id, lot_id::VARCHAR AS lot_id, kind, debit_from, debit_to FROM finance.lot_allocations
SEMI JOIN (SELECT account_id FROM entries WHERE lot_kind = 'release') AS releasing USING (account_id)
WHERE debit_from IS NOT NULL AND hash(account_id) % $shards = $shard
