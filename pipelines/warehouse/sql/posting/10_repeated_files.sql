-- A file whose bytes were delivered before is not read again, but each of its lines is counted: as a repeat.
CREATE OR REPLACE TEMP TABLE repeated_lines AS
WITH RECURSIVE files AS (
    SELECT file_id, source, sha256, continues_file_id, outcome FROM audit.usage_files
    UNION ALL
    SELECT file_id, source, sha256, continues_file_id, outcome FROM posting_files
), origins AS (
    SELECT repeated.file_id AS repeated_id, origin.file_id, origin.continues_file_id
    FROM posting_files AS repeated
    JOIN files AS origin USING (source, sha256)
    WHERE repeated.outcome = 'duplicate' AND origin.outcome = 'taken'
    UNION ALL
    -- A file that grew was read in parts; together they are the whole.
    SELECT origins.repeated_id, part.file_id, part.continues_file_id
    FROM origins JOIN files AS part ON part.file_id = origins.continues_file_id
)
SELECT origins.repeated_id AS file_id, line.line_no, line.record_no,
    CASE WHEN line.disposition = 'blank' THEN 'blank' ELSE 'duplicate' END AS disposition, line.event_key
FROM origins
JOIN audit.line_dispositions AS line ON line.file_id = origins.file_id AND line.previous_disposition IS NULL
QUALIFY row_number() OVER (
    PARTITION BY origins.repeated_id, line.line_no, line.record_no ORDER BY line.file_id DESC
) = 1;

INSERT INTO audit.line_dispositions BY NAME
SELECT file_id, line_no, record_no, disposition, event_key, $posting_id AS posting_id
FROM repeated_lines
ORDER BY file_id, line_no, record_no;

UPDATE posting_files AS file SET received = counted.records
FROM (SELECT file_id, count(*) AS records FROM repeated_lines GROUP BY file_id) AS counted
WHERE file.file_id = counted.file_id;
