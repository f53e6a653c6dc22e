-- Findings about the extract: whose objects, how old, and amounts that their currency does not allow.
INSERT INTO finding BY NAME
WITH strangers AS (
    SELECT payment_intent_id AS id, stripe_account, livemode, amount, currency, created FROM stripe.payment_intents
    UNION ALL SELECT charge_id, stripe_account, livemode, amount, currency, created FROM stripe.charges
    UNION ALL SELECT refund_id, stripe_account, livemode, amount, currency, created FROM stripe.refunds
    UNION ALL SELECT dispute_id, stripe_account, livemode, amount, currency, created FROM stripe.disputes
    UNION ALL SELECT balance_transaction_id, stripe_account, livemode, amount, currency, created FROM stripe.balance_transactions
    UNION ALL SELECT payout_id, stripe_account, livemode, amount, currency, created FROM stripe.payouts
)
SELECT 'mode_or_account_mix' AS code, id AS subject, 'break' AS state, NULL AS period, currency, abs(amount) AS amount_at_stake,
    created AS occurred_at, format('{}, {}', strangers.stripe_account, CASE WHEN strangers.livemode THEN 'live' ELSE 'test' END) AS note
FROM strangers, recon.parameters AS terms
WHERE strangers.stripe_account <> terms.stripe_account OR strangers.livemode <> terms.livemode
UNION ALL BY NAME
SELECT 'mode_or_account_mix' AS code, coalesce(object_id, source_file || ':' || source_line) AS subject, 'break' AS state,
    NULL AS period, NULL AS currency, 0 AS amount_at_stake, NULL AS occurred_at, any_value(detail) AS note
FROM stripe.rejected WHERE reason IN ('other_mode', 'other_account') GROUP BY subject;

INSERT INTO finding BY NAME
SELECT 'stale_extract' AS code, 'extract' AS subject, 'break' AS state, NULL AS period, NULL AS currency,
    max(seen_at) AS occurred_at, format('last synced {}', coalesce(strftime(max(seen_at), '%Y-%m-%d %H:%M UTC'), 'never')) AS note
FROM (
    SELECT max(sync.window_end) AS seen_at FROM stripe.syncs AS sync, recon.parameters AS terms
    WHERE sync.stripe_account = terms.stripe_account AND sync.livemode = terms.livemode
) AS synced, recon.parameters AS terms
WHERE terms.stripe_mode = 'api'
GROUP BY terms.as_of HAVING coalesce(max(seen_at) < terms.as_of - to_seconds($stale_seconds), true);

INSERT INTO finding BY NAME
WITH priced AS (
    SELECT charge_id AS id, amount, currency, created, payment_intent_id, charge_id, NULL AS payout_id FROM own_charges
    UNION ALL
    SELECT payout_id, amount, currency, created, NULL, NULL, payout_id FROM own_payouts
)
SELECT 'unsupported_amount' AS code, id AS subject, 'break' AS state, NULL AS period, priced.currency, amount AS amount_at_stake,
    payment_intent_id, charge_id, payout_id, created AS occurred_at,
    CASE WHEN rule.currency IS NULL THEN format('{} has no known exponent', upper(priced.currency))
        ELSE 'not a multiple of ' || money_text(
            CASE WHEN priced.payout_id IS NULL THEN rule.charge_step ELSE rule.payout_step END, priced.currency) END AS note
FROM priced LEFT JOIN currency AS rule ON rule.currency = priced.currency
WHERE rule.currency IS NULL OR priced.amount % CASE WHEN priced.payout_id IS NULL THEN rule.charge_step ELSE rule.payout_step END <> 0;

-- A movement of a closed period that was seen first when the period was closed already.
INSERT INTO finding BY NAME
SELECT 'late_update' AS code, movement_id AS subject, 'break' AS state, closed.period, movement.currency, abs(movement.amount) AS amount_at_stake,
    payment_key AS payment_intent_id, charge_id, movement_id AS balance_transaction_id, moved_at AS occurred_at,
    format('{} was closed on {}', closed.period, strftime(closed.closed_at, '%Y-%m-%d')) AS note
FROM (
    SELECT * FROM own_transactions WHERE first_fetched_at > (SELECT min(closed_at) FROM audit.period_closes)
) AS bt
JOIN movement ON movement.movement_id = bt.balance_transaction_id
JOIN audit.period_closes AS closed USING (period)
WHERE bt.first_fetched_at > closed.closed_at;
