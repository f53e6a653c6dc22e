-- What each record is now: its first reading, unless a retry or a later version moved it.
CREATE OR REPLACE VIEW audit.current_dispositions AS
WITH moved AS (
    SELECT file_id, line_no, record_no, arg_max(disposition, posting_id) AS disposition,
        arg_max(reason, posting_id) AS reason
    FROM audit.line_dispositions
    WHERE previous_disposition IS NOT NULL
    GROUP BY ALL
)
SELECT
    first.file_id, first.line_no, first.record_no,
    coalesce(moved.disposition, first.disposition) AS disposition,
    CASE WHEN moved.disposition IS NULL THEN first.reason ELSE moved.reason END AS reason
FROM audit.line_dispositions AS first
LEFT JOIN moved USING (file_id, line_no, record_no)
WHERE first.previous_disposition IS NULL;
