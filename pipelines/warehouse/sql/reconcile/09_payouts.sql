-- Stage D and what lies beyond: payouts against their items, the bank, and money that no payout took.
CREATE OR REPLACE TEMP TABLE paid_out AS
-- One row per payout, and one per transaction that no payout took.
SELECT item.payout_id, CASE WHEN item.payout_id IS NULL THEN bt.balance_transaction_id END AS unpaid_id,
    -- All but the payout itself: what an earlier one gave back is paid out again.
    coalesce(sum(bt.net) FILTER (bt.source_id IS DISTINCT FROM item.payout_id), 0)::BIGINT AS net,
    count(*) FILTER (bt.source_id IS DISTINCT FROM item.payout_id) AS items,
    any_value(bt.currency) AS currency, any_value(bt.available_on) AS available_on,
    any_value(bt.reporting_category) AS reporting_category, any_value(bt.created) AS created
FROM own_transactions AS bt
LEFT JOIN own_items AS item USING (balance_transaction_id)
GROUP BY ALL;

CREATE OR REPLACE TEMP TABLE payout_sum AS
SELECT payout.*, coalesce(paid_out.net, 0) AS items_net, coalesce(paid_out.items, 0) AS items,
    payout.status IN ('failed', 'canceled') OR payout.failure_balance_transaction_id IS NOT NULL AS has_failed,
    payout.automatic AND coalesce(payout.reconciliation_status, '') = 'completed' AS is_itemised
FROM own_payouts AS payout
LEFT JOIN paid_out USING (payout_id);

INSERT INTO finding BY NAME
SELECT 'payout_total_mismatch' AS code, payout_id AS subject, 'break' AS state, NULL AS period, currency,
    abs(items_net - amount)::BIGINT AS amount_at_stake, payout_id, created AS occurred_at,
    format('payout {}, its {} items {}', money_text(amount, currency), items, money_text(items_net, currency)) AS note
FROM payout_sum WHERE is_itemised AND items_net <> amount
UNION ALL BY NAME
SELECT 'payout_not_itemised' AS code, payout_id AS subject, 'break' AS state, NULL AS period, currency, amount AS amount_at_stake,
    payout_id, created AS occurred_at,
    CASE WHEN automatic THEN format('reconciliation {}', coalesce(reconciliation_status, 'not stated'))
        ELSE coalesce(method, 'manual') END AS note
FROM payout_sum, recon.parameters AS terms
WHERE NOT is_itemised AND NOT has_failed AND (NOT automatic OR created <= terms.as_of - to_seconds($payout_grace_seconds))
UNION ALL BY NAME
SELECT 'payout_failed' AS code, payout_id AS subject, 'break' AS state, NULL AS period, currency, amount AS amount_at_stake,
    payout_id, created AS occurred_at, coalesce(failure_code, status) AS note
FROM payout_sum WHERE has_failed;

-- Bank lines by what they say of the payout, else by amount and day where only one fits on either side.
INSERT INTO finding BY NAME
WITH due AS (
    -- Three business days after the arrival date: a weekend in between adds two days.
    SELECT *, arrival_date + to_days((3 + CASE WHEN isodow(arrival_date) >= 3 THEN 2 ELSE 0 END)::INTEGER) AS due_at
    FROM payout_sum WHERE status = 'paid' AND NOT has_failed
), told AS (
    SELECT payout_id, line_no FROM due JOIN recon.bank_lines AS line
        ON line.currency = due.currency AND line.amount = due.amount
        AND (contains(line.reference, due.payout_id) OR (due.trace_id IS NOT NULL AND contains(line.reference, due.trace_id)))
), guessed AS (
    SELECT payout_id, line_no FROM due JOIN recon.bank_lines AS line
        ON line.currency = due.currency AND line.amount = due.amount
        AND line.booked_on BETWEEN due.arrival_date::DATE - 1 AND due.due_at::DATE
    WHERE payout_id NOT IN (SELECT payout_id FROM told) AND line_no NOT IN (SELECT line_no FROM told)
    QUALIFY count(*) OVER (PARTITION BY payout_id) = 1 AND count(*) OVER (PARTITION BY line_no) = 1
)
SELECT 'payout_not_in_bank' AS code, payout_id AS subject, 'break' AS state, NULL AS period, currency, amount AS amount_at_stake,
    payout_id, created AS occurred_at, coalesce('trace ' || trace_id, 'no trace id') AS note
