-- Every money row that Stripe settles and every movement of a token sale stands in exactly one match group.
WITH known AS (
    SELECT 1 AS is_fresh FROM recon.parameters
    WHERE mirror_mark = (SELECT coalesce(sum(bytes_read), 0)::BIGINT FROM stripe.loaded_files)
), wanted AS (
    SELECT transaction_id::VARCHAR AS id FROM recon.ledger, known WHERE amount <> 0
    UNION ALL SELECT movement_id FROM recon.movements, known
), placed AS (
    SELECT transaction_id::VARCHAR AS id FROM recon.matches, known WHERE transaction_id IS NOT NULL
    UNION ALL SELECT movement_id FROM recon.matches, known WHERE movement_id IS NOT NULL
)
SELECT coalesce(wanted.id, placed.id) AS id, coalesce(wanted.times, 0) AS rows_and_movements, coalesce(placed.times, 0) AS places
FROM (SELECT id, count(*) AS times FROM wanted GROUP BY id) AS wanted
FULL JOIN (SELECT id, count(*) AS times FROM placed GROUP BY id) AS placed USING (id)
WHERE wanted.times IS DISTINCT FROM 1 OR placed.times IS DISTINCT FROM 1
