-- What each record is now: its first reading, unless a retry or a later version moved it.
CREATE OR REPLACE VIEW audit.current_dispositions AS
WITH moved AS (
    -- As one value: arg_max passes over NULL, and a record that is accepted at last has no reason.
    SELECT file_id, line_no, record_no, arg_max({'disposition': disposition, 'reason': reason}, posting_id) AS last
    FROM audit.line_dispositions
    WHERE previous_disposition IS NOT NULL
    GROUP BY ALL
)
SELECT
    first.file_id, first.line_no, first.record_no,
    coalesce(moved.last.disposition, first.disposition) AS disposition,
    CASE WHEN moved.last IS NULL THEN first.reason ELSE moved.last.reason END AS reason
FROM audit.line_dispositions AS first
LEFT JOIN moved USING (file_id, line_no, record_no)
WHERE first.previous_disposition IS NULL;
