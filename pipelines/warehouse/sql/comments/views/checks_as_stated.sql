COMMENT ON VIEW checks.accounts_as_stated IS 'An account''s row says what the last version of it, the admin''s words and its purchases say; its status and level follow. Lists what breaks this; empty is a pass.';
COMMENT ON COLUMN checks.accounts_as_stated.account_id IS 'Account.';
COMMENT ON COLUMN checks.accounts_as_stated.status IS 'Status that stands.';
COMMENT ON COLUMN checks.accounts_as_stated.balance_level IS 'Level that stands.';
COMMENT ON COLUMN checks.accounts_as_stated.currency IS 'Currency that stands.';
COMMENT ON COLUMN checks.accounts_as_stated.own_currency IS 'Currency of the last version, else of the first purchase.';
COMMENT ON COLUMN checks.accounts_as_stated.blocked IS 'Whether the last word of the journal or of the app blocks it.';
COMMENT ON COLUMN checks.accounts_as_stated.level_follows IS 'Whether the level follows from the balance.';

COMMENT ON VIEW checks.lots_as_stated IS 'A lot starts, ends and ranks as its credit says, or else as the settings of its time; none holds tokens after its end. Lists what breaks this; empty is a pass.';
COMMENT ON COLUMN checks.lots_as_stated.lot_id IS 'Lot of tokens; see finance.credit_lots.';
COMMENT ON COLUMN checks.lots_as_stated.account_id IS 'Account that owns the lot.';
COMMENT ON COLUMN checks.lots_as_stated.transaction_type IS 'Kind of the row that opened it.';
COMMENT ON COLUMN checks.lots_as_stated.priority IS 'Order in which lots burn: lower first.';
COMMENT ON COLUMN checks.lots_as_stated.effective_at IS 'UTC instant from which the tokens may be spent.';
COMMENT ON COLUMN checks.lots_as_stated.expires_at IS 'UTC instant at which unspent tokens expire, exclusive; NULL: never.';
COMMENT ON COLUMN checks.lots_as_stated.remaining IS 'Tokens that the lot holds now.';

COMMENT ON VIEW checks.periods IS 'A row''s period is the month in which it happened, in the books'' zone: within fourteen hours of the month in UTC. Lists what breaks this; empty is a pass.';
COMMENT ON COLUMN checks.periods.table_name IS 'Table, as schema.table.';
COMMENT ON COLUMN checks.periods.id IS 'Id of the row.';
COMMENT ON COLUMN checks.periods.occurred_at IS 'UTC instant at which it happened.';
COMMENT ON COLUMN checks.periods.period IS 'Accounting month that stands.';

COMMENT ON VIEW checks.burn_order IS 'Of the lots that a debit may use the one that ranks first burns first: by priority, earliest end, earliest start, lot_id. Lists what breaks this; empty is a pass.';
COMMENT ON COLUMN checks.burn_order.account_id IS 'Account.';
COMMENT ON COLUMN checks.burn_order.lot_id IS 'Lot that burned too early; see finance.credit_lots.';
COMMENT ON COLUMN checks.burn_order.posting_id IS 'Posting that burned it.';
COMMENT ON COLUMN checks.burn_order.allocated_at IS 'UTC instant of the burn.';
COMMENT ON COLUMN checks.burn_order.lot_ahead IS 'Lot that ranks before it, could be used then, and still had tokens.';
