-- What each view and its columns mean; a view that is replaced needs them again.

COMMENT ON VIEW audit.current_dispositions IS 'What each record is now: its first reading, unless a retry or a later version moved it.';
COMMENT ON COLUMN audit.current_dispositions.file_id IS 'Input file that the record came from; see audit.usage_files.';
COMMENT ON COLUMN audit.current_dispositions.line_no IS 'Line of the file, from 1.';
COMMENT ON COLUMN audit.current_dispositions.record_no IS 'Record within the line, from 1: a line may hold several.';
COMMENT ON COLUMN audit.current_dispositions.disposition IS 'What became of the record: accepted, duplicate, superseded, conflict, ignored, quarantined or blank.';
COMMENT ON COLUMN audit.current_dispositions.reason IS 'Why it was not accepted, one word of a fixed list; unreadable_cost if it was, without its reported cost; else NULL.';

COMMENT ON VIEW audit.quarantine_open IS 'Records that are held back now, with why.';
COMMENT ON COLUMN audit.quarantine_open.file_id IS 'Input file that the record came from; see audit.usage_files.';
COMMENT ON COLUMN audit.quarantine_open.line_no IS 'Line of the file, from 1.';
COMMENT ON COLUMN audit.quarantine_open.record_no IS 'Record within the line, from 1: a line may hold several.';
COMMENT ON COLUMN audit.quarantine_open.source IS 'Name of the configured input: a usage block, or credits, or accounts.';
COMMENT ON COLUMN audit.quarantine_open.kind IS 'What the input holds: usage, credits or accounts.';
COMMENT ON COLUMN audit.quarantine_open.reason IS 'Why it was not accepted, one word of a fixed list; NULL if accepted.';
COMMENT ON COLUMN audit.quarantine_open.detail IS 'The value or field that the reason is about.';
COMMENT ON COLUMN audit.quarantine_open.account_id IS 'Account named by the record, if readable.';
COMMENT ON COLUMN audit.quarantine_open.event_key IS 'SHA-256 over source and id: two records with one key are one event.';
COMMENT ON COLUMN audit.quarantine_open.line_sha256 IS 'SHA-256 of the record''s bytes.';
COMMENT ON COLUMN audit.quarantine_open.parsed IS 'The fields that could be read, as JSON; every text is cut to 512 characters.';
COMMENT ON COLUMN audit.quarantine_open.posting_id IS 'Number of the posting that wrote the row: 1, 2, 3 ... without gaps.';
COMMENT ON COLUMN audit.quarantine_open.path IS 'Path of the file below the books folder when it was read.';
