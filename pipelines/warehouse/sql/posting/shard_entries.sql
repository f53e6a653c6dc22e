SELECT
    ledger.entry_id, ledger.account_id, epoch_us(ledger.occurred_at) AS occurred_us, ledger.rank::BIGINT AS rank,
    ledger.transaction_id::VARCHAR AS transaction_id, ledger.token_amount, abs(ledger.token_amount) AS tokens,
    ledger.lot_kind AS kind, entry.lot_id::VARCHAR AS lot_id, entry.lot_priority::INTEGER AS priority,
    epoch_us(entry.effective_at) AS effective_us, epoch_us(entry.expires_at) AS expires_us,
    named.interval_from, named.interval_to, named_here.entry_id AS named_entry_id, raised.other_intervals
FROM ledger_entries AS ledger
LEFT JOIN entries AS entry USING (entry_id)
LEFT JOIN named_intervals AS named ON entry.lot_kind = 'release' AND named.transaction_id = entry.corrects_transaction_id
LEFT JOIN entries AS named_here ON entry.lot_kind = 'release' AND named_here.transaction_id = entry.corrects_transaction_id
LEFT JOIN raised_intervals AS raised ON entry.lot_kind = 'release' AND raised.usage_id = entry.usage_id
WHERE hash(ledger.account_id) % $shards = $shard
