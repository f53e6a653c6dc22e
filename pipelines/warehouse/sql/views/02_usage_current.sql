-- Each event as it stands now: its latest version or price, or what was first posted.
CREATE OR REPLACE VIEW books.usage_current AS
SELECT original.* FROM books.token_usage AS original
ANTI JOIN books.usage_revisions AS revision USING (usage_id)
UNION ALL BY NAME
SELECT * EXCLUDE (revision_no, revision_reason) FROM books.usage_revisions
QUALIFY row_number() OVER (PARTITION BY usage_id ORDER BY revision_no DESC) = 1;
