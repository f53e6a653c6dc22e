-- The table that only the published copy has.

COMMENT ON TABLE audit.publication IS 'Which posting this copy is.';
COMMENT ON COLUMN audit.publication.posting_id IS 'Last posting in this copy.';
COMMENT ON COLUMN audit.publication.head IS 'Head of that posting.';
COMMENT ON COLUMN audit.publication.schema_version IS 'Schema of this copy.';
