SELECT account_id, tape_end, account_seq AS opening_seq, balance AS opening_balance FROM opening_heads
WHERE hash(account_id) % $shards = $shard
