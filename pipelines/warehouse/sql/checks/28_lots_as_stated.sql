-- A lot starts, ends and ranks as its credit says, or else as the settings of its time; none holds tokens after its end.
WITH horizon AS (
    SELECT (max(billing_date) + 1)::TIMESTAMPTZ AS ends FROM audit.postings
)
SELECT lot.lot_id, lot.account_id, lot.transaction_type, lot.priority, lot.effective_at, lot.expires_at, now.remaining
FROM finance.credit_lots AS lot
JOIN finance.lot_balances AS now USING (lot_id)
LEFT JOIN books.credits AS credit ON credit.transaction_id = lot.transaction_id
LEFT JOIN books.system_settings AS settings ON settings.settings_version = lot.settings_version
WHERE (lot.expires_at < (SELECT ends FROM horizon) AND now.remaining > 0)
   OR (credit.transaction_id IS NOT NULL
        AND (lot.expires_at IS DISTINCT FROM credit.expires_at OR lot.effective_at <> credit.effective_at))
   OR (credit.transaction_id IS NULL AND lot.expires_at IS NOT NULL)
   OR lot.priority IS DISTINCT FROM coalesce(credit.priority, CASE
        WHEN lot.transaction_type IN ('purchase', 'auto_recharge') OR (lot.transaction_type = 'opening' AND credit.amount_cents > 0)
            THEN settings.paid_lots_priority ELSE settings.free_lots_priority END)
