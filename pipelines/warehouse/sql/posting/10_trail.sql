-- What became of every record of every file, and the rows held back with their reason.
INSERT INTO audit.line_dispositions BY NAME
SELECT file_id, line_no, record_no, disposition, reason,
    CASE WHEN disposition <> 'accepted' THEN event_key END AS event_key, $posting_id AS posting_id
FROM (
    SELECT file_id, line_no, record_no, disposition, reason, event_key FROM classified_accounts WHERE NOT retried
    UNION ALL SELECT file_id, line_no, record_no, disposition, reason, event_key FROM classified_credits WHERE NOT retried
    UNION ALL SELECT file_id, line_no, record_no, disposition, reason, event_key FROM classified_usage WHERE NOT retried
    UNION ALL SELECT file_id, line_no, record_no, disposition, reason, event_key FROM classified_provider_usage WHERE NOT retried
) AS records
ORDER BY file_id, line_no, record_no;

INSERT INTO audit.line_dispositions BY NAME
SELECT file_id, line_no, record_no, disposition, reason, previous_disposition, event_key, $posting_id AS posting_id
FROM disposition_transitions
ORDER BY file_id, line_no, record_no;

INSERT INTO audit.quarantine BY NAME
SELECT file_id, line_no, record_no, source, kind, reason, detail, account_id, event_key, line_sha256, parsed,
    $posting_id AS posting_id
FROM quarantined_records
ORDER BY file_id, line_no, record_no;
