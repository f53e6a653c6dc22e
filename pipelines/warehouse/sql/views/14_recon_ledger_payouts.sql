-- From a ledger row to the bank: its movement, what Stripe kept of it, and the payout that carried the rest.
CREATE OR REPLACE VIEW recon.ledger_payouts AS
SELECT placed.transaction_id, placed.account_id, placed.group_key, placed.ledger_amount, placed.ledger_currency,
    bt.balance_transaction_id, bt.amount AS settled_amount, bt.fee, bt.net, bt.currency AS settlement_currency, bt.available_on,
    payout.payout_id, payout.status AS payout_status, payout.arrival_date
FROM recon.matches AS placed, recon.parameters AS terms
JOIN stripe.balance_transactions AS bt
    ON bt.balance_transaction_id = placed.movement_id AND bt.stripe_account = terms.stripe_account AND bt.livemode = terms.livemode
LEFT JOIN stripe.payout_items AS item
    ON item.balance_transaction_id = bt.balance_transaction_id AND item.stripe_account = terms.stripe_account AND item.livemode = terms.livemode
LEFT JOIN stripe.payouts AS payout
    ON payout.payout_id = item.payout_id AND payout.stripe_account = terms.stripe_account AND payout.livemode = terms.livemode
WHERE placed.transaction_id IS NOT NULL;
