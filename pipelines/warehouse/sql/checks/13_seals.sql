-- Each posting names the head before it, and its sealed blocks count the rows that stand in the tables.
WITH rows_now AS (
    SELECT posting_id, 'books.token_usage' AS table_name, count(*) AS row_count FROM books.token_usage GROUP BY posting_id
    UNION ALL SELECT posting_id, 'books.usage_revisions', count(*) FROM books.usage_revisions GROUP BY posting_id
    UNION ALL SELECT posting_id, 'books.token_transactions', count(*) FROM books.token_transactions GROUP BY posting_id
    UNION ALL SELECT posting_id, 'finance.lot_allocations', count(*) FROM finance.lot_allocations GROUP BY posting_id
    UNION ALL SELECT posting_id, 'finance.credit_lots', count(*) FROM finance.credit_lots GROUP BY posting_id
    UNION ALL SELECT posting_id, 'books.credits', count(*) FROM books.credits GROUP BY posting_id
    UNION ALL SELECT posting_id, 'books.account_versions', count(*) FROM books.account_versions GROUP BY posting_id
    UNION ALL SELECT posting_id, 'books.provider_models', count(*) FROM books.provider_models GROUP BY posting_id
    UNION ALL SELECT posting_id, 'books.provider_prices', count(*) FROM books.provider_prices GROUP BY posting_id
    UNION ALL SELECT posting_id, 'audit.usage_files', count(*) FROM audit.usage_files GROUP BY posting_id
    UNION ALL SELECT posting_id, 'audit.quarantine', count(*) FROM audit.quarantine GROUP BY posting_id
    UNION ALL SELECT posting_id, 'audit.line_dispositions', count(*) FROM audit.line_dispositions
        WHERE disposition <> 'accepted' OR previous_disposition IS NOT NULL GROUP BY posting_id
    UNION ALL SELECT posting_id, 'audit.admin_actions', count(*) FROM audit.admin_actions GROUP BY posting_id
    UNION ALL SELECT posting_id, 'books.rates', count(*) FROM books.rates GROUP BY posting_id
    UNION ALL SELECT posting_id, 'books.rate_states', count(*) FROM books.rate_states GROUP BY posting_id
    UNION ALL SELECT posting_id, 'books.tier_positions', count(*) FROM books.tier_positions GROUP BY posting_id
    UNION ALL SELECT posting_id, 'books.usage_versions', count(*) FROM books.usage_versions GROUP BY posting_id
), sealed AS (
    SELECT posting_id, table_name, sum(row_count) AS row_count FROM audit.blocks GROUP BY ALL
), chain AS (
    SELECT posting_id, previous_head, coalesce(lag(head) OVER (ORDER BY posting_id), repeat('0', 64)) AS expected_head,
        coalesce(lag(posting_id) OVER (ORDER BY posting_id), 0) AS previous_id
    FROM audit.postings
)
SELECT posting_id, table_name, rows_now.row_count AS rows_now, sealed.row_count AS rows_sealed, 'row count' AS defect
FROM rows_now FULL JOIN sealed USING (posting_id, table_name)
WHERE rows_now.row_count IS DISTINCT FROM sealed.row_count
UNION ALL
SELECT posting_id, NULL, NULL, NULL, 'chain of heads' FROM chain
WHERE previous_head <> expected_head OR posting_id <> previous_id + 1
UNION ALL
SELECT posting.posting_id, NULL, posting.files, count(file.file_id), 'figures of the posting'
FROM audit.postings AS posting LEFT JOIN audit.usage_files AS file USING (posting_id)
GROUP BY posting.posting_id, posting.files, posting.received, posting.accepted
HAVING posting.files <> count(file.file_id) OR posting.received <> coalesce(sum(file.received), 0)
    OR posting.accepted <> coalesce(sum(file.accepted), 0)
