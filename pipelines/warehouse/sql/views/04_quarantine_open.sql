-- Records that are held back now, with why. The raw bytes stay out of the database.
CREATE OR REPLACE VIEW audit.quarantine_open AS
SELECT held.*, file.path
FROM audit.quarantine AS held
JOIN audit.usage_files AS file USING (file_id)
SEMI JOIN (
    SELECT file_id, line_no, record_no FROM audit.current_dispositions
    WHERE disposition IN ('quarantined', 'conflict')
) AS open USING (file_id, line_no, record_no);
