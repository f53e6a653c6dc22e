COMMENT ON TABLE audit.view_versions IS 'From which SQL the views of this file were made; one row.';
COMMENT ON COLUMN audit.view_versions.texts_sha256 IS 'SHA-256 over the SQL files of the views, checks and comments.';
COMMENT ON COLUMN audit.view_versions.standing_sha256 IS 'SHA-256 over the words and signs of the views as they then stood, in sorted order.';
