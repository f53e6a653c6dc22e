-- What each view and its columns mean; a view that is replaced needs them again.

COMMENT ON VIEW checks.account_balance IS 'An account''s balance is its last balance_after and the sum of its rows; its lifetime figures are the sums by type. Lists what breaks this; empty is a pass.';
COMMENT ON COLUMN checks.account_balance.account_id IS 'Account that is charged or credited.';
COMMENT ON COLUMN checks.account_balance.balance IS 'Balance in tokens; below zero is debt.';
COMMENT ON COLUMN checks.account_balance.tokens IS 'Sum of the account''s ledger rows in tokens.';
COMMENT ON COLUMN checks.account_balance.last_after IS 'balance_after of its last row.';
COMMENT ON COLUMN checks.account_balance.head_balance IS 'Balance in books.account_heads.';
COMMENT ON COLUMN checks.account_balance.lifetime_tokens_purchased IS 'Tokens ever bought, by purchase and auto_recharge.';
COMMENT ON COLUMN checks.account_balance.purchased IS 'Tokens bought, added up from the ledger.';
COMMENT ON COLUMN checks.account_balance.lifetime_tokens_used IS 'Tokens ever charged for calls, net of corrections.';
COMMENT ON COLUMN checks.account_balance.used IS 'Tokens charged, added up from the ledger.';
COMMENT ON COLUMN checks.account_balance.lifetime_actual_tokens_used IS 'Provider tokens of successful calls, before any multiplier.';
COMMENT ON COLUMN checks.account_balance.actual_tokens IS 'Provider tokens, added up from the calls.';
COMMENT ON COLUMN checks.account_balance.lifetime_spent_cents IS 'Money ever paid in minor units of the account''s currency, net of refunds and chargebacks.';
COMMENT ON COLUMN checks.account_balance.cents IS 'Money in the account''s currency, added up from the ledger, minor units.';
COMMENT ON COLUMN checks.account_balance.status IS 'active, suspended (in debt, or the app''s word) or blocked (an administrator''s word).';
COMMENT ON COLUMN checks.account_balance.balance_level IS 'ok, low, critical or negative, by the thresholds in force at the last posting.';

COMMENT ON VIEW checks.corrections IS 'Every correction or reversal names an existing row of the same account; what was billed for a call never turns positive. Lists what breaks this; empty is a pass.';
COMMENT ON COLUMN checks.corrections.transaction_id IS 'Id of the ledger row, derived from its source: a replay gives the same.';
COMMENT ON COLUMN checks.corrections.account_id IS 'Account that is charged or credited.';
COMMENT ON COLUMN checks.corrections.transaction_type IS 'Kind of ledger row: opening, purchase, auto_recharge, admin_grant, bonus, usage, admin_deduction, refund, expiry, chargeback, chargeback_reversal or correction.';
COMMENT ON COLUMN checks.corrections.corrects_transaction_id IS 'Ledger row that this row corrects, reverses or refunds.';
COMMENT ON COLUMN checks.corrections.defect IS 'What is wrong.';

COMMENT ON VIEW checks.line_conservation IS 'Every record of a file ends in exactly one disposition, at its first reading and now; each accepted one is in the books. Lists what breaks this; empty is a pass.';
COMMENT ON COLUMN checks.line_conservation.file_id IS 'Input file that the record came from; see audit.usage_files.';
COMMENT ON COLUMN checks.line_conservation.path IS 'Path of the file below the books folder when it was read.';
COMMENT ON COLUMN checks.line_conservation.received IS 'Records read, of every disposition.';
COMMENT ON COLUMN checks.line_conservation.first_records IS 'Records in the trail at the first reading.';
COMMENT ON COLUMN checks.line_conservation.current_records IS 'Records in the trail now.';
COMMENT ON COLUMN checks.line_conservation.accepted_now IS 'Records accepted by the trail now.';
COMMENT ON COLUMN checks.line_conservation.kept_records IS 'Records of the file that stand in the books.';