FROM due, recon.parameters AS terms
WHERE $has_bank AND due_at < terms.as_of
  AND payout_id NOT IN (SELECT payout_id FROM told UNION ALL SELECT payout_id FROM guessed);

-- Money that could be paid out for a week and was not, where Stripe pays out by itself and says what it paid.
INSERT INTO finding BY NAME
SELECT 'bt_unpaid_aged' AS code, unpaid_id AS subject, 'break' AS state, NULL AS period, bt.currency,
    abs(net) AS amount_at_stake, unpaid_id AS balance_transaction_id, bt.created AS occurred_at,
    format('available on {}', strftime(available_on, '%Y-%m-%d')) AS note
FROM paid_out AS bt, recon.parameters AS terms
WHERE unpaid_id IS NOT NULL AND net <> 0 AND reporting_category NOT IN ('payout', 'payout_reversal')
  AND available_on <= terms.as_of - to_seconds($unpaid_seconds)
  AND bt.currency IN (SELECT currency FROM payout_sum WHERE is_itemised AND created >= bt.available_on)
  AND NOT EXISTS (
    FROM payout_sum AS other
    WHERE other.currency = bt.currency AND NOT other.is_itemised AND other.created >= bt.available_on
      AND other.created <= bt.available_on + to_seconds($unpaid_seconds));

-- Stage C: from one snapshot of the balance to the next.
CREATE OR REPLACE TEMP TABLE snapshot AS
WITH taken AS (
    SELECT balance.taken_at, balance.currency, balance.balance_type, sum(available + pending)::BIGINT AS amount
    FROM stripe.balances AS balance, recon.parameters AS terms
    WHERE balance.stripe_account = terms.stripe_account AND balance.livemode = terms.livemode
      AND balance.taken_at <= terms.as_of
      -- What moved up to a snapshot must be in the extract before the snapshot can be proved.
      AND (terms.stripe_mode <> 'api' OR balance.taken_at <= (
        SELECT max(window_end) FROM stripe.syncs AS sync
        WHERE sync.stripe_account = terms.stripe_account AND sync.livemode = terms.livemode))
    GROUP BY ALL
)
SELECT *, lag(taken_at) OVER steps AS opened_at, lag(amount) OVER steps AS opening FROM taken
WINDOW steps AS (PARTITION BY currency, balance_type ORDER BY taken_at);

CREATE OR REPLACE TEMP TABLE rolled AS
SELECT snapshot.taken_at, snapshot.opened_at, snapshot.currency, snapshot.balance_type, snapshot.opening, snapshot.amount AS closing,
    coalesce(sum(bt.net), 0)::BIGINT AS moved, count(bt.net) AS items
FROM snapshot
LEFT JOIN own_transactions AS bt
    ON bt.currency = snapshot.currency AND coalesce(bt.balance_type, 'payments') = snapshot.balance_type
    AND bt.created > snapshot.opened_at AND bt.created <= snapshot.taken_at
WHERE snapshot.opened_at IS NOT NULL
GROUP BY ALL;

INSERT INTO finding BY NAME
SELECT 'balance_rollforward' AS code, format('{} {} {}', currency, balance_type, strftime(taken_at, '%Y-%m-%dT%H:%M:%SZ')) AS subject,
    'break' AS state, strftime(timezone(terms.timezone, taken_at), '%Y-%m') AS period, currency,
    abs(closing - opening - moved)::BIGINT AS amount_at_stake, taken_at AS occurred_at,
    format('{}: opening {} + moved {} is not {}', balance_type, money_text(opening, currency), money_text(moved, currency),
        money_text(closing, currency)) AS note
FROM rolled, recon.parameters AS terms WHERE opening + moved <> closing;
