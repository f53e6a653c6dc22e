-- What settling one shard found.
DELETE FROM finance.open_debt
WHERE account_id IN (SELECT account_id FROM settled_accounts WHERE hash(account_id) % $shards = $shard);

INSERT INTO finance.open_debt SELECT * FROM shard_debt_after ORDER BY ALL;

UPDATE books.account_heads AS head SET tape_end = fresh.tape_end
FROM shard_heads_after AS fresh
WHERE head.account_id = fresh.account_id AND head.tape_end <> fresh.tape_end;

INSERT INTO finance.lot_allocations BY NAME
SELECT
    allocation.account_id, allocation.lot_id::UUID AS lot_id, allocation.kind, debit_from, debit_to, tokens,
    entry.transaction_id, make_timestamptz(allocated_us) AS allocated_at, $recorded_at AS recorded_at,
    strftime(timezone($timezone, make_timestamptz(allocated_us)), '%Y-%m') AS period, $posting_id AS posting_id
FROM shard_allocations AS allocation
LEFT JOIN entries AS entry ON allocation.kind = 'take_back' AND entry.entry_id = allocation.entry_id
ORDER BY allocation.account_id, lot_id, debit_from;
