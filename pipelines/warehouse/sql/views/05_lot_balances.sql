-- Each lot now: what was spent, taken back and expired of it, and what is left.
CREATE OR REPLACE VIEW finance.lot_balances AS
WITH moved AS (
    SELECT
        lot_id,
        sum(CASE kind WHEN 'burn' THEN tokens WHEN 'repay' THEN tokens
            WHEN 'release' THEN CASE WHEN debit_from IS NOT NULL THEN -tokens ELSE 0 END ELSE 0 END)::BIGINT AS burnt,
        sum(CASE kind WHEN 'take_back' THEN tokens
            WHEN 'release' THEN CASE WHEN debit_from IS NULL THEN -tokens ELSE 0 END ELSE 0 END)::BIGINT AS taken_back,
        sum(CASE kind WHEN 'expire' THEN tokens WHEN 'revive' THEN -tokens ELSE 0 END)::BIGINT AS expired,
        count(*) FILTER (kind = 'expire') AS expiry_count,
        count(*) FILTER (kind = 'revive') AS revival_count
    FROM finance.lot_allocations
    WHERE lot_id IS NOT NULL
    GROUP BY lot_id
)
SELECT
    lot.lot_id, lot.account_id, lot.transaction_type, lot.priority, lot.effective_at, lot.expires_at, lot.token_amount,
    coalesce(moved.burnt, 0) AS burnt, coalesce(moved.taken_back, 0) AS taken_back,
    coalesce(moved.expired, 0) AS expired, coalesce(moved.expiry_count, 0) AS expiry_count,
    coalesce(moved.revival_count, 0) AS revival_count,
    lot.token_amount - coalesce(moved.burnt, 0) - coalesce(moved.taken_back, 0) - coalesce(moved.expired, 0) AS remaining
FROM finance.credit_lots AS lot
LEFT JOIN moved USING (lot_id);
