-- The version under which an event stands, for sources whose records have one.
INSERT INTO books.usage_versions
SELECT event_key, version, $posting_id FROM classified_usage
WHERE disposition = 'accepted' AND version IS NOT NULL;