COMMENT ON VIEW checks.lots IS 'Per account: lot remainders less debt are the balance; each tape position is covered by one lot, uncovered or released; no lot gave more than it had, and none burned outside its time but by a revived expiry. Lists what breaks this; empty is a pass.';
COMMENT ON COLUMN checks.lots.account_id IS 'Account that is charged or credited.';
COMMENT ON COLUMN checks.lots.balance IS 'Balance in tokens; below zero is debt.';
COMMENT ON COLUMN checks.lots.remaining IS 'Tokens left in all lots.';
COMMENT ON COLUMN checks.lots.debt IS 'Tokens of debt.';
COMMENT ON COLUMN checks.lots.tape_end IS 'Length in tokens of the account''s tape of debits: its next free position.';
COMMENT ON COLUMN checks.lots.last_position IS 'End of the tape by its allocations.';
COMMENT ON COLUMN checks.lots.tape_torn IS 'Whether a position is covered twice, not at all, or given back twice.';
COMMENT ON COLUMN checks.lots.burnt_outside IS 'Whether a lot burned outside its time.';
COMMENT ON COLUMN checks.lots.lots_torn IS 'Whether a lot or a movement contradicts itself or its ledger row.';

COMMENT ON VIEW checks.no_floats IS 'No column of any table holds a binary float. Lists what breaks this; empty is a pass.';
COMMENT ON COLUMN checks.no_floats.schema_name IS 'Schema.';
COMMENT ON COLUMN checks.no_floats.table_name IS 'Table.';
COMMENT ON COLUMN checks.no_floats.column_name IS 'Column.';
COMMENT ON COLUMN checks.no_floats.data_type IS 'Its type.';

COMMENT ON VIEW checks.one_row_per_event IS 'A billed event has exactly one usage row, no other usage row exists, and corrections bring it to the current figure. Lists what breaks this; empty is a pass.';
COMMENT ON COLUMN checks.one_row_per_event.usage_id IS 'Call that was charged; see books.token_usage.';
COMMENT ON COLUMN checks.one_row_per_event.account_id IS 'Account that is charged or credited.';
COMMENT ON COLUMN checks.one_row_per_event.usage_rows IS 'Usage rows in the ledger.';
COMMENT ON COLUMN checks.one_row_per_event.billable IS 'Tokens that the call costs now.';
COMMENT ON COLUMN checks.one_row_per_event.posted_tokens IS 'Tokens charged by all its rows.';

COMMENT ON VIEW checks.recomputed_price IS 'Billable tokens of every event, recomputed here from tables alone and compared. Lists what breaks this; empty is a pass.';
COMMENT ON COLUMN checks.recomputed_price.usage_id IS 'Call that was charged; see books.token_usage.';
COMMENT ON COLUMN checks.recomputed_price.account_id IS 'Account that is charged or credited.';
COMMENT ON COLUMN checks.recomputed_price.operation_type IS 'What the call did: generation, refinement, repurpose, chat, image or prompt.';
COMMENT ON COLUMN checks.recomputed_price.model IS 'Model, as logged.';
COMMENT ON COLUMN checks.recomputed_price.total_tokens IS 'Input and output tokens together.';
COMMENT ON COLUMN checks.recomputed_price.image_count IS 'Images delivered.';
COMMENT ON COLUMN checks.recomputed_price.billable_tokens IS 'Tokens charged for the call; 0 is free, NULL is held until a rule prices it.';
COMMENT ON COLUMN checks.recomputed_price.expected_tokens IS 'Tokens that the call should cost, recomputed.';
COMMENT ON COLUMN checks.recomputed_price.settings_version IS 'Settings in force at occurred_at; see books.system_settings.';
COMMENT ON COLUMN checks.recomputed_price.rate_id IS 'Rule that priced the call; see books.rates.';

COMMENT ON VIEW checks.recorded_at IS 'recorded_at rises strictly by posting, every row carries its posting''s instant, and billing dates never go back. Lists what breaks this; empty is a pass.';
COMMENT ON COLUMN checks.recorded_at.posting_id IS 'Number of the posting that wrote the row: 1, 2, 3 ... without gaps.';
COMMENT ON COLUMN checks.recorded_at.table_name IS 'Table, as schema.table.';

