-- Refunds and chargebacks that name a purchase which was not read yet. Working state, replaced by each posting.
CREATE TABLE books.credits_waiting (
    transaction_id UUID PRIMARY KEY,
    account_id VARCHAR NOT NULL,
    waits_for VARCHAR,
    waits_through DATE NOT NULL,
    posting_id BIGINT NOT NULL
);
