-- One row per file with what became of its records; check 1 compares received, which the framing counted.
INSERT INTO audit.usage_files BY NAME
SELECT
    file.*, coalesce(counts.last_line, file.first_line - 1) AS last_line,
    coalesce(counts.accepted, 0) AS accepted, coalesce(counts.duplicate, 0) AS duplicate,
    coalesce(counts.superseded, 0) AS superseded, coalesce(counts.conflict, 0) AS conflict,
    coalesce(counts.ignored, 0) AS ignored, coalesce(counts.quarantined, 0) AS quarantined,
    coalesce(counts.blank, 0) AS blank, $posting_id AS posting_id
FROM posting_files AS file
LEFT JOIN (
    SELECT
        file_id, max(line_no) AS last_line,
        count(*) FILTER (disposition = 'accepted') AS accepted,
        count(*) FILTER (disposition = 'duplicate') AS duplicate,
        count(*) FILTER (disposition = 'superseded') AS superseded,
        count(*) FILTER (disposition = 'conflict') AS conflict,
        count(*) FILTER (disposition = 'ignored') AS ignored,
        count(*) FILTER (disposition = 'quarantined') AS quarantined,
        count(*) FILTER (disposition = 'blank') AS blank
    FROM audit.line_dispositions
    WHERE posting_id = $posting_id AND previous_disposition IS NULL
    GROUP BY file_id
) AS counts USING (file_id)
ORDER BY file_id;
