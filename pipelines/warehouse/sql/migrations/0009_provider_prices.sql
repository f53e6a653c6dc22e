-- What calls cost at their provider: every price that ever costed one, and what each logged model name was taken for.

CREATE TABLE books.provider_models (
    provider VARCHAR,
    model VARCHAR,
    kind VARCHAR NOT NULL CHECK (kind IN ('tokens', 'images')),
    priced_provider VARCHAR,
    priced_model VARCHAR,
    price_version VARCHAR,
    reason VARCHAR,
    posting_id BIGINT NOT NULL
);

CREATE TABLE books.provider_prices (
    provider VARCHAR NOT NULL,
    model VARCHAR NOT NULL,
    price_version VARCHAR NOT NULL,
    unit VARCHAR NOT NULL,
    per BIGINT NOT NULL,
    price_usd DECIMAL(38, 18) NOT NULL,
    tier_start BIGINT NOT NULL,
    image_size VARCHAR,
    image_quality VARCHAR,
    variant VARCHAR NOT NULL,
    effective_from TIMESTAMPTZ,
    effective_to TIMESTAMPTZ,
    day_second_from INTEGER NOT NULL,
    day_second_to INTEGER NOT NULL,
    source VARCHAR NOT NULL,
    source_version VARCHAR NOT NULL,
    posting_id BIGINT NOT NULL
);
