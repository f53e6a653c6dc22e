-- What each table and its columns mean.

COMMENT ON TABLE finance.credit_lots IS 'Tokens that came in together: one lot per credit, with its terms and what was paid for it.';
COMMENT ON COLUMN finance.credit_lots.lot_id IS 'Lot of tokens; see finance.credit_lots.';
COMMENT ON COLUMN finance.credit_lots.account_id IS 'Account that owns the lot.';
COMMENT ON COLUMN finance.credit_lots.transaction_id IS 'Ledger row that opened the lot.';
COMMENT ON COLUMN finance.credit_lots.transaction_type IS 'Kind of that row.';
COMMENT ON COLUMN finance.credit_lots.token_amount IS 'Tokens in the lot at first.';
COMMENT ON COLUMN finance.credit_lots.priority IS 'Order in which lots burn: lower first.';
COMMENT ON COLUMN finance.credit_lots.effective_at IS 'UTC instant from which the tokens may be spent.';
COMMENT ON COLUMN finance.credit_lots.expires_at IS 'UTC instant at which unspent tokens expire, exclusive; NULL: never.';
COMMENT ON COLUMN finance.credit_lots.currency IS 'Currency of the amount, ISO 4217 in lower case.';
COMMENT ON COLUMN finance.credit_lots.cost_basis IS 'Money paid for the lot without tax, in minor units; 0 if it was free.';
COMMENT ON COLUMN finance.credit_lots.settings_version IS 'Settings in force when it was opened.';
COMMENT ON COLUMN finance.credit_lots.posting_id IS 'Number of the posting that wrote the row: 1, 2, 3 ... without gaps.';

COMMENT ON TABLE finance.lot_allocations IS 'Every movement of a lot''s tokens; burns name their stretch of the account''s tape of debits.';
COMMENT ON COLUMN finance.lot_allocations.account_id IS 'Account that owns the lot.';
COMMENT ON COLUMN finance.lot_allocations.lot_id IS 'Lot; NULL where debt is given back that no lot had covered.';
COMMENT ON COLUMN finance.lot_allocations.kind IS 'burn, repay (of debt), release (given back), take_back, expire or revive.';
COMMENT ON COLUMN finance.lot_allocations.debit_from IS 'First position on the account''s tape of debits, counted in tokens from 0; NULL for moves that are not on the tape.';
COMMENT ON COLUMN finance.lot_allocations.debit_to IS 'Position after the last; NULL likewise.';
COMMENT ON COLUMN finance.lot_allocations.tokens IS 'Tokens moved, above zero.';
COMMENT ON COLUMN finance.lot_allocations.transaction_id IS 'Ledger row that took tokens back; NULL for other kinds.';
COMMENT ON COLUMN finance.lot_allocations.allocated_at IS 'UTC instant at which the tokens moved.';
COMMENT ON COLUMN finance.lot_allocations.recorded_at IS 'UTC instant at which the posting was recorded, the same for all its rows; rises strictly from posting to posting.';
COMMENT ON COLUMN finance.lot_allocations.period IS 'Accounting month, YYYY-MM, in the zone of the books.';
COMMENT ON COLUMN finance.lot_allocations.posting_id IS 'Number of the posting that wrote the row: 1, 2, 3 ... without gaps.';

COMMENT ON TABLE finance.open_debt IS 'Stretches of the tape that no lot covers: the account''s debt, oldest first. Rewritten by each posting.';
COMMENT ON COLUMN finance.open_debt.account_id IS 'Account in debt.';
COMMENT ON COLUMN finance.open_debt.debit_from IS 'First position on the account''s tape of debits, counted in tokens from 0.';
COMMENT ON COLUMN finance.open_debt.debit_to IS 'Position after the last.';
