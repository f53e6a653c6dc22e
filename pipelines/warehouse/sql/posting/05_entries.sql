-- Everything but usage that enters the ledger in this posting, numbered downwards; usage keeps its row number.
CREATE OR REPLACE TEMP TABLE entries AS
WITH credit_entries AS (
    SELECT
        due.transaction_id, due.account_id, due.transaction_type, due.token_amount,
        -- Money follows the direction of the row, whatever sign the app's record carries.
        CASE
            WHEN transaction_type = 'chargeback' OR (transaction_type = 'refund' AND token_amount <= 0)
                THEN -abs(amount_cents)
            WHEN transaction_type IN ('chargeback_reversal', 'refund') THEN abs(amount_cents)
            ELSE amount_cents
        END AS amount_cents,
        CASE WHEN amount_cents IS NOT NULL THEN coalesce(
            due.currency, named.named_currency, stated.currency, 'usd') END AS currency,
        NULL::UUID AS usage_id,
        due.stripe_payment_intent_id, due.stripe_refund_id, due.admin_user_id,
        named.named_transaction_id AS corrects_transaction_id,
        due.tax_cents, due.discount_cents,
        CASE WHEN amount_cents IS NOT NULL THEN due.settled_by END AS settled_by,
        due.description,
        json_object(
            'credit_id', due.credit_id, 'package_id', due.package_id,
            'stripe_charge_id', due.stripe_charge_id, 'source_credit_id', due.source_credit_id
        ) AS metadata,
        due.posted_at AS occurred_at, due.effective_at, due.expires_at, due.priority, named.named_posted_at,
        named.named_opens_lot, named.purchase_transaction_id, named.purchase_posted_at
    FROM due_credits AS due
    LEFT JOIN named_credits AS named ON named.transaction_id = due.transaction_id
    -- What the app says of the account, not what its purchases imply: those may be read in any order.
    LEFT JOIN due_last_versions AS stated ON stated.account_id = due.account_id
), action_entries AS (
    SELECT
        derived_id(occurred_at, 'admin', seq::VARCHAR) AS transaction_id, account_id,
        CASE action WHEN 'grant' THEN 'admin_grant' ELSE 'admin_deduction' END AS transaction_type,
        CASE action WHEN 'grant' THEN token_amount ELSE -token_amount END AS token_amount,
        actor AS admin_user_id, reason AS description, json_object('seq', seq) AS metadata,
        occurred_at, occurred_at AS effective_at
    FROM due_actions WHERE action IN ('grant', 'deduct')
), welcome_entries AS (
    SELECT
        derived_id(created_at, 'welcome', account_id) AS transaction_id, account_id, 'bonus' AS transaction_type,
        token_amount, 'Welcome bonus' AS description, json_object('welcome', true) AS metadata,
        created_at AS occurred_at, created_at AS effective_at
    FROM due_welcomes
    WHERE $books_welcome AND token_amount > 0
      AND account_id NOT IN (SELECT account_id FROM books.credits WHERE transaction_type = 'opening')
), undone_entries AS (
    SELECT
        derived_id(occurred_at, 'correction', transaction_id::VARCHAR || ':1') AS transaction_id, account_id,
        'correction' AS transaction_type, -token_amount AS token_amount, transaction_id AS corrects_transaction_id,
        'No welcome bonus: the account moved in with a balance' AS description, occurred_at,
        occurred_at AS effective_at, occurred_at AS named_posted_at, true AS named_opens_lot
    FROM undue_welcomes
), revision_entries AS (
    SELECT
        transaction_id, account_id, transaction_type, token_amount, usage_id, corrects_transaction_id,
        CASE revision_reason WHEN 'priced' THEN 'Price of a call that was held'
            WHEN 'trued_up' THEN 'Volume tier of the whole month' ELSE 'Later version of the call' END AS description, json_object('revision_no', revision_no) AS metadata,
        occurred_at, occurred_at AS effective_at
    FROM revised_usage WHERE token_amount <> 0
), gathered AS (
    SELECT * FROM credit_entries
    UNION ALL BY NAME SELECT * FROM action_entries
    UNION ALL BY NAME SELECT * FROM welcome_entries
    UNION ALL BY NAME SELECT * FROM undone_entries
    UNION ALL BY NAME SELECT * FROM revision_entries
)
SELECT
    -row_number() OVER (ORDER BY transaction_id) AS entry_id,
    gathered.*,
    span.workspace AS workspace_id,
    settings.settings_version,
    -- What was paid for burns by one priority, what was given by another, unless the credit states its own.
    coalesce(gathered.priority, CASE
        WHEN transaction_type IN ('purchase', 'auto_recharge') OR (transaction_type = 'opening' AND amount_cents > 0)
            THEN settings.paid_lots_priority ELSE settings.free_lots_priority END) AS lot_priority,
    CASE
        WHEN transaction_type IN ('opening', 'purchase', 'auto_recharge', 'admin_grant', 'bonus') AND token_amount > 0 THEN 'credit'
        WHEN transaction_type IN ('refund', 'chargeback', 'correction') AND token_amount < 0 AND named_opens_lot
            THEN 'take_back'
        WHEN token_amount > 0 THEN 'release'
        WHEN token_amount < 0 THEN 'debit'
    END AS lot_kind,
    CASE
        WHEN lot_kind = 'credit' THEN derived_id(gathered.occurred_at, 'lot', transaction_id::VARCHAR)
        WHEN named_opens_lot THEN derived_id(named_posted_at, 'lot', corrects_transaction_id::VARCHAR)
        -- A reversal names a refund or chargeback, which in turn named its purchase.
        WHEN purchase_transaction_id IS NOT NULL
            THEN derived_id(purchase_posted_at, 'lot', purchase_transaction_id::VARCHAR)
    END AS lot_id,
    CASE WHEN token_amount < 0 THEN 2 ELSE 1 END AS rank
FROM gathered
ASOF LEFT JOIN due_spans AS span
    ON span.account_id = gathered.account_id AND epoch_us(gathered.occurred_at) >= span.starts_us
JOIN books.system_settings AS settings
    ON settings.superseded_by IS NULL
    AND (settings.effective_from IS NULL OR gathered.occurred_at >= settings.effective_from)
    AND (settings.effective_to IS NULL OR gathered.occurred_at < settings.effective_to)
WHERE token_amount <> 0 OR amount_cents <> 0;
