-- Ledger, carrier lines and Stripe leave nothing over, per period and currency; totals are taken from the two sides anew.
WITH both_sides AS (
    SELECT period, currency, amount AS stripe, 0 AS ledger, 0 AS carried FROM recon.movements
    UNION ALL SELECT period, currency, 0, amount, 0 FROM recon.ledger
    UNION ALL SELECT period, currency, 0, 0, amount FROM recon.lines
)
SELECT period, currency, sum(ledger)::BIGINT AS ledger_total, sum(carried)::BIGINT AS carried,
    sum(stripe)::BIGINT AS stripe_total, (sum(stripe) - sum(ledger) - sum(carried))::BIGINT AS residual
FROM both_sides
-- A mirror that has grown since the last run is proved by the next one.
WHERE EXISTS (FROM recon.parameters WHERE mirror_mark = (SELECT coalesce(sum(bytes_read), 0)::BIGINT FROM stripe.loaded_files))
GROUP BY period, currency
HAVING sum(stripe) - sum(ledger) - sum(carried) <> 0
UNION ALL
SELECT period, currency, NULL, NULL, NULL, amount FROM recon.bridge WHERE line = 'residual' AND stage <> 'A' AND amount <> 0
