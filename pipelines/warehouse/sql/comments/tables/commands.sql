-- Columns that the commands which edit rates.toml and packages.toml fill in.
COMMENT ON COLUMN audit.admin_actions.change IS 'For a change of a configuration file: file, what, sha256_before (NULL when the file was made) and sha256_after; NULL for the others.';
