-- Accounts that this posting learned of: their versions, then a row for each new one.
INSERT INTO books.account_versions BY NAME
SELECT * EXCLUDE (row_id, source, record_no, disposition, reason, detail, event_key, retried), $posting_id AS posting_id
FROM classified_accounts
WHERE disposition = 'accepted'
ORDER BY file_id, line_no;

-- Without an accounts file a first usage or credit opens the account; it is dated at the start of the books,
-- so that its bonus does not depend on which file came first.
INSERT INTO books.account_versions BY NAME
SELECT account_id, account_id AS user_id, $start AS created_at, $start AS updated_at, $posting_id AS posting_id
FROM (
    SELECT DISTINCT account_id FROM classified_usage WHERE disposition = 'accepted'
    UNION
    SELECT DISTINCT account_id FROM classified_credits WHERE disposition = 'accepted'
) AS named
ANTI JOIN books.token_accounts USING (account_id)
ANTI JOIN (SELECT DISTINCT account_id FROM books.account_versions) AS known USING (account_id)
ORDER BY account_id;

CREATE OR REPLACE TEMP TABLE latest_versions AS
SELECT * FROM books.account_versions
SEMI JOIN (SELECT DISTINCT account_id FROM books.account_versions WHERE posting_id = $posting_id) AS fresh USING (account_id)
QUALIFY row_number() OVER (
    PARTITION BY account_id
    ORDER BY updated_at DESC, created_at DESC, file_id DESC NULLS LAST, line_no DESC NULLS LAST
) = 1;

INSERT INTO books.token_accounts
SELECT
    account_id, coalesce(user_id, account_id), workspace_id, 0, 0, 0, 0, 0, false, NULL, NULL, NULL, NULL, currency,
    'active', 'ok', NULL, created_at, $recorded_at
FROM latest_versions
ANTI JOIN books.token_accounts USING (account_id)
ORDER BY account_id;

INSERT INTO books.account_heads
SELECT account_id, 0, 0, 0, false, $posting_id, NULL
FROM latest_versions
ANTI JOIN books.account_heads USING (account_id)
ORDER BY account_id;
