-- What each name was taken for, where it differs from what the books last said of it.
INSERT INTO books.provider_models
SELECT found.* EXCLUDE (posting_id), $posting_id
FROM (SELECT unnest(from_json($found, '[{"provider": "VARCHAR", "model": "VARCHAR", "kind": "VARCHAR",
    "priced_provider": "VARCHAR", "priced_model": "VARCHAR", "price_version": "VARCHAR", "reason": "VARCHAR",
    "posting_id": "BIGINT"}]'), max_depth := 2)) AS found
ANTI JOIN (
    SELECT * FROM books.provider_models
    QUALIFY row_number() OVER (PARTITION BY provider, model, kind ORDER BY posting_id DESC) = 1
) AS known
    ON known.provider IS NOT DISTINCT FROM found.provider AND known.model IS NOT DISTINCT FROM found.model
    AND known.kind = found.kind AND known.priced_provider IS NOT DISTINCT FROM found.priced_provider
    AND known.priced_model IS NOT DISTINCT FROM found.priced_model
    AND known.price_version IS NOT DISTINCT FROM found.price_version
    AND known.reason IS NOT DISTINCT FROM found.reason
ORDER BY ALL;

-- Price lists that no call was priced by before.
INSERT INTO books.provider_prices
SELECT price.* EXCLUDE (effective_from, effective_to, day_second_from, day_second_to, source, source_version),
    make_timestamptz(effective_from), make_timestamptz(effective_to), day_second_from, day_second_to,
    source, source_version, $posting_id
FROM (SELECT unnest(from_json($prices, '[{"provider": "VARCHAR", "model": "VARCHAR", "price_version": "VARCHAR",
    "unit": "VARCHAR", "per": "BIGINT", "price_usd": "DECIMAL(38, 18)", "tier_start": "BIGINT",
    "image_size": "VARCHAR", "image_quality": "VARCHAR", "variant": "VARCHAR", "effective_from": "BIGINT",
    "effective_to": "BIGINT", "day_second_from": "INTEGER", "day_second_to": "INTEGER", "source": "VARCHAR",
    "source_version": "VARCHAR"}]'), max_depth := 2)) AS price
ORDER BY ALL;
