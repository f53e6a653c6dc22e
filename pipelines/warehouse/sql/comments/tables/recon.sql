-- What each table of the reconciliation and its columns mean.

COMMENT ON TABLE recon.parameters IS 'The terms of the last run: what it looked at, and up to when. One row.';
COMMENT ON COLUMN recon.parameters.as_of IS 'UTC instant up to which both sides are looked at; ages and graces are measured there.';
COMMENT ON COLUMN recon.parameters.timezone IS 'Zone whose months are the periods.';
COMMENT ON COLUMN recon.parameters.stripe_mode IS 'Where Stripe''s objects come from: files or api.';
COMMENT ON COLUMN recon.parameters.stripe_account IS 'Account whose objects are compared; others are breaks.';
COMMENT ON COLUMN recon.parameters.livemode IS 'Mode whose objects are compared.';
COMMENT ON COLUMN recon.parameters.scope_metadata_key IS 'Metadata key that marks a token sale; NULL: not asked for.';
COMMENT ON COLUMN recon.parameters.scope_metadata_value IS 'Value that it must have; NULL: any.';
COMMENT ON COLUMN recon.parameters.scope_prices IS 'Prices that are token sales.';
COMMENT ON COLUMN recon.parameters.scope_products IS 'Products that are token sales.';
COMMENT ON COLUMN recon.parameters.scope_customers IS 'Customers whose payments are token sales.';
COMMENT ON COLUMN recon.parameters.is_scoped IS 'Whether anything selects token sales; else every payment is one.';

COMMENT ON COLUMN recon.parameters.posting_id IS 'Last posting that the run saw.';
COMMENT ON COLUMN recon.parameters.mirror_mark IS 'Bytes of Stripe files that were loaded; more by now means that the next run has news.';

COMMENT ON TABLE recon.runs IS 'Every reconciliation that was run, in counts.';
COMMENT ON COLUMN recon.runs.run_id IS 'Number of the run: 1, 2, 3 ...';
COMMENT ON COLUMN recon.runs.ran_at IS 'UTC instant of the run.';
COMMENT ON COLUMN recon.runs.as_of IS 'UTC instant up to which it looked.';
COMMENT ON COLUMN recon.runs.posting_id IS 'Last posting that it saw; 0 before the first.';
COMMENT ON COLUMN recon.runs.ledger_rows IS 'Money rows of the ledger that Stripe settles.';
COMMENT ON COLUMN recon.runs.movements IS 'Movements of token sales at Stripe.';
COMMENT ON COLUMN recon.runs.match_groups IS 'Groups that both sides were put into.';
COMMENT ON COLUMN recon.runs.open_breaks IS 'Breaks that no override explains.';
COMMENT ON COLUMN recon.runs.residual_lines IS 'Bridges that leave anything over; must be 0.';
COMMENT ON COLUMN recon.runs.code_version IS 'Version of Tollbook that ran it.';

COMMENT ON TABLE recon.break_codes IS 'The catalogue of breaks, as of the last run.';
COMMENT ON COLUMN recon.break_codes.number IS 'Number of the code, 1 to 45.';
COMMENT ON COLUMN recon.break_codes.code IS 'Name of the code; never changes.';
COMMENT ON COLUMN recon.break_codes.severity IS 'info, low, med, high or critical.';
COMMENT ON COLUMN recon.break_codes.detection IS 'What is seen.';
COMMENT ON COLUMN recon.break_codes.resolution IS 'What settles it.';

COMMENT ON TABLE recon.pairs IS 'Purchases that name one payment of the same amount and currency: the ordinary match. recon.matches shows them with the others. Replaced by each run.';
COMMENT ON COLUMN recon.pairs.transaction_id IS 'Ledger row.';
COMMENT ON COLUMN recon.pairs.movement_id IS 'Movement, by its balance transaction, or none: and the object that has none yet.';
COMMENT ON COLUMN recon.pairs.stripe_period IS 'Month of the movement in the zone of the books.';

