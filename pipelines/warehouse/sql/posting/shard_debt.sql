SELECT account_id, debit_from, debit_to FROM finance.open_debt
SEMI JOIN settled_accounts USING (account_id)
WHERE hash(account_id) % $shards = $shard