COMMENT ON VIEW checks.running_balance IS 'balance_after = balance_before + token_amount, each row starts where the one before ended, and no number is missing. Lists what breaks this; empty is a pass.';
COMMENT ON COLUMN checks.running_balance.account_id IS 'Account that is charged or credited.';
COMMENT ON COLUMN checks.running_balance.account_seq IS 'Number of the row within its account: 1, 2, 3 ... without gaps.';
COMMENT ON COLUMN checks.running_balance.transaction_id IS 'Id of the ledger row, derived from its source: a replay gives the same.';
COMMENT ON COLUMN checks.running_balance.token_amount IS 'Tokens, signed: above zero adds to the balance, below zero takes from it.';
COMMENT ON COLUMN checks.running_balance.balance_before IS 'Balance of the account in tokens before this row.';
COMMENT ON COLUMN checks.running_balance.balance_after IS 'Balance of the account in tokens after this row.';
COMMENT ON COLUMN checks.running_balance.previous_after IS 'balance_after of the row before.';
COMMENT ON COLUMN checks.running_balance.previous_seq IS 'Number of the row before.';

COMMENT ON VIEW checks.seals IS 'Each posting names the head before it, and its sealed blocks count the rows that stand in the tables. Lists what breaks this; empty is a pass.';
COMMENT ON COLUMN checks.seals.posting_id IS 'Number of the posting that wrote the row: 1, 2, 3 ... without gaps.';
COMMENT ON COLUMN checks.seals.table_name IS 'Table, as schema.table.';
COMMENT ON COLUMN checks.seals.rows_now IS 'Rows that stand in the table now.';
COMMENT ON COLUMN checks.seals.rows_sealed IS 'Rows that were sealed.';
COMMENT ON COLUMN checks.seals.defect IS 'What is wrong.';

COMMENT ON VIEW checks.settings_cover_time IS 'Settings versions in force follow each other without gap or overlap, from the beginning of time to its end. Lists what breaks this; empty is a pass.';
COMMENT ON COLUMN checks.settings_cover_time.settings_version IS 'Settings in force at occurred_at; see books.system_settings.';
COMMENT ON COLUMN checks.settings_cover_time.effective_from IS 'First instant at which this version counts, UTC; NULL: from the beginning.';
COMMENT ON COLUMN checks.settings_cover_time.effective_to IS 'Instant at which the next version takes over, UTC; NULL: in force without end.';

COMMENT ON VIEW checks.signs IS 'What adds tokens is positive, what takes them negative; money follows the direction of its row. Lists what breaks this; empty is a pass.';
COMMENT ON COLUMN checks.signs.transaction_id IS 'Id of the ledger row, derived from its source: a replay gives the same.';
COMMENT ON COLUMN checks.signs.account_id IS 'Account that is charged or credited.';
COMMENT ON COLUMN checks.signs.transaction_type IS 'Kind of ledger row: opening, purchase, auto_recharge, admin_grant, bonus, usage, admin_deduction, refund, expiry, chargeback, chargeback_reversal or correction.';
COMMENT ON COLUMN checks.signs.token_amount IS 'Tokens, signed: above zero adds to the balance, below zero takes from it.';
COMMENT ON COLUMN checks.signs.amount_cents IS 'Gross money in minor units of the currency (cents), signed like the movement of cash; NULL where no money moved.';

COMMENT ON VIEW checks.unique_ids IS 'An event, a ledger row and a lot each have their id once; no key stands in two events. Lists what breaks this; empty is a pass.';
COMMENT ON COLUMN checks.unique_ids.table_name IS 'Table, as schema.table.';
COMMENT ON COLUMN checks.unique_ids.id IS 'Id that stands more than once.';

