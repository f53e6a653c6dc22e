-- How much comes due without any file: credits, admin entries, welcome bonuses, lots that end.
SELECT
    (SELECT count(*) FROM books.credits WHERE posted_at >= $previous_horizon AND posted_at < $horizon)
    + (SELECT count(*) FROM audit.admin_actions
        WHERE account_id IS NOT NULL AND held_reason IS NULL AND occurred_at >= $previous_horizon AND occurred_at < $horizon)
    + (SELECT count(*) FROM books.account_heads JOIN books.token_accounts USING (account_id)
        WHERE NOT welcomed AND created_at < $horizon)
    + (SELECT count(*) FROM finance.lot_balances
        WHERE remaining > 0 AND expires_at >= $previous_horizon AND expires_at < $horizon)
    + (SELECT count(*) FROM books.credits_waiting WHERE waits_through + 2 <= $horizon::DATE)
