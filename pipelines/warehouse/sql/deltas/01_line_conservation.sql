SELECT file.file_id
FROM audit.usage_files AS file
LEFT JOIN (
    SELECT file_id, count(*) AS records, count(DISTINCT (line_no, record_no)) AS places
    FROM audit.line_dispositions WHERE posting_id = $posting_id AND previous_disposition IS NULL GROUP BY file_id
) AS found USING (file_id)
WHERE file.posting_id = $posting_id
  AND (file.received <> coalesce(found.records, 0) OR file.received <> coalesce(found.places, 0))