COMMENT ON VIEW checks.credits_posted IS 'Every credit record, admin entry and welcome bonus that came due is one ledger row with its tokens, money and time, and no such row has another origin; a refund that waits for its purchase is the one exception. Lists what breaks this; empty is a pass.';
COMMENT ON COLUMN checks.credits_posted.transaction_id IS 'Id of the ledger row that should or should not be; NULL for an admin entry without one.';
COMMENT ON COLUMN checks.credits_posted.account_id IS 'Account that is charged or credited.';
COMMENT ON COLUMN checks.credits_posted.transaction_type IS 'Kind of ledger row.';
COMMENT ON COLUMN checks.credits_posted.token_amount IS 'Tokens that the record or entry names; NULL: there is none.';
COMMENT ON COLUMN checks.credits_posted.posted_tokens IS 'Tokens of the ledger row; NULL: there is none.';

COMMENT ON VIEW checks.welcome_once IS 'At most one welcome bonus per account. Lists what breaks this; empty is a pass.';
COMMENT ON COLUMN checks.welcome_once.account_id IS 'Account that is charged or credited.';
COMMENT ON COLUMN checks.welcome_once.welcome_rows IS 'Welcome bonuses of the account.';

COMMENT ON VIEW checks.narrowest_rule IS 'Every call was charged by the narrowest rule of the rates file that its posting knew, that held when it happened and was meant for it. Lists what breaks this; empty is a pass.';
COMMENT ON COLUMN checks.narrowest_rule.usage_id IS 'Call; see books.token_usage.';
COMMENT ON COLUMN checks.narrowest_rule.account_id IS 'Account that is charged or credited.';
COMMENT ON COLUMN checks.narrowest_rule.workspace_id IS 'Workspace of the account when the call happened, as known at its posting; NULL where no rule asks for it.';
COMMENT ON COLUMN checks.narrowest_rule.plan IS 'Plan of the account when the call happened, as known at its posting; NULL where no rule asks for it.';
COMMENT ON COLUMN checks.narrowest_rule.operation_type IS 'What the call did: generation, refinement, repurpose, chat, image or prompt.';
COMMENT ON COLUMN checks.narrowest_rule.model IS 'Model, as logged.';
COMMENT ON COLUMN checks.narrowest_rule.occurred_at IS 'UTC instant at which it happened, to the microsecond.';
COMMENT ON COLUMN checks.narrowest_rule.rate_id IS 'Rule that charged it; NULL if none did.';
COMMENT ON COLUMN checks.narrowest_rule.narrower_rate_id IS 'Narrower rule that should have; NULL where its own rule did not hold for it.';
COMMENT ON COLUMN checks.narrowest_rule.defect IS 'What is wrong.';

COMMENT ON VIEW checks.recomputed_cost IS 'What every call cost at its provider, computed again from books.provider_prices and compared. Lists what breaks this; empty is a pass.';
COMMENT ON COLUMN checks.recomputed_cost.usage_id IS 'Call; see books.token_usage.';
COMMENT ON COLUMN checks.recomputed_cost.account_id IS 'Account that made the call.';
COMMENT ON COLUMN checks.recomputed_cost.provider IS 'Provider of the model, as logged.';
COMMENT ON COLUMN checks.recomputed_cost.model IS 'Model, as logged.';
COMMENT ON COLUMN checks.recomputed_cost.service_tier IS 'Service tier of the call; NULL where its log says none.';
COMMENT ON COLUMN checks.recomputed_cost.occurred_at IS 'UTC instant at which it happened, to the microsecond.';
COMMENT ON COLUMN checks.recomputed_cost.posting_id IS 'Number of the posting that wrote the row: 1, 2, 3 ... without gaps.';
COMMENT ON COLUMN checks.recomputed_cost.price_version IS 'Price lists that its model was looked up to have at its posting; see books.provider_models.';
COMMENT ON COLUMN checks.recomputed_cost.provider_cost_nanousd IS 'Cost on the row, in 10^-9 US dollars; NULL if unknown.';
COMMENT ON COLUMN checks.recomputed_cost.expected_nanousd IS 'Cost by those price lists; NULL where they cannot tell.';
