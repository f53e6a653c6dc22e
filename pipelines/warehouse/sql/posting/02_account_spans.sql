-- From when on each version of an account holds, as known now; the first one reaches back without limit.
CREATE OR REPLACE TEMP TABLE account_spans AS
WITH versions AS (
    SELECT account_id, workspace_id AS workspace, plan, updated_at FROM books.account_versions
    QUALIFY row_number() OVER (
        PARTITION BY account_id, updated_at
        ORDER BY created_at DESC, file_id DESC NULLS LAST, line_no DESC NULLS LAST
    ) = 1
)
SELECT account_id, workspace, plan,
    CASE WHEN row_number() OVER (PARTITION BY account_id ORDER BY updated_at) = 1
        THEN -9223372036854775808 ELSE epoch_us(updated_at) END::BIGINT AS starts_us
FROM versions;
