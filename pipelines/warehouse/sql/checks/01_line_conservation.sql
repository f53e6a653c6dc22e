-- Every record of a file ends in exactly one disposition, at its first reading and now.
WITH first_reading AS (
    SELECT file_id, count(*) AS records FROM audit.line_dispositions
    WHERE previous_disposition IS NULL GROUP BY file_id
), current_state AS (
    SELECT file_id, count(*) AS records, count(DISTINCT (line_no, record_no)) AS places
    FROM audit.current_dispositions GROUP BY file_id
)
SELECT file.file_id, file.path, file.received, first_reading.records AS first_records, current_state.records AS current_records
FROM audit.usage_files AS file
LEFT JOIN first_reading USING (file_id)
LEFT JOIN current_state USING (file_id)
WHERE file.received <> file.accepted + file.duplicate + file.superseded + file.conflict + file.ignored + file.quarantined + file.blank
   OR file.received <> coalesce(first_reading.records, 0)
   OR file.received <> coalesce(current_state.records, 0)
   OR file.received <> coalesce(current_state.places, 0)
