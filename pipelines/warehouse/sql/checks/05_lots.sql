-- Per account: lot remainders less debt are the balance; each tape position is covered by one lot, uncovered or released;
-- no lot gave more than it had, and none burned outside its time but by a revived expiry.
WITH lots AS (
    SELECT account_id, sum(remaining) AS remaining, bool_or(remaining < 0 OR burnt < 0 OR taken_back < 0 OR expired < 0) AS torn
    FROM finance.lot_balances GROUP BY account_id
), debt AS (
    SELECT account_id, sum(debit_to - debit_from) AS tokens, bool_or(debit_to <= debit_from) AS torn
    FROM finance.open_debt GROUP BY account_id
), movements AS (
    -- Each movement says one thing: an interval as long as its tokens, of a lot of its own account.
    SELECT moved.account_id,
        sum(moved.tokens) FILTER (moved.kind = 'take_back') AS taken_back,
        sum(moved.tokens) FILTER (moved.kind = 'expire') AS expired,
        sum(moved.tokens) FILTER (moved.kind = 'revive') AS revived,
        bool_or(moved.debit_to - moved.debit_from <> moved.tokens
            OR (moved.debit_from IS NULL) <> (moved.debit_to IS NULL)
            OR (moved.kind IN ('burn', 'repay') AND moved.debit_from IS NULL)
            OR (moved.kind IN ('take_back', 'expire', 'revive') AND moved.debit_from IS NOT NULL)
            OR (moved.lot_id IS NULL AND (moved.kind <> 'release' OR moved.debit_from IS NULL))
            OR (moved.lot_id IS NOT NULL AND lot.account_id IS DISTINCT FROM moved.account_id)) AS torn
    FROM finance.lot_allocations AS moved LEFT JOIN finance.credit_lots AS lot USING (lot_id)
    GROUP BY moved.account_id
), ledger AS (
    SELECT account_id,
        -sum(token_amount) FILTER (token_amount < 0 AND transaction_type <> 'expiry') AS debited,
        -sum(token_amount) FILTER (transaction_type = 'expiry') AS expired
    FROM books.token_transactions GROUP BY account_id
), opened AS (
    -- A lot is the credit that opened it: tokens, account, currency and basis.
    SELECT coalesce(lot.account_id, row.account_id) AS account_id, true AS torn
    FROM finance.credit_lots AS lot
    FULL JOIN (
        SELECT * FROM books.token_transactions
        WHERE transaction_type IN ('opening', 'purchase', 'auto_recharge', 'admin_grant', 'bonus') AND token_amount > 0
    ) AS row ON row.transaction_id = lot.transaction_id
    WHERE lot.account_id IS DISTINCT FROM row.account_id OR lot.token_amount <> row.token_amount
       OR lot.transaction_type <> row.transaction_type OR lot.currency IS DISTINCT FROM row.currency
       OR lot.cost_basis <> coalesce(row.amount_cents - coalesce(row.tax_cents, 0), 0)
    GROUP BY ALL
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
), lot_marks AS (
    -- The same sweep lot by lot where something was released: only what a lot covered can be given back, and only once.
    SELECT account_id, lot_id, unnest([debit_from, debit_to]) AS position,
        unnest(CASE kind WHEN 'release' THEN [-1, 1] ELSE [1, -1] END) AS change
    FROM finance.lot_allocations
    WHERE debit_from IS NOT NULL
      AND lot_id IN (SELECT lot_id FROM finance.lot_allocations WHERE kind = 'release' AND debit_from IS NOT NULL)
), given_back AS (
    SELECT account_id, bool_or(level NOT BETWEEN 0 AND 1) AS torn
    FROM (
        SELECT account_id, sum(sum(change)) OVER (PARTITION BY account_id, lot_id ORDER BY position) AS level
        FROM lot_marks GROUP BY account_id, lot_id, position
    ) AS covered GROUP BY account_id
), outside AS (
    SELECT DISTINCT burn.account_id
    FROM finance.lot_allocations AS burn
    JOIN finance.credit_lots AS lot USING (lot_id)
    WHERE burn.kind IN ('burn', 'repay')
      AND (burn.allocated_at < lot.effective_at OR burn.allocated_at >= lot.expires_at)
)
SELECT
    head.account_id, head.balance, lots.remaining, debt.tokens AS debt, head.tape_end, tape.last_position,
    coalesce(tape.torn, false) OR coalesce(given_back.torn, false) AS tape_torn,
    outside.account_id IS NOT NULL AS burnt_outside,
    coalesce(lots.torn, false) OR coalesce(debt.torn, false) OR coalesce(movements.torn, false)
        OR coalesce(opened.torn, false) AS lots_torn
FROM books.account_heads AS head
LEFT JOIN lots ON lots.account_id = head.account_id
LEFT JOIN debt ON debt.account_id = head.account_id
LEFT JOIN movements ON movements.account_id = head.account_id
LEFT JOIN ledger ON ledger.account_id = head.account_id
LEFT JOIN opened ON opened.account_id = head.account_id
LEFT JOIN tape ON tape.account_id = head.account_id
LEFT JOIN given_back ON given_back.account_id = head.account_id
LEFT JOIN outside ON outside.account_id = head.account_id
WHERE head.balance <> coalesce(lots.remaining, 0) - coalesce(debt.tokens, 0)
   OR lots_torn OR tape_torn OR burnt_outside
   OR coalesce(tape.last_position, 0) <> head.tape_end
   OR coalesce(tape.first_position, 0) <> 0
   OR coalesce(ledger.expired, 0) <> coalesce(movements.expired, 0)
   -- The tape is as long as what was debited, less what was taken back from its own lot.
   OR head.tape_end <> coalesce(ledger.debited, 0) - coalesce(movements.taken_back, 0)