COMMENT ON TABLE recon.placements IS 'Rows and movements that are no ordinary pair, by their group. recon.matches shows them with the others. Replaced by each run.';
COMMENT ON COLUMN recon.placements.group_key IS 'Group: a PaymentIntent, charge, refund or dispute, or a ledger row that found none.';
COMMENT ON COLUMN recon.placements.kind IS 'payment, refund or dispute.';
COMMENT ON COLUMN recon.placements.state IS 'matched, matched_with_variance, timing, expected, break or overridden.';
COMMENT ON COLUMN recon.placements.code IS 'Break code of the group, where it does not come to nothing.';
COMMENT ON COLUMN recon.placements.rule IS 'Rule that found the other side, 1 to 6; NULL where nothing was found.';
COMMENT ON COLUMN recon.placements.confidence IS 'exact, derived or heuristic.';
COMMENT ON COLUMN recon.placements.transaction_id IS 'Ledger row; NULL where the group has more movements than rows.';
COMMENT ON COLUMN recon.placements.movement_id IS 'Movement, by its balance transaction, or none: and the object that has none yet.';
COMMENT ON COLUMN recon.placements.account_id IS 'Account of the ledger row.';
COMMENT ON COLUMN recon.placements.ledger_amount IS 'Money of the ledger row, in minor units.';
COMMENT ON COLUMN recon.placements.ledger_currency IS 'Its currency.';
COMMENT ON COLUMN recon.placements.ledger_period IS 'Its accounting month.';
COMMENT ON COLUMN recon.placements.stripe_amount IS 'Amount of the movement in presentment currency, signed, in minor units.';
COMMENT ON COLUMN recon.placements.stripe_currency IS 'Its currency.';
COMMENT ON COLUMN recon.placements.stripe_period IS 'Month of the movement in the zone of the books.';

COMMENT ON TABLE recon.lines IS 'Carrier lines: what a group adds to the difference of its period and currency, and why. Replaced by each run.';
COMMENT ON COLUMN recon.lines.group_key IS 'Group of recon.matches.';
COMMENT ON COLUMN recon.lines.period IS 'Accounting month, YYYY-MM.';
COMMENT ON COLUMN recon.lines.currency IS 'Presentment currency.';
COMMENT ON COLUMN recon.lines.state IS 'timing, expected, matched_with_variance, overridden or break.';
COMMENT ON COLUMN recon.lines.code IS 'The one code of the group.';
COMMENT ON COLUMN recon.lines.amount IS 'Movements less ledger of the group in that period, in minor units; never 0.';

COMMENT ON TABLE recon.breaks IS 'Everything that the last run found, waits for or explains: one row per code and subject. Replaced by each run.';
COMMENT ON COLUMN recon.breaks.break_id IS 'Id of the break, the same in every run: of its code and subject.';
COMMENT ON COLUMN recon.breaks.period IS 'Accounting month, YYYY-MM; NULL where it has none.';
COMMENT ON COLUMN recon.breaks.code IS 'Break code, see recon.break_codes.';
COMMENT ON COLUMN recon.breaks.severity IS 'info, low, med, high or critical.';
COMMENT ON COLUMN recon.breaks.state IS 'break, expected, timing, matched_with_variance or overridden.';
COMMENT ON COLUMN recon.breaks.currency IS 'Currency of the amounts.';
COMMENT ON COLUMN recon.breaks.residual_amount IS 'What it adds to Stripe less ledger, in minor units; 0 where it moves no total.';
COMMENT ON COLUMN recon.breaks.amount_at_stake IS 'Money that it is about, in minor units.';
COMMENT ON COLUMN recon.breaks.account_id IS 'Account, where one is known.';
COMMENT ON COLUMN recon.breaks.transaction_id IS 'Ledger row.';
COMMENT ON COLUMN recon.breaks.payment_intent_id IS 'PaymentIntent, or the charge of a payment without one.';
COMMENT ON COLUMN recon.breaks.charge_id IS 'Charge.';
COMMENT ON COLUMN recon.breaks.refund_id IS 'Refund.';
COMMENT ON COLUMN recon.breaks.dispute_id IS 'Dispute.';
COMMENT ON COLUMN recon.breaks.balance_transaction_id IS 'Balance transaction.';
COMMENT ON COLUMN recon.breaks.payout_id IS 'Payout.';
COMMENT ON COLUMN recon.breaks.occurred_at IS 'UTC instant of what it is about.';
COMMENT ON COLUMN recon.breaks.first_seen IS 'As-of instant of the first run that found it.';
COMMENT ON COLUMN recon.breaks.age_days IS 'Days from occurred_at to the as-of instant.';
COMMENT ON COLUMN recon.breaks.resolution IS 'What settles it.';
COMMENT ON COLUMN recon.breaks.note IS 'The figures or words that tell it from others.';
COMMENT ON COLUMN recon.breaks.subject IS 'What it is about, as its id is made of.';

COMMENT ON TABLE recon.candidates IS 'Payments that fit a purchase equally well: listed, never chosen. Replaced by each run.';
COMMENT ON COLUMN recon.candidates.transaction_id IS 'Purchase without ids.';
COMMENT ON COLUMN recon.candidates.payment_key IS 'PaymentIntent, or charge, that fits it.';

