-- What each table and its columns mean.

COMMENT ON TABLE audit.admin_actions IS 'What administrators did by hand, as read from their journal.';
COMMENT ON COLUMN audit.admin_actions.seq IS 'Line of the journal, from 1.';
COMMENT ON COLUMN audit.admin_actions.entry_id IS 'Id of the entry.';
COMMENT ON COLUMN audit.admin_actions.occurred_at IS 'UTC instant of the entry.';
COMMENT ON COLUMN audit.admin_actions.actor IS 'Who did it.';
COMMENT ON COLUMN audit.admin_actions.action IS 'grant, deduct, block or unblock; settings or packages for a change of their file.';
COMMENT ON COLUMN audit.admin_actions.account_id IS 'Account that it concerns; NULL for a change of a configuration file.';
COMMENT ON COLUMN audit.admin_actions.token_amount IS 'Tokens granted or deducted, above zero; NULL for the other actions.';
COMMENT ON COLUMN audit.admin_actions.reason IS 'Why, in the actor''s words.';
COMMENT ON COLUMN audit.admin_actions.entry_hash IS 'Hash of the entry in the journal''s chain.';
COMMENT ON COLUMN audit.admin_actions.posting_id IS 'Number of the posting that wrote the row: 1, 2, 3 ... without gaps.';

COMMENT ON TABLE audit.blocks IS 'Seals: one hash per 10,000 rows that a posting wrote, recomputed by a verification.';
COMMENT ON COLUMN audit.blocks.posting_id IS 'Number of the posting that wrote the row: 1, 2, 3 ... without gaps.';
COMMENT ON COLUMN audit.blocks.table_name IS 'Table, as schema.table.';
COMMENT ON COLUMN audit.blocks.block_no IS 'Number of the block within posting and table, from 1.';
COMMENT ON COLUMN audit.blocks.row_count IS 'Rows in the block.';
COMMENT ON COLUMN audit.blocks.hash_version IS 'Version of the column list that was hashed.';
COMMENT ON COLUMN audit.blocks.sha256 IS 'SHA-256 over the rows of the block in their fixed order.';

COMMENT ON TABLE audit.check_results IS 'What each check of a posting found before it was committed.';
COMMENT ON COLUMN audit.check_results.posting_id IS 'Number of the posting that wrote the row: 1, 2, 3 ... without gaps.';
COMMENT ON COLUMN audit.check_results.check_name IS 'Check, as in schema checks.';
COMMENT ON COLUMN audit.check_results.failing_rows IS 'Rows that the check found; 0 is a pass.';

COMMENT ON TABLE audit.guard IS 'Always empty: the triggers of append-only tables write to it in order to fail.';
COMMENT ON COLUMN audit.guard.message IS 'Never filled.';

COMMENT ON TABLE audit.line_dispositions IS 'What became of every record of every file; a later change of mind is a further row.';
COMMENT ON COLUMN audit.line_dispositions.file_id IS 'Input file that the record came from; see audit.usage_files.';
COMMENT ON COLUMN audit.line_dispositions.line_no IS 'Line of the file, from 1.';
COMMENT ON COLUMN audit.line_dispositions.record_no IS 'Record within the line, from 1: a line may hold several.';
COMMENT ON COLUMN audit.line_dispositions.disposition IS 'What became of the record: accepted, duplicate, superseded, conflict, ignored, quarantined or blank.';
COMMENT ON COLUMN audit.line_dispositions.reason IS 'Why it was not accepted, one word of a fixed list; unreadable_cost if it was, without its reported cost; else NULL.';
COMMENT ON COLUMN audit.line_dispositions.previous_disposition IS 'Disposition that this row replaces; NULL for the first reading.';
COMMENT ON COLUMN audit.line_dispositions.event_key IS 'SHA-256 over source and id; NULL for accepted records, whose event has it.';
COMMENT ON COLUMN audit.line_dispositions.posting_id IS 'Number of the posting that wrote the row: 1, 2, 3 ... without gaps.';

