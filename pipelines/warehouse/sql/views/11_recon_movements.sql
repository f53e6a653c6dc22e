-- What Stripe moved of token sales, signed, in presentment currency, dated by its balance transaction: stage A's other
-- side, from the mirror alone. Immutable: an object's changing status adds a movement, it never alters one.
CREATE OR REPLACE VIEW recon.movements AS
WITH terms AS NOT MATERIALIZED (
    SELECT * FROM recon.parameters
), charges AS NOT MATERIALIZED (
    SELECT charge.*, coalesce(charge.payment_intent_id, charge.charge_id) AS payment_key
    FROM stripe.charges AS charge, terms
    WHERE charge.stripe_account = terms.stripe_account AND charge.livemode = terms.livemode
), intents AS NOT MATERIALIZED (
    SELECT intent.* FROM stripe.payment_intents AS intent, terms
    WHERE intent.stripe_account = terms.stripe_account AND intent.livemode = terms.livemode
), transactions AS NOT MATERIALIZED (
    SELECT bt.* FROM stripe.balance_transactions AS bt, terms
    WHERE bt.stripe_account = terms.stripe_account AND bt.livemode = terms.livemode
      AND bt.reporting_category IN (
        'charge', 'charge_failure', 'refund', 'refund_failure', 'dispute', 'dispute_reversal')
), returned AS NOT MATERIALIZED (
    -- What may take money back: the categories under which it leaves, and returns after all.
    SELECT refund.refund_id AS source_id, refund.payment_intent_id, refund.charge_id, refund.amount, refund.currency, refund.status,
        'refund' AS out_category, 'refund_failure' AS back_category
    FROM stripe.refunds AS refund, terms
    WHERE refund.stripe_account = terms.stripe_account AND refund.livemode = terms.livemode
    UNION ALL
    SELECT dispute.dispute_id, dispute.payment_intent_id, dispute.charge_id, dispute.amount, dispute.currency, dispute.status,
        'dispute', 'dispute_reversal'
    FROM stripe.disputes AS dispute, terms
    WHERE dispute.stripe_account = terms.stripe_account AND dispute.livemode = terms.livemode
), named AS NOT MATERIALIZED (
    -- Whatever a row of the ledger may call its payment by.
    SELECT unnest([ledger.payment_intent_id, json_extract_string(ledger.metadata, '$.stripe_charge_id'),
        json_extract_string(ledger.metadata, '$.credit_id')]) AS name
    FROM recon.ledger AS ledger, terms WHERE terms.is_scoped
), chosen_session AS NOT MATERIALIZED (
    SELECT session.payment_intent_id, session.invoice_id
    FROM stripe.checkout_sessions AS session, terms
    WHERE terms.is_scoped AND session.stripe_account = terms.stripe_account AND session.livemode = terms.livemode
      AND (list_has_any(terms.scope_prices, session.price_ids) OR list_has_any(terms.scope_products, session.product_ids)
        OR list_contains(terms.scope_customers, session.customer_id) OR session.checkout_session_id IN (SELECT name FROM named))
), sold AS (
    -- Payments of token sales, where a scope says which are; what the ledger names is one of them in any case.
    SELECT charge.payment_key
    FROM charges AS charge, terms
    WHERE terms.is_scoped AND (list_contains(terms.scope_customers, charge.customer_id)
        OR charge.charge_id IN (SELECT name FROM named)
        OR charge.invoice_id IN (SELECT name FROM named UNION ALL SELECT invoice_id FROM chosen_session)
        OR CASE WHEN terms.scope_metadata_key IS NOT NULL
            THEN json_extract_string(charge.metadata, '$."' || terms.scope_metadata_key || '"')
                = coalesce(terms.scope_metadata_value, json_extract_string(charge.metadata, '$."' || terms.scope_metadata_key || '"'))
            END
        OR list_contains(terms.scope_prices, json_extract_string(charge.metadata, '$.price_id'))
        OR list_contains(terms.scope_products, json_extract_string(charge.metadata, '$.product_id')))
    UNION ALL
    SELECT intent.payment_intent_id
    FROM intents AS intent, terms
    WHERE terms.is_scoped AND (list_contains(terms.scope_customers, intent.customer_id)
        OR CASE WHEN terms.scope_metadata_key IS NOT NULL
            THEN json_extract_string(intent.metadata, '$."' || terms.scope_metadata_key || '"')
                = coalesce(terms.scope_metadata_value, json_extract_string(intent.metadata, '$."' || terms.scope_metadata_key || '"'))
            END
        OR list_contains(terms.scope_prices, json_extract_string(intent.metadata, '$.price_id'))
        OR list_contains(terms.scope_products, json_extract_string(intent.metadata, '$.product_id')))
    UNION ALL
    SELECT payment_intent_id FROM chosen_session
    UNION ALL
    SELECT name FROM named
), moved AS (
    SELECT
        coalesce(bt.balance_transaction_id, 'none:' || charge.charge_id) AS movement_id,
        coalesce(bt.reporting_category, 'charge') AS kind,
        charge.charge_id AS source_id, charge.payment_key, charge.charge_id, charge.customer_id,
        -- A payment that failed after its money came in came in whole.
        CASE WHEN bt.reporting_category = 'charge_failure' THEN -charge.amount
            WHEN charge.failure_balance_transaction_id IS NOT NULL THEN charge.amount
            ELSE charge.amount_captured END AS amount,
        charge.currency, charge.amount AS authorised, charge.status, charge.metadata,
        coalesce(bt.created, charge.created) AS moved_at,
        bt.balance_transaction_id, bt.amount AS bt_amount, bt.currency AS bt_currency, bt.exchange_rate, bt.first_fetched_at
    FROM charges AS charge
    LEFT JOIN transactions AS bt
        ON bt.source_id = charge.charge_id AND bt.reporting_category IN ('charge', 'charge_failure')
    WHERE bt.balance_transaction_id IS NOT NULL OR (charge.status = 'succeeded' AND charge.captured)
    UNION ALL BY NAME
    SELECT
        bt.balance_transaction_id AS movement_id, bt.reporting_category AS kind, returned.source_id,
        coalesce(returned.payment_intent_id, charge.payment_key, returned.charge_id) AS payment_key,
        returned.charge_id, NULL AS customer_id,
        CASE WHEN bt.reporting_category = returned.out_category THEN -returned.amount ELSE returned.amount END AS amount,
        returned.currency, NULL::BIGINT AS authorised, returned.status, NULL::JSON AS metadata, bt.created AS moved_at,
        bt.balance_transaction_id, bt.amount AS bt_amount, bt.currency AS bt_currency, bt.exchange_rate, bt.first_fetched_at
    FROM returned
    JOIN transactions AS bt
        ON bt.source_id = returned.source_id AND bt.reporting_category IN (returned.out_category, returned.back_category)
    LEFT JOIN charges AS charge
        ON charge.charge_id = CASE WHEN returned.payment_intent_id IS NULL THEN returned.charge_id END
    UNION ALL BY NAME
    -- A payment that succeeded and whose charge was not synced yet.
    SELECT
        'none:' || intent.payment_intent_id AS movement_id, 'charge' AS kind, intent.payment_intent_id AS source_id,
        intent.payment_intent_id AS payment_key, intent.latest_charge_id AS charge_id, intent.customer_id,
        intent.amount_received AS amount, intent.currency, intent.amount AS authorised, intent.status, intent.metadata,
        intent.created AS moved_at
    FROM intents AS intent
    -- As a rule there is none: the other columns of the intents are not even read then.
    SEMI JOIN (
        SELECT payment_intent_id FROM intents
        ANTI JOIN (
            SELECT payment_intent_id FROM charges WHERE status <> 'failed' OR balance_transaction_id IS NOT NULL
        ) AS charge USING (payment_intent_id)
        WHERE status = 'succeeded' AND amount_received > 0
    ) AS uncharged USING (payment_intent_id)
)
SELECT moved.*,
    CASE WHEN terms.timezone = 'UTC' THEN strftime(make_timestamp(epoch_us(moved.moved_at)), '%Y-%m')
        ELSE strftime(timezone(terms.timezone, moved.moved_at), '%Y-%m') END AS period
FROM moved, terms
WHERE moved.moved_at <= terms.as_of AND moved.amount <> 0
  AND (NOT terms.is_scoped OR moved.payment_key IN (SELECT payment_key FROM sold WHERE payment_key IS NOT NULL)
    OR moved.charge_id IN (SELECT payment_key FROM sold WHERE payment_key IS NOT NULL));
