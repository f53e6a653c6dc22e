-- Of the lots that a debit may use the one that ranks first burns first: by priority, earliest end, earliest start, lot_id.
WITH lots AS (
    SELECT lot.*, coalesce(lot.expires_at, 'infinity'::TIMESTAMPTZ) AS ends_at, row.occurred_at AS opened_at
    FROM finance.credit_lots AS lot
    JOIN books.token_transactions AS row USING (transaction_id)
    WHERE lot.account_id IN (SELECT account_id FROM finance.credit_lots GROUP BY account_id HAVING count(*) > 1)
), moved AS (
    SELECT
        lot_id, posting_id, allocated_at,
        sum(CASE WHEN kind IN ('release', 'revive') THEN tokens ELSE -tokens END) AS change,
        bool_or(kind IN ('release', 'revive')) AS came_back,
        -- Tokens that were revived for a late debit are those that nothing alive could cover.
        bool_or(kind = 'burn') AND NOT bool_or(kind = 'revive') AS burnt,
        min(debit_from) FILTER (kind = 'burn') AS first_from, max(debit_from) FILTER (kind = 'burn') AS last_from
    FROM finance.lot_allocations
    WHERE lot_id IS NOT NULL
    GROUP BY lot_id, posting_id, allocated_at
), levels AS (
    SELECT
        lots.* EXCLUDE (posting_id), moved.posting_id, moved.allocated_at, moved.came_back, moved.burnt,
        moved.first_from, moved.last_from,
        lots.token_amount + sum(moved.change)
            OVER (PARTITION BY moved.lot_id ORDER BY moved.posting_id, moved.allocated_at) AS tokens_left
    FROM moved JOIN lots USING (lot_id)
), turns AS (
    SELECT lot_id, posting_id, opened_at AS turned_at, token_amount AS tokens_left, false AS came_back, 0 AS step FROM lots
    UNION ALL
    SELECT lot_id, posting_id, allocated_at, tokens_left, came_back, 1 FROM levels WHERE tokens_left <= 0 OR came_back
), stretches AS (
    -- From one turn to the next a lot has tokens left, or none.
    SELECT *,
        lead(posting_id) OVER turn AS next_posting_id,
        lead(turned_at) OVER turn AS next_turned_at
    FROM turns WINDOW turn AS (PARTITION BY lot_id ORDER BY posting_id, turned_at, step)
)
SELECT burn.account_id, burn.lot_id, burn.posting_id, burn.allocated_at, min(ahead.lot_id) AS lot_ahead
FROM levels AS burn
JOIN lots AS ahead
    ON ahead.account_id = burn.account_id
    AND (ahead.priority, ahead.ends_at, ahead.effective_at, ahead.lot_id)
        < (burn.priority, burn.ends_at, burn.effective_at, burn.lot_id)
    AND ahead.effective_at <= burn.allocated_at AND burn.allocated_at < ahead.ends_at
LEFT JOIN stretches AS had
    ON had.lot_id = ahead.lot_id AND had.tokens_left > 0
    AND (had.posting_id, had.turned_at) <= (burn.posting_id, burn.allocated_at)
    AND (had.next_posting_id IS NULL
        OR (burn.posting_id, burn.allocated_at) < (had.next_posting_id, had.next_turned_at))
    -- What came back in the very instant of the burn may have come behind it.
    AND NOT (had.came_back AND (had.posting_id, had.turned_at) = (burn.posting_id, burn.allocated_at))
LEFT JOIN levels AS beside
    -- Debits that no lot starts or ends between are settled as one: inside it the tape tells which burned first.
    ON beside.lot_id = ahead.lot_id AND beside.burnt AND NOT beside.came_back
    AND (beside.posting_id, beside.allocated_at) = (burn.posting_id, burn.allocated_at)
    AND beside.last_from > burn.first_from
WHERE burn.burnt AND (had.lot_id IS NOT NULL OR beside.lot_id IS NOT NULL)
GROUP BY burn.account_id, burn.lot_id, burn.posting_id, burn.allocated_at
