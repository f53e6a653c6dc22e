-- The bridge, stage by stage. Totals come from the two sides themselves, never from the matches; what they and the
-- carrier lines leave over is the residual, which must be nothing.
DELETE FROM recon.bridge;

INSERT INTO recon.bridge
WITH ledger AS (
    SELECT period, currency, sum(amount)::BIGINT AS amount, count(*) AS items FROM recon.ledger WHERE amount <> 0 GROUP BY ALL
), stripe AS (
    SELECT period, currency, sum(amount)::BIGINT AS amount, count(*) AS items FROM movement GROUP BY ALL
), carrier AS (
    SELECT period, currency, state, code, sum(amount)::BIGINT AS amount, count(*) AS items FROM recon.lines GROUP BY ALL
), cell AS (
    SELECT period, currency FROM ledger UNION SELECT period, currency FROM stripe UNION SELECT period, currency FROM carrier
)
SELECT 'A', period, currency, 'ledger to Stripe', 0, 'ledger', NULL, NULL, coalesce(items, 0), coalesce(amount, 0)
FROM cell LEFT JOIN ledger USING (period, currency)
UNION ALL
SELECT 'A', period, currency, 'ledger to Stripe', known.number, carrier.code, carrier.state, carrier.code, items, amount
FROM carrier JOIN recon.break_codes AS known USING (code)
UNION ALL
SELECT 'A', period, currency, 'ledger to Stripe', 90, 'Stripe', NULL, NULL, coalesce(items, 0), coalesce(amount, 0)
FROM cell LEFT JOIN stripe USING (period, currency)
UNION ALL
SELECT 'A', cell.period, cell.currency, 'ledger to Stripe', 99, 'residual', NULL, NULL, 0,
    (coalesce(stripe.amount, 0) - coalesce(ledger.amount, 0) - coalesce(lines.amount, 0))::BIGINT
FROM cell LEFT JOIN ledger USING (period, currency) LEFT JOIN stripe USING (period, currency)
LEFT JOIN (SELECT period, currency, sum(amount)::BIGINT AS amount FROM carrier GROUP BY ALL) AS lines USING (period, currency);

-- Stage B: what was sold in a currency, and what Stripe's balance got for it. No rate of ours is applied.
INSERT INTO recon.bridge
WITH part AS (
    SELECT movement.currency, bt_currency,
        CASE WHEN bt_currency IS NULL THEN 'none' WHEN bt_currency = movement.currency THEN 'same' ELSE 'converted' END AS kind,
        count(*) AS items, sum(movement.amount)::BIGINT AS amount, sum(bt_amount)::BIGINT AS bt_amount,
        sum(bt_amount + coalesce(uncaptured.amount, 0) - movement.amount)::BIGINT AS off_by,
        count(*) FILTER (bt_amount + coalesce(uncaptured.amount, 0) <> movement.amount) AS items_off
    FROM movement LEFT JOIN uncaptured ON movement.kind = 'charge' AND uncaptured.charge_id = movement.charge_id
    GROUP BY ALL
), settled AS (
    -- The settlement side by itself: every balance transaction of sales in scope.
    SELECT currency, sum(amount)::BIGINT AS amount, sum(items)::BIGINT AS items
    FROM (
        SELECT currency, sum(amount) AS amount, count(*) AS items FROM own_transactions
        WHERE reporting_category IN ('charge', 'charge_failure', 'refund', 'refund_failure', 'dispute', 'dispute_reversal')
        GROUP BY currency
        UNION ALL
        SELECT currency, -sum(amount), -count(*) FROM unplaced GROUP BY currency
    )
    GROUP BY currency HAVING sum(items) > 0
    UNION ALL
    SELECT bt.currency, sum(bt.amount)::BIGINT, count(*)
    FROM (SELECT * FROM own_transactions WHERE reporting_category = 'partial_capture_reversal') AS bt
    LEFT JOIN own_refunds AS refund ON refund.refund_id = bt.source_id
    WHERE coalesce(refund.charge_id, bt.source_id) IN (SELECT charge_id FROM partly_captured)
    GROUP BY ALL
), presented AS (
    SELECT currency, 0 AS line_no, 'sold' AS line, sum(items)::BIGINT AS items, sum(amount)::BIGINT AS amount FROM part GROUP BY currency
    UNION ALL
    SELECT currency, place, line, coalesce(sum(items) FILTER (part.kind = lines.kind), 0)::BIGINT,
        coalesce(sum(amount) FILTER (part.kind = lines.kind), 0)::BIGINT
    FROM part, (VALUES (1, 'same', 'settled in the same currency'), (2, 'converted', 'converted to another'),
        (3, 'none', 'no balance transaction yet')) AS lines(place, kind, line)
    GROUP BY ALL
), received AS (
    SELECT currency, sum(items)::BIGINT AS items, sum(amount)::BIGINT AS amount FROM settled GROUP BY currency
), same AS (
    SELECT currency, items, amount, off_by, items_off FROM part WHERE kind = 'same'
), converted AS (
    SELECT bt_currency AS currency, sum(bt_amount)::BIGINT AS amount, sum(items)::BIGINT AS items FROM part WHERE kind = 'converted' GROUP BY ALL
), returned_converted AS (
    SELECT bt.currency, sum(bt.amount)::BIGINT AS amount
    FROM (SELECT * FROM own_transactions WHERE reporting_category = 'partial_capture_reversal') AS bt
    LEFT JOIN own_refunds AS refund ON refund.refund_id = bt.source_id
    JOIN partly_captured AS charge ON charge.charge_id = coalesce(refund.charge_id, bt.source_id)
        AND charge.bt_currency <> charge.currency
    GROUP BY ALL
)
SELECT 'B', NULL, currency, 'presentment', line_no, line, NULL, NULL, items, amount FROM presented
UNION ALL
SELECT 'B', NULL, currency, 'presentment', 99, 'residual', NULL, NULL, 0,
    sum(CASE line_no WHEN 0 THEN amount ELSE -amount END)::BIGINT FROM presented GROUP BY currency
