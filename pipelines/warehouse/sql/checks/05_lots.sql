-- Per account: lot remainders less debt are the balance; each tape position is covered by one lot, uncovered or released;
-- no lot gave more than it had, and none burned outside its time but by a revived expiry.
WITH lots AS (
    SELECT account_id, sum(remaining) AS remaining, bool_or(remaining < 0 OR burnt < 0 OR taken_back < 0 OR expired < 0) AS torn
    FROM finance.lot_balances GROUP BY account_id
), debt AS (
    SELECT account_id, sum(debit_to - debit_from) AS tokens, bool_or(debit_to <= debit_from) AS torn
    FROM finance.open_debt GROUP BY account_id
), marks AS (
    -- +1 where a live stretch begins, -1 where it ends; a released stretch ends its cover and stays dead.
    SELECT account_id, debit_from AS position, CASE kind WHEN 'release' THEN 0 ELSE 1 END AS change
    FROM finance.lot_allocations WHERE debit_from IS NOT NULL
    UNION ALL
    SELECT account_id, debit_to, CASE kind WHEN 'release' THEN 0 ELSE -1 END
    FROM finance.lot_allocations WHERE debit_from IS NOT NULL
    UNION ALL SELECT account_id, debit_from, 1 FROM finance.open_debt
    UNION ALL SELECT account_id, debit_to, -1 FROM finance.open_debt
    UNION ALL
    -- Debt that was given back had no cover, so its release is what accounts for the stretch.
    SELECT account_id, debit_from, 1 FROM finance.lot_allocations WHERE kind = 'release' AND lot_id IS NULL
    UNION ALL
    SELECT account_id, debit_to, -1 FROM finance.lot_allocations WHERE kind = 'release' AND lot_id IS NULL
), levels AS (
    SELECT account_id, position, sum(sum(change)) OVER (PARTITION BY account_id ORDER BY position) AS level,
        lead(position) OVER (PARTITION BY account_id ORDER BY position) AS next_position
    FROM marks GROUP BY account_id, position
), tape AS (
    SELECT account_id, min(position) AS first_position, max(position) AS last_position,
        bool_or(next_position IS NOT NULL AND level <> 1) AS torn
    FROM levels GROUP BY account_id
), outside AS (
    SELECT DISTINCT burn.account_id
    FROM finance.lot_allocations AS burn
    JOIN finance.credit_lots AS lot USING (lot_id)
    WHERE burn.kind IN ('burn', 'repay')
      AND (burn.allocated_at < lot.effective_at OR burn.allocated_at >= lot.expires_at)
)
SELECT
    head.account_id, head.balance, lots.remaining, debt.tokens AS debt, head.tape_end, tape.last_position,
    coalesce(tape.torn, false) AS tape_torn, outside.account_id IS NOT NULL AS burnt_outside
FROM books.account_heads AS head
LEFT JOIN lots ON lots.account_id = head.account_id
LEFT JOIN debt ON debt.account_id = head.account_id
LEFT JOIN tape ON tape.account_id = head.account_id
LEFT JOIN outside ON outside.account_id = head.account_id
WHERE head.balance <> coalesce(lots.remaining, 0) - coalesce(debt.tokens, 0)
   OR coalesce(lots.torn, false) OR coalesce(debt.torn, false) OR coalesce(tape.torn, false)
   OR coalesce(tape.last_position, 0) <> head.tape_end
   OR coalesce(tape.first_position, 0) <> 0
   OR outside.account_id IS NOT NULL