COMMENT ON TABLE audit.postings IS 'One row per posting: what it took, what it wrote, and the seal over it.';
COMMENT ON COLUMN audit.postings.posting_id IS 'Number of the posting that wrote the row: 1, 2, 3 ... without gaps.';
COMMENT ON COLUMN audit.postings.billing_date IS 'UTC date up to which the posting took everything not yet posted.';
COMMENT ON COLUMN audit.postings.recorded_at IS 'UTC instant at which the posting was recorded, the same for all its rows; rises strictly from posting to posting.';
COMMENT ON COLUMN audit.postings.intent_hash IS 'Hash of the journal line that announced the posting.';
COMMENT ON COLUMN audit.postings.kind IS 'run, or retry of records that were held back.';
COMMENT ON COLUMN audit.postings.files IS 'Input files of the posting, refused and repeated ones included.';
COMMENT ON COLUMN audit.postings.received IS 'Records read, of every disposition.';
COMMENT ON COLUMN audit.postings.accepted IS 'Records accepted: now in the books.';
COMMENT ON COLUMN audit.postings.duplicate IS 'Records that repeat another one: not billed again.';
COMMENT ON COLUMN audit.postings.superseded IS 'Records replaced by a later version of the same event.';
COMMENT ON COLUMN audit.postings.conflict IS 'Records that contradict another of the same id: held, not billed.';
COMMENT ON COLUMN audit.postings.ignored IS 'Records passed over on purpose, with a reason.';
COMMENT ON COLUMN audit.postings.quarantined IS 'Records that could not be understood: held, not billed, with a reason.';
COMMENT ON COLUMN audit.postings.blank IS 'Empty lines.';
COMMENT ON COLUMN audit.postings.usage_rows IS 'Calls written.';
COMMENT ON COLUMN audit.postings.ledger_rows IS 'Ledger rows written.';
COMMENT ON COLUMN audit.postings.held_rows IS 'Calls written that no rule prices yet.';
COMMENT ON COLUMN audit.postings.tokens_billed IS 'Tokens charged for calls, net of corrections.';
COMMENT ON COLUMN audit.postings.tokens_credited IS 'Tokens added by other rows than calls and their corrections.';
COMMENT ON COLUMN audit.postings.admin_seq IS 'Last line of the administrators'' journal that the posting has read.';
COMMENT ON COLUMN audit.postings.code_version IS 'Version of Tollbook that wrote the posting.';
COMMENT ON COLUMN audit.postings.previous_head IS 'Head of the posting before; 64 zeros for the first.';
COMMENT ON COLUMN audit.postings.head IS 'SHA-256 that seals this posting and, through the head before, all earlier ones; also in the journal.';

COMMENT ON TABLE audit.quarantine IS 'Records that were held back, with why. Raw bytes stay outside the database.';
COMMENT ON COLUMN audit.quarantine.file_id IS 'Input file that the record came from; see audit.usage_files.';
COMMENT ON COLUMN audit.quarantine.line_no IS 'Line of the file, from 1.';
COMMENT ON COLUMN audit.quarantine.record_no IS 'Record within the line, from 1: a line may hold several.';
COMMENT ON COLUMN audit.quarantine.source IS 'Name of the configured input: a usage block, or credits, or accounts.';
COMMENT ON COLUMN audit.quarantine.kind IS 'What the input holds: usage, credits or accounts.';
COMMENT ON COLUMN audit.quarantine.reason IS 'Why it was not accepted, one word of a fixed list; NULL if accepted.';
COMMENT ON COLUMN audit.quarantine.detail IS 'The value or field that the reason is about; control and invisible characters are replaced.';
COMMENT ON COLUMN audit.quarantine.account_id IS 'Account named by the record, if readable.';
COMMENT ON COLUMN audit.quarantine.event_key IS 'SHA-256 over source and id: two records with one key are one event.';
COMMENT ON COLUMN audit.quarantine.line_sha256 IS 'SHA-256 of the record''s bytes.';
COMMENT ON COLUMN audit.quarantine.parsed IS 'The fields that could be read, as JSON; every text is cut to 512 characters.';
COMMENT ON COLUMN audit.quarantine.posting_id IS 'Number of the posting that wrote the row: 1, 2, 3 ... without gaps.';

