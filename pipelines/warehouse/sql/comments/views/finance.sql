-- What each view and its columns mean; a view that is replaced needs them again.

COMMENT ON VIEW finance.held IS 'Calls that no rule prices yet: kept and reported, not billed.';
COMMENT ON COLUMN finance.held.usage_id IS 'Call that was charged; see books.token_usage.';
COMMENT ON COLUMN finance.held.account_id IS 'Account that is charged or credited.';
COMMENT ON COLUMN finance.held.occurred_at IS 'UTC instant at which it happened, to the microsecond.';
COMMENT ON COLUMN finance.held.operation_type IS 'What the call did: generation, refinement, repurpose, chat, image or prompt.';
COMMENT ON COLUMN finance.held.provider IS 'Provider of the model, as logged.';
COMMENT ON COLUMN finance.held.model IS 'Model, as logged.';
COMMENT ON COLUMN finance.held.image_count IS 'Images delivered.';
COMMENT ON COLUMN finance.held.image_size IS 'Size of the images, as logged.';
COMMENT ON COLUMN finance.held.image_quality IS 'Quality of the images, as logged.';
COMMENT ON COLUMN finance.held.total_tokens IS 'Input and output tokens together.';
COMMENT ON COLUMN finance.held.reported_billable_tokens IS 'Tokens that the app says it charged; for reconciliation only.';
COMMENT ON COLUMN finance.held.reported_cost_nanousd IS 'Cost that the source reports, in 10^-9 US dollars; for reconciliation only.';
COMMENT ON COLUMN finance.held.posting_id IS 'Number of the posting that wrote the row: 1, 2, 3 ... without gaps.';

COMMENT ON VIEW finance.lot_balances IS 'Each lot now: what was spent, taken back and expired of it, and what is left, all in tokens.';
COMMENT ON COLUMN finance.lot_balances.lot_id IS 'Lot of tokens; see finance.credit_lots.';
COMMENT ON COLUMN finance.lot_balances.account_id IS 'Account that owns the lot.';
COMMENT ON COLUMN finance.lot_balances.transaction_type IS 'Kind of ledger row that opened the lot.';
COMMENT ON COLUMN finance.lot_balances.priority IS 'Order in which lots burn: lower first.';
COMMENT ON COLUMN finance.lot_balances.effective_at IS 'UTC instant from which the tokens may be spent.';
COMMENT ON COLUMN finance.lot_balances.expires_at IS 'UTC instant at which unspent tokens expire, exclusive; NULL: never.';
COMMENT ON COLUMN finance.lot_balances.token_amount IS 'Tokens in the lot at first.';
COMMENT ON COLUMN finance.lot_balances.burnt IS 'Tokens spent.';
COMMENT ON COLUMN finance.lot_balances.taken_back IS 'Tokens taken back by refunds and chargebacks.';
COMMENT ON COLUMN finance.lot_balances.expired IS 'Tokens expired.';
COMMENT ON COLUMN finance.lot_balances.expiry_count IS 'How often tokens of the lot expired.';
COMMENT ON COLUMN finance.lot_balances.revival_count IS 'How often expired tokens were spent after all, by a call booked late.';
COMMENT ON COLUMN finance.lot_balances.remaining IS 'Tokens left.';