UNION ALL
SELECT 'B', NULL, currency, 'settlement', 10, 'received', NULL, NULL, items, amount FROM received
UNION ALL
SELECT 'B', NULL, received.currency, 'settlement', 11, 'sold in the same currency', NULL, NULL, coalesce(same.items, 0),
    coalesce(same.amount, 0)
FROM received LEFT JOIN same USING (currency)
UNION ALL
SELECT 'B', NULL, received.currency, 'settlement', 12, 'converted from others', NULL, NULL, coalesce(converted.items, 0),
    coalesce(converted.amount, 0) + coalesce(returned_converted.amount, 0)
FROM received LEFT JOIN converted USING (currency) LEFT JOIN returned_converted USING (currency)
UNION ALL
SELECT 'B', NULL, received.currency, 'settlement', 13, 'charge_bt_mismatch', 'break', 'charge_bt_mismatch',
    coalesce(same.items_off, 0), coalesce(same.off_by, 0)
FROM received LEFT JOIN same USING (currency)
UNION ALL
SELECT 'B', NULL, received.currency, 'settlement', 99, 'residual', NULL, NULL, 0,
    (received.amount - coalesce(same.amount, 0) - coalesce(converted.amount, 0) - coalesce(returned_converted.amount, 0)
        - coalesce(same.off_by, 0))::BIGINT
FROM received LEFT JOIN same USING (currency) LEFT JOIN converted USING (currency) LEFT JOIN returned_converted USING (currency);

-- Stage C: the balance between two snapshots, by what moved it.
INSERT INTO recon.bridge
WITH step AS (
    SELECT *, format('{} to {}', strftime(opened_at, '%Y-%m-%d %H:%M'), strftime(taken_at, '%Y-%m-%d %H:%M'))
        || CASE balance_type WHEN 'payments' THEN '' ELSE ', ' || balance_type END AS subject,
        strftime(timezone(terms.timezone, taken_at), '%Y-%m') AS period
    FROM rolled, recon.parameters AS terms
), moved AS (
    SELECT step.subject, step.period, step.currency, bt.reporting_category, count(*) AS items, sum(bt.net)::BIGINT AS amount
    FROM step JOIN own_transactions AS bt ON bt.currency = step.currency AND coalesce(bt.balance_type, 'payments') = step.balance_type
        AND bt.created > step.opened_at AND bt.created <= step.taken_at
    GROUP BY ALL
)
SELECT 'C', period, currency, subject, 0, 'opening balance', NULL, NULL, 0, opening FROM step
UNION ALL
SELECT 'C', period, currency, subject, 10 + row_number() OVER (PARTITION BY subject, currency ORDER BY reporting_category)::INTEGER,
    reporting_category || ', net of fees', NULL, NULL, items, amount FROM moved
