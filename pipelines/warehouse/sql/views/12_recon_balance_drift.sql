-- The books against the app's own figure of each account's balance, at the instant for which the app states it, and what
-- of the books the app does not know: one cause that comes to the whole difference names it.
CREATE OR REPLACE VIEW recon.balance_drift AS
WITH stated AS (
    SELECT account_id, updated_at AS stated_at, reported_balance
    FROM books.account_versions WHERE reported_balance IS NOT NULL
    QUALIFY row_number() OVER (PARTITION BY account_id ORDER BY updated_at DESC, created_at DESC, file_id DESC NULLS LAST, line_no DESC NULLS LAST) = 1
), booked AS (
    SELECT stated.account_id, sum(row.token_amount)::BIGINT AS balance,
        coalesce(sum(row.token_amount) FILTER (row.transaction_type = 'expiry'), 0)::BIGINT AS expired,
        coalesce(sum(row.token_amount) FILTER (row.transaction_type = 'bonus' AND row.metadata ->> '$.welcome' = 'true'), 0)::BIGINT AS welcome,
        coalesce(sum(row.token_amount) FILTER (row.metadata ->> '$.seq' IS NOT NULL OR booked.transaction_id IS NOT NULL), 0)::BIGINT
            AS by_hand,
        coalesce(sum(row.token_amount) FILTER (row.transaction_type = 'correction' AND booked.transaction_id IS NULL), 0)::BIGINT
            AS corrected
    FROM stated
    JOIN books.token_transactions AS row ON row.account_id = stated.account_id AND row.occurred_at <= stated.stated_at
    -- What was booked to settle a break is an entry by hand, whatever its kind.
    LEFT JOIN (SELECT transaction_id FROM books.credits WHERE source = 'journal') AS booked ON booked.transaction_id = row.transaction_id
    GROUP BY stated.account_id
), priced AS (
    -- The app's own price of a call, where its log carries one, against ours; and calls of the books it never priced.
    SELECT stated.account_id,
        coalesce(sum(call.reported_billable_tokens - call.billable_tokens), 0)::BIGINT AS price_difference,
        coalesce(sum(call.reported_billable_tokens) FILTER (call.billable_tokens IS NULL), 0)::BIGINT AS held
    FROM stated JOIN books.usage_current AS call ON call.account_id = stated.account_id AND call.occurred_at <= stated.stated_at
    WHERE call.reported_billable_tokens IS NOT NULL
    GROUP BY stated.account_id
), compared AS (
    SELECT stated.account_id, stated.stated_at, stated.reported_balance, coalesce(booked.balance, 0) AS books_balance,
        stated.reported_balance - coalesce(booked.balance, 0) AS drift,
        -coalesce(booked.expired, 0) AS expired, -coalesce(booked.welcome, 0) AS welcome, -coalesce(booked.by_hand, 0) AS by_hand,
        -coalesce(booked.corrected, 0) AS corrected, -coalesce(priced.price_difference, 0) AS price_difference,
        -coalesce(priced.held, 0) AS held
    FROM stated LEFT JOIN booked USING (account_id) LEFT JOIN priced USING (account_id)
), together AS (
    -- Any of them together: an account need not have them all.
    -- (No lambda: the copy's storage writes one down in other signs, and its views are compared by those.)
    SELECT DISTINCT compared.account_id
    FROM compared JOIN (SELECT range AS causes FROM range(64)) AS subset
        ON compared.drift = (causes & 1) * price_difference + ((causes >> 1) & 1) * expired + ((causes >> 2) & 1) * welcome
            + ((causes >> 3) & 1) * by_hand + ((causes >> 4) & 1) * corrected + ((causes >> 5) & 1) * held
)
SELECT compared.*,
    CASE
        WHEN drift = 0 THEN 'none'
        WHEN drift = price_difference THEN 'price of calls'
        WHEN drift = expired THEN 'expiry that the app does not know'
        WHEN drift = welcome THEN 'welcome bonus that the app does not know'
        WHEN drift = by_hand THEN 'entries made by hand in the books'
        WHEN drift = corrected THEN 'corrections'
        WHEN drift = held THEN 'calls that are held'
        WHEN together.account_id IS NOT NULL THEN 'several of these'
        ELSE 'unexplained'
    END AS cause
FROM compared LEFT JOIN together USING (account_id);
