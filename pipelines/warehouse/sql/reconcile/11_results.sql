-- What the run leaves behind: breaks, carrier lines, matches. An override explains, it never removes.
CREATE OR REPLACE TEMP TABLE found_break AS
SELECT 'brk_' || left(sha256(finding.code || '|' || finding.subject), 20) AS break_id, finding.*,
    coalesce(payment_intent_id, charge_id) AS payment_key
FROM finding
QUALIFY row_number() OVER (PARTITION BY finding.code, finding.subject ORDER BY abs(residual_amount) DESC, note) = 1;

-- Whose payment it was, for breaks that know their payment but no row of the ledger: the account that the payment states,
-- by its own id or by its user's, else the one that its customer has belonged to, else what is stated.
CREATE OR REPLACE TEMP TABLE payer AS
SELECT charge.payment_key, max(charge.charge_id) AS charge_id,
    coalesce(min(named.account_id), min(owner.account_id), max(charge.stated_account)) AS account_id
FROM (
    SELECT payment_key, charge_id, customer_id, stated_account FROM movement
    WHERE kind = 'charge' AND payment_key IN (SELECT payment_key FROM found_break WHERE payment_key IS NOT NULL)
) AS charge
LEFT JOIN (
    SELECT account_id AS name, account_id FROM books.token_accounts
    UNION SELECT user_id, account_id FROM books.token_accounts
) AS named ON named.name = charge.stated_account
LEFT JOIN owner USING (customer_id)
GROUP BY charge.payment_key;

INSERT INTO recon.first_seen
SELECT break_id, terms.as_of FROM found_break, recon.parameters AS terms
WHERE break_id NOT IN (SELECT break_id FROM recon.first_seen) ORDER BY break_id;

DELETE FROM recon.breaks;

INSERT INTO recon.breaks BY NAME
SELECT
    found.break_id,
    coalesce(found.period, strftime(timezone(terms.timezone, found.occurred_at), '%Y-%m')) AS period,
    found.code,
    CASE WHEN found.state = 'information' THEN 'info' ELSE known.severity END AS severity,
    CASE WHEN spoken.break_id IS NOT NULL AND found.state = 'break' THEN 'overridden'
        WHEN found.state = 'information' THEN 'break' ELSE found.state END AS state,
    found.currency, found.residual_amount, found.amount_at_stake, coalesce(found.account_id, payer.account_id) AS account_id,
    found.transaction_id, found.payment_intent_id, coalesce(found.charge_id, payer.charge_id) AS charge_id,
    found.refund_id, found.dispute_id, found.balance_transaction_id, found.payout_id, found.occurred_at, seen.first_seen,
    greatest(date_diff('day', coalesce(found.occurred_at, terms.as_of), terms.as_of), 0)::INTEGER AS age_days,
    known.resolution, found.note, found.subject
FROM found_break AS found
CROSS JOIN recon.parameters AS terms
JOIN recon.break_codes AS known USING (code)
JOIN recon.first_seen AS seen USING (break_id)
LEFT JOIN payer USING (payment_key)
LEFT JOIN (
    SELECT break_id FROM recon.overrides, recon.parameters AS terms
    WHERE expires_at IS NULL OR expires_at > terms.as_of GROUP BY break_id
) AS spoken USING (break_id)
ORDER BY known.number, found.break_id;

DELETE FROM recon.lines;

INSERT INTO recon.lines
SELECT carried.group_key, carried.period, carried.currency, found.state, found.code, carried.amount
FROM carried
LEFT JOIN judged USING (group_key)
JOIN recon.breaks AS found
    ON found.subject = carried.group_key AND found.code = coalesce(judged.code, 'timing_cutoff')
ORDER BY ALL;

DELETE FROM recon.pairs;

INSERT INTO recon.pairs SELECT transaction_id, movement_id, stripe_period FROM pair;

DELETE FROM recon.placements;

INSERT INTO recon.placements
WITH placed AS (
    SELECT placed.group_key, placed.kind, placed.rule, row.transaction_id, row.account_id, row.amount, row.currency, row.period,
        row_number() OVER (PARTITION BY placed.group_key ORDER BY row.occurred_at, row.transaction_id) AS place
    FROM grouped_money AS placed JOIN rest_money AS row USING (transaction_id)
), moved AS (
    SELECT placed.group_key, placed.kind, row.movement_id, row.amount, row.currency, row.period,
        row_number() OVER (PARTITION BY placed.group_key ORDER BY row.moved_at, row.movement_id) AS place
    FROM grouped_movement AS placed JOIN rest_movement AS row USING (movement_no)
)
SELECT
    group_key, coalesce(placed.kind, moved.kind),
    coalesce(found.state, 'matched') AS state, found.code, placed.rule,
    CASE placed.rule WHEN 1 THEN 'exact' WHEN 2 THEN 'exact' WHEN 3 THEN 'exact' WHEN 4 THEN 'derived'
        WHEN 5 THEN CASE WHEN placed.kind = 'payment' THEN 'heuristic' ELSE 'derived' END END,
    placed.transaction_id, moved.movement_id, placed.account_id, placed.amount, placed.currency, placed.period,
    moved.amount, moved.currency, moved.period
FROM placed FULL JOIN moved USING (group_key, place)
LEFT JOIN (
    SELECT judged.group_key, found.state, found.code FROM judged
    JOIN recon.breaks AS found ON found.subject = judged.group_key
        AND found.code = coalesce(judged.code, 'timing_cutoff')
) AS found USING (group_key)
ORDER BY group_key, place;