UNION ALL
SELECT 'C', period, currency, subject, 90, 'closing balance', NULL, NULL, 0, closing FROM step
UNION ALL
SELECT 'C', period, currency, subject, 98, 'balance_rollforward', 'break', 'balance_rollforward', 1, closing - opening - moved
FROM step WHERE closing <> opening + moved
UNION ALL
-- Nothing is left over that a break does not carry.
SELECT 'C', step.period, step.currency, step.subject, 99, 'residual', NULL, NULL, 0,
    (step.closing - step.opening - step.moved - CASE WHEN found.subject IS NOT NULL THEN step.closing - step.opening - step.moved ELSE 0 END)::BIGINT
FROM step LEFT JOIN recon.breaks AS found ON found.code = 'balance_rollforward'
    AND found.subject = format('{} {} {}', step.currency, step.balance_type, strftime(step.taken_at, '%Y-%m-%dT%H:%M:%SZ'));

-- Stage D: payouts, all of them, by what could be proved.
INSERT INTO recon.bridge
SELECT 'D', NULL, currency, 'payouts', 0, 'paid out, itemised', NULL, NULL, count(*), sum(amount)::BIGINT
FROM payout_sum WHERE is_itemised GROUP BY currency
UNION ALL
SELECT 'D', NULL, currency, 'payouts', 1, 'sum of their items', NULL, NULL, sum(items)::BIGINT, sum(items_net)::BIGINT
FROM payout_sum WHERE is_itemised GROUP BY currency
UNION ALL
SELECT 'D', NULL, currency, 'payouts', 31, 'payout_total_mismatch', 'break', 'payout_total_mismatch', count(*), sum(items_net - amount)::BIGINT
FROM payout_sum WHERE is_itemised AND items_net <> amount GROUP BY currency
UNION ALL
SELECT 'D', NULL, currency, 'payouts', 99, 'residual', NULL, NULL, 0,
    (sum(items_net - amount) - coalesce(sum(items_net - amount) FILTER (payout_id IN (
        SELECT payout_id FROM recon.breaks WHERE code = 'payout_total_mismatch')), 0))::BIGINT
FROM payout_sum WHERE is_itemised GROUP BY currency;

DELETE FROM recon.summary;

INSERT INTO recon.summary
WITH carrier AS (
    SELECT period, currency,
        coalesce(sum(amount) FILTER (state = 'timing'), 0)::BIGINT AS timing,
        coalesce(sum(amount) FILTER (state = 'expected'), 0)::BIGINT AS expected,
        coalesce(sum(amount) FILTER (state = 'matched_with_variance'), 0)::BIGINT AS variance,
        coalesce(sum(amount) FILTER (state = 'overridden'), 0)::BIGINT AS overridden,
        coalesce(sum(amount) FILTER (state = 'break'), 0)::BIGINT AS breaks
    FROM recon.lines GROUP BY ALL
), total AS (
    SELECT period, currency,
        coalesce(sum(amount) FILTER (line = 'ledger'), 0)::BIGINT AS ledger_total,
        coalesce(sum(amount) FILTER (line = 'Stripe'), 0)::BIGINT AS stripe_total,
        coalesce(sum(amount) FILTER (line = 'residual'), 0)::BIGINT AS residual,
        coalesce(sum(items) FILTER (line = 'ledger'), 0)::BIGINT AS ledger_rows
    FROM recon.bridge WHERE stage = 'A' GROUP BY ALL
), matched AS (
    SELECT period, currency, count(*) AS matched_rows, sum(abs(amount))::BIGINT AS matched_amount
    FROM (
        SELECT ledger_period AS period, currency, amount FROM pair
        UNION ALL
        SELECT ledger_period, ledger_currency, ledger_amount FROM recon.placements
        WHERE transaction_id IS NOT NULL AND state IN ('matched', 'matched_with_variance', 'timing')
    )
    GROUP BY ALL
), found AS (
    SELECT period, currency, count(*) AS open_breaks FROM recon.breaks WHERE state = 'break' GROUP BY ALL
)
SELECT total.period, total.currency, ledger_total, stripe_total, coalesce(timing, 0), coalesce(expected, 0), coalesce(variance, 0),
    coalesce(overridden, 0), coalesce(breaks, 0), residual, ledger_rows, coalesce(matched_rows, 0), coalesce(matched_amount, 0),
    coalesce(open_breaks, 0)
FROM total LEFT JOIN carrier USING (period, currency) LEFT JOIN matched USING (period, currency) LEFT JOIN found USING (period, currency)
ORDER BY ALL;
