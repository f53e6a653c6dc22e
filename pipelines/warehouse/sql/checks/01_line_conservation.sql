-- Every record of a file ends in exactly one disposition, at its first reading and now; each accepted one is in the books.
WITH first_reading AS (
    SELECT file_id, count(*) AS records,
        count(*) FILTER (disposition = 'accepted') AS accepted, count(*) FILTER (disposition = 'duplicate') AS duplicate,
        count(*) FILTER (disposition = 'superseded') AS superseded, count(*) FILTER (disposition = 'conflict') AS conflict,
        count(*) FILTER (disposition = 'ignored') AS ignored, count(*) FILTER (disposition = 'quarantined') AS quarantined,
        count(*) FILTER (disposition = 'blank') AS blank
    FROM audit.line_dispositions WHERE previous_disposition IS NULL GROUP BY file_id
), current_state AS (
    SELECT file_id, count(*) AS records, count(DISTINCT line_no * 2147483648::HUGEINT + record_no) AS places,
        count(*) FILTER (disposition = 'accepted') AS accepted
    FROM audit.current_dispositions GROUP BY file_id
), kept AS (
    SELECT file_id, count(*) AS records
    FROM (
        SELECT file_id FROM books.usage_current
        UNION ALL SELECT file_id FROM books.credits WHERE source <> 'journal'
        UNION ALL SELECT file_id FROM books.account_versions WHERE file_id IS NOT NULL
    ) AS places GROUP BY file_id
)
SELECT
    coalesce(file.file_id, first_reading.file_id, kept.file_id) AS file_id, file.path, file.received,
    first_reading.records AS first_records, current_state.records AS current_records,
    current_state.accepted AS accepted_now, kept.records AS kept_records
FROM audit.usage_files AS file
FULL JOIN first_reading USING (file_id)
LEFT JOIN current_state USING (file_id)
FULL JOIN kept USING (file_id)
WHERE file.file_id IS NULL
   OR file.received <> file.accepted + file.duplicate + file.superseded + file.conflict + file.ignored + file.quarantined + file.blank
   OR file.received <> coalesce(first_reading.records, 0)
   OR file.received <> coalesce(current_state.records, 0)
   OR file.received <> coalesce(current_state.places, 0)
   OR file.accepted <> coalesce(first_reading.accepted, 0) OR file.duplicate <> coalesce(first_reading.duplicate, 0)
   OR file.superseded <> coalesce(first_reading.superseded, 0) OR file.conflict <> coalesce(first_reading.conflict, 0)
   OR file.ignored <> coalesce(first_reading.ignored, 0) OR file.quarantined <> coalesce(first_reading.quarantined, 0)
   OR file.blank <> coalesce(first_reading.blank, 0)
   OR coalesce(current_state.accepted, 0) <> coalesce(kept.records, 0)
