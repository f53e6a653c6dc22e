-- Write the new rows of the touched accounts; ``graded`` carries status and level from the core's rules.
UPDATE books.token_accounts AS account SET
    user_id = fresh.user_id, workspace_id = fresh.workspace_id, balance = fresh.balance,
    lifetime_tokens_purchased = fresh.lifetime_tokens_purchased, lifetime_tokens_used = fresh.lifetime_tokens_used,
    lifetime_actual_tokens_used = fresh.lifetime_actual_tokens_used, lifetime_spent_cents = fresh.lifetime_spent_cents,
    auto_recharge_enabled = fresh.auto_recharge_enabled, auto_recharge_threshold = fresh.auto_recharge_threshold,
    auto_recharge_amount = fresh.auto_recharge_amount, stripe_customer_id = fresh.stripe_customer_id,
    default_payment_method_id = fresh.default_payment_method_id, currency = fresh.currency, status = graded.status,
    balance_level = graded.balance_level, last_purchase_at = fresh.last_purchase_at, created_at = fresh.created_at,
    updated_at = $recorded_at
FROM next_accounts AS fresh
JOIN graded USING (account_id)
WHERE account.account_id = fresh.account_id;

UPDATE books.account_heads AS head SET
    account_seq = greatest(head.account_seq, fresh.account_seq), balance = fresh.balance, posting_id = $posting_id
FROM next_accounts AS fresh
WHERE head.account_id = fresh.account_id;

UPDATE books.account_heads AS head SET welcomed = true, welcome = CASE
    WHEN NOT $books_welcome THEN 'app'
    WHEN head.account_id IN (SELECT account_id FROM books.credits WHERE transaction_type = 'opening') THEN 'opening'
    WHEN due.token_amount = 0 THEN 'none' ELSE 'bonus' END
FROM due_welcomes AS due
WHERE due.account_id = head.account_id;