COMMENT ON TABLE recon.bridge IS 'The bridges of the last run, line by line: A ledger to Stripe, B presentment to settlement, C balance, D payouts.';
COMMENT ON COLUMN recon.bridge.stage IS 'A, B, C or D.';
COMMENT ON COLUMN recon.bridge.period IS 'Accounting month, YYYY-MM; NULL where a bridge spans all.';
COMMENT ON COLUMN recon.bridge.currency IS 'Currency of the bridge.';
COMMENT ON COLUMN recon.bridge.subject IS 'What is bridged.';
COMMENT ON COLUMN recon.bridge.line_no IS 'Order of the line; 99 is the residual.';
COMMENT ON COLUMN recon.bridge.line IS 'What the line is.';
COMMENT ON COLUMN recon.bridge.state IS 'State of what it carries.';
COMMENT ON COLUMN recon.bridge.code IS 'Break code that it carries.';
COMMENT ON COLUMN recon.bridge.items IS 'How many rows it sums.';
COMMENT ON COLUMN recon.bridge.amount IS 'Sum in minor units.';

COMMENT ON TABLE recon.summary IS 'Stage A by period and currency: ledger total + carriers = Stripe total. Replaced by each run.';
COMMENT ON COLUMN recon.summary.period IS 'Accounting month, YYYY-MM.';
COMMENT ON COLUMN recon.summary.currency IS 'Presentment currency.';
COMMENT ON COLUMN recon.summary.ledger_total IS 'Money of the ledger that Stripe settles, net, in minor units.';
COMMENT ON COLUMN recon.summary.stripe_total IS 'Movements of token sales, net, in minor units.';
COMMENT ON COLUMN recon.summary.timing IS 'Carried by timing lines.';
COMMENT ON COLUMN recon.summary.expected IS 'Carried by what waits inside its grace.';
COMMENT ON COLUMN recon.summary.variance IS 'Carried by differences within the tolerance.';
COMMENT ON COLUMN recon.summary.overridden IS 'Carried by explained breaks.';
COMMENT ON COLUMN recon.summary.breaks IS 'Carried by open breaks.';
COMMENT ON COLUMN recon.summary.residual IS 'What is left over; must be 0.';
COMMENT ON COLUMN recon.summary.ledger_rows IS 'Money rows of the ledger.';
COMMENT ON COLUMN recon.summary.matched_rows IS 'Of these, rows that agree with Stripe.';
COMMENT ON COLUMN recon.summary.matched_amount IS 'Sum of their amounts without sign.';
COMMENT ON COLUMN recon.summary.open_breaks IS 'Open breaks of the period in that currency.';

COMMENT ON TABLE recon.first_seen IS 'When each break was seen first: the memory of all runs.';
COMMENT ON COLUMN recon.first_seen.break_id IS 'Break.';
COMMENT ON COLUMN recon.first_seen.first_seen IS 'As-of instant of the first run that found it.';

COMMENT ON TABLE recon.overrides IS 'What people said of breaks: an override explains, it never removes. From journal/recon.jsonl.';
COMMENT ON COLUMN recon.overrides.seq IS 'Line of the journal.';
COMMENT ON COLUMN recon.overrides.break_id IS 'Break that is explained.';
COMMENT ON COLUMN recon.overrides.actor IS 'Who explains it.';
COMMENT ON COLUMN recon.overrides.reason IS 'Why it may stand.';
COMMENT ON COLUMN recon.overrides.made_at IS 'UTC instant of the entry.';
COMMENT ON COLUMN recon.overrides.expires_at IS 'UTC instant from which it is a break again; NULL: never.';

COMMENT ON TABLE recon.bank_lines IS 'Credits of the bank''s statement, from the files that [stripe] bank_path names. Replaced by each run.';
COMMENT ON COLUMN recon.bank_lines.line_no IS 'Line of the statement, over all files.';
COMMENT ON COLUMN recon.bank_lines.booked_on IS 'Day of the booking.';
COMMENT ON COLUMN recon.bank_lines.amount IS 'Amount in minor units.';
COMMENT ON COLUMN recon.bank_lines.currency IS 'Currency, ISO 4217 in lower case.';
COMMENT ON COLUMN recon.bank_lines.reference IS 'What the bank says of it.';

COMMENT ON TABLE audit.period_closes IS 'Accounting months that are closed: what is seen of them later belongs to an open one.';
COMMENT ON COLUMN audit.period_closes.period IS 'Accounting month, YYYY-MM.';
COMMENT ON COLUMN audit.period_closes.closed_at IS 'UTC instant of the close.';
