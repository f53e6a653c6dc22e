-- Every row that enters the ledger in this posting, but for those that settling the lots will add.
CREATE OR REPLACE TEMP VIEW ledger_entries AS
SELECT row_id AS entry_id, account_id, occurred_at, 2 AS rank, transaction_id, -billable_tokens AS token_amount,
    'debit' AS lot_kind
FROM usage_rated WHERE billable_tokens > 0 AND NOT supersedes
UNION ALL
SELECT entry_id, account_id, occurred_at, rank, transaction_id, token_amount, lot_kind FROM entries;

CREATE OR REPLACE TEMP TABLE sequenced (entry_id BIGINT, account_seq BIGINT, balance_before BIGINT, balance_after BIGINT);

-- Accounts with rows in this posting, and accounts with a lot that ends in it.
CREATE OR REPLACE TEMP TABLE settled_accounts AS
SELECT DISTINCT account_id FROM ledger_entries
UNION
SELECT DISTINCT account_id FROM finance.credit_lots
WHERE expires_at >= $previous_horizon AND expires_at < $horizon;

CREATE OR REPLACE TEMP TABLE opening_heads AS
SELECT * FROM books.account_heads SEMI JOIN settled_accounts USING (account_id);

-- Where on the tape the rows stand that a release of this posting names.
CREATE OR REPLACE TEMP TABLE named_intervals AS
WITH debits AS (
    SELECT row.account_id, row.account_seq, row.transaction_id, row.transaction_type, row.usage_id,
        -row.token_amount - coalesce(withdrawn.tokens, 0) AS tape_tokens
    FROM books.token_transactions AS row
    SEMI JOIN (SELECT account_id FROM entries WHERE lot_kind = 'release') AS releasing USING (account_id)
    LEFT JOIN (
        SELECT transaction_id, sum(tokens)::BIGINT AS tokens FROM finance.lot_allocations
        WHERE kind = 'take_back' GROUP BY transaction_id
    ) AS withdrawn USING (transaction_id)
    WHERE row.token_amount < 0 AND row.transaction_type <> 'expiry'
)
SELECT transaction_id, transaction_type, usage_id,
    (sum(tape_tokens) OVER account - tape_tokens)::BIGINT AS interval_from,
    (sum(tape_tokens) OVER account)::BIGINT AS interval_to
FROM debits
WINDOW account AS (PARTITION BY account_id ORDER BY account_seq);

-- A call whose later versions cost more stands on the tape in several places; a cheaper version gives back from all.
CREATE OR REPLACE TEMP TABLE raised_intervals AS
SELECT usage_id, flatten(list([interval_from, interval_to] ORDER BY interval_from)) AS other_intervals
FROM named_intervals
WHERE usage_id IS NOT NULL AND transaction_type = 'correction'
GROUP BY usage_id;
