COMMENT ON TABLE books.credits_waiting IS 'Refunds and chargebacks that are not in the ledger yet: the purchase they name was not read so far. Rewritten by each posting.';
COMMENT ON COLUMN books.credits_waiting.transaction_id IS 'Row of books.credits that waits.';
COMMENT ON COLUMN books.credits_waiting.account_id IS 'Account of the row.';
COMMENT ON COLUMN books.credits_waiting.waits_for IS 'Credit id, or else PaymentIntent, that it names.';
COMMENT ON COLUMN books.credits_waiting.waits_through IS 'Last billing date that it waits; the next posting after it takes the row as it is.';
COMMENT ON COLUMN books.credits_waiting.posting_id IS 'Number of the last posting: it found the row waiting.';
