-- The last report of each bucket: a provider's figures of a day grow until the day is over.
CREATE OR REPLACE VIEW books.provider_usage_current AS
SELECT * FROM books.provider_usage
QUALIFY row_number() OVER (PARTITION BY bucket_key ORDER BY posting_id DESC, file_id DESC, line_no DESC, record_no DESC) = 1;
