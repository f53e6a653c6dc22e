-- An event, a ledger row, a lot and an object of Stripe each have their id once; no key stands in two events.
SELECT 'books.token_usage' AS table_name, usage_id::VARCHAR AS id FROM books.token_usage GROUP BY usage_id HAVING count(*) > 1
UNION ALL
    -- By hash first: grouping whole keys would cost several times as much.
SELECT 'books.token_usage.event_key', hex(event_key) FROM books.token_usage
WHERE hash(event_key) IN (SELECT hash(event_key) FROM books.token_usage GROUP BY hash(event_key) HAVING count(*) > 1)
GROUP BY event_key HAVING count(*) > 1
UNION ALL
SELECT 'books.token_transactions', transaction_id::VARCHAR FROM books.token_transactions GROUP BY transaction_id HAVING count(*) > 1
UNION ALL
SELECT 'finance.credit_lots', lot_id::VARCHAR FROM finance.credit_lots GROUP BY lot_id HAVING count(*) > 1
UNION ALL
SELECT 'stripe.payment_intents', payment_intent_id FROM stripe.payment_intents GROUP BY payment_intent_id, stripe_account, livemode HAVING count(*) > 1
UNION ALL
SELECT 'stripe.charges', charge_id FROM stripe.charges GROUP BY charge_id, stripe_account, livemode HAVING count(*) > 1
UNION ALL
SELECT 'stripe.refunds', refund_id FROM stripe.refunds GROUP BY refund_id, stripe_account, livemode HAVING count(*) > 1
UNION ALL
SELECT 'stripe.disputes', dispute_id FROM stripe.disputes GROUP BY dispute_id, stripe_account, livemode HAVING count(*) > 1
UNION ALL
SELECT 'stripe.balance_transactions', balance_transaction_id FROM stripe.balance_transactions GROUP BY balance_transaction_id, stripe_account, livemode HAVING count(*) > 1
UNION ALL
SELECT 'stripe.payouts', payout_id FROM stripe.payouts GROUP BY payout_id, stripe_account, livemode HAVING count(*) > 1
UNION ALL
SELECT 'stripe.customers', customer_id FROM stripe.customers GROUP BY customer_id, stripe_account, livemode HAVING count(*) > 1
UNION ALL
SELECT 'stripe.checkout_sessions', checkout_session_id FROM stripe.checkout_sessions GROUP BY checkout_session_id, stripe_account, livemode HAVING count(*) > 1
UNION ALL
SELECT 'stripe.events', event_id FROM stripe.events GROUP BY event_id, stripe_account, livemode HAVING count(*) > 1
UNION ALL
SELECT 'stripe.payout_items', balance_transaction_id FROM stripe.payout_items
GROUP BY balance_transaction_id, payout_id, stripe_account, livemode HAVING count(*) > 1
