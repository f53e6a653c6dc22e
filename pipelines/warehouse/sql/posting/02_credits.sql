-- Credit records are kept when they are read; they enter the ledger when their date has come.
INSERT INTO books.credits BY NAME
SELECT
    derived_id(greatest(occurred_at, effective_at), 'credit', credit_id) AS transaction_id,
    greatest(occurred_at, effective_at) AS posted_at,
    * EXCLUDE (row_id, record_no, disposition, reason, detail, retried),
    $posting_id AS posting_id
FROM classified_credits
WHERE disposition = 'accepted'
ORDER BY file_id, line_no;
