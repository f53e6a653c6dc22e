-- Columns that the commands which edit rates.toml and packages.toml fill in.
COMMENT ON COLUMN audit.admin_actions.change IS 'For a change of a configuration file: file, what, sha256_before (NULL when the file was made) and sha256_after; NULL for the others.';
COMMENT ON COLUMN audit.admin_actions.held_reason IS 'Why the entry could not be posted and moves nothing; NULL for those that stand.';
