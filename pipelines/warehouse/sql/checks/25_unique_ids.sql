-- An event, a ledger row and a lot each have their id once; no key stands in two events.
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
