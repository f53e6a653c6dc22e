-- A row's period is the month in which it happened: in the books' zone, so within fourteen hours of the month in UTC.
SELECT 'books.token_transactions' AS table_name, transaction_id::VARCHAR AS id, occurred_at, period
FROM books.token_transactions
WHERE period NOT IN (strftime(occurred_at - INTERVAL 14 HOUR, '%Y-%m'), strftime(occurred_at + INTERVAL 14 HOUR, '%Y-%m'))
UNION ALL
SELECT 'finance.lot_allocations', lot_id::VARCHAR, allocated_at, period
FROM finance.lot_allocations
WHERE period NOT IN (strftime(allocated_at - INTERVAL 14 HOUR, '%Y-%m'), strftime(allocated_at + INTERVAL 14 HOUR, '%Y-%m'))