COMMENT ON TABLE audit.schema_versions IS 'Migrations that this file has been through.';
COMMENT ON COLUMN audit.schema_versions.version IS 'Number of the migration.';
COMMENT ON COLUMN audit.schema_versions.name IS 'File of the migration.';

COMMENT ON TABLE audit.usage_files IS 'Every input file that was found: taken, seen before or refused, with what became of its records.';
COMMENT ON COLUMN audit.usage_files.file_id IS 'Number of the file, from 1.';
COMMENT ON COLUMN audit.usage_files.source IS 'Name of the configured input: a usage block, or credits, or accounts.';
COMMENT ON COLUMN audit.usage_files.kind IS 'What the input holds: usage, credits or accounts.';
COMMENT ON COLUMN audit.usage_files.path IS 'Path of the file below the books folder when it was read.';
COMMENT ON COLUMN audit.usage_files.sha256 IS 'SHA-256 of the bytes that were taken, as stored.';
COMMENT ON COLUMN audit.usage_files.size_bytes IS 'How many bytes from its start were taken: all, or those before a last line still in the writing.';
COMMENT ON COLUMN audit.usage_files.byte_from IS 'First byte that was read: above 0 where the file continues one read before.';
COMMENT ON COLUMN audit.usage_files.continues_file_id IS 'File that this one continues.';
COMMENT ON COLUMN audit.usage_files.profile IS 'Profile by which the file was read.';
COMMENT ON COLUMN audit.usage_files.profile_sha256 IS 'SHA-256 of the profile''s text.';
COMMENT ON COLUMN audit.usage_files.file_date IS 'UTC date of the file, from its path or the day it was first seen.';
COMMENT ON COLUMN audit.usage_files.outcome IS 'taken, duplicate (the same bytes were read before) or refused.';
COMMENT ON COLUMN audit.usage_files.reason IS 'Why the file was refused, one word.';
COMMENT ON COLUMN audit.usage_files.first_line IS 'First line that was read.';
COMMENT ON COLUMN audit.usage_files.last_line IS 'Last line that was read; first_line - 1 if none.';
COMMENT ON COLUMN audit.usage_files.received IS 'Records read from the file.';
COMMENT ON COLUMN audit.usage_files.accepted IS 'Records accepted: now in the books.';
COMMENT ON COLUMN audit.usage_files.duplicate IS 'Records that repeat another one: not billed again.';
COMMENT ON COLUMN audit.usage_files.superseded IS 'Records replaced by a later version of the same event.';
COMMENT ON COLUMN audit.usage_files.conflict IS 'Records that contradict another of the same id: held, not billed.';
COMMENT ON COLUMN audit.usage_files.ignored IS 'Records passed over on purpose, with a reason.';
COMMENT ON COLUMN audit.usage_files.quarantined IS 'Records that could not be understood: held, not billed, with a reason.';
COMMENT ON COLUMN audit.usage_files.blank IS 'Empty lines.';
COMMENT ON COLUMN audit.usage_files.posting_id IS 'Number of the posting that wrote the row: 1, 2, 3 ... without gaps.';

COMMENT ON TABLE audit.verifications IS 'What each full verification found.';
COMMENT ON COLUMN audit.verifications.verified_at IS 'UTC instant of the verification.';
COMMENT ON COLUMN audit.verifications.posting_id IS 'Last posting when it ran.';
COMMENT ON COLUMN audit.verifications.check_name IS 'Check, as in schema checks.';
COMMENT ON COLUMN audit.verifications.passed IS 'Whether nothing was found.';
COMMENT ON COLUMN audit.verifications.failing_rows IS 'Rows that the check found; 0 is a pass.';
COMMENT ON COLUMN audit.verifications.detail IS 'Sentence about a failure.';
