-- What calls cost at their provider: names and prices.

COMMENT ON TABLE books.provider_models IS 'What each logged model name was taken for when its cost was looked up; a row holds from its posting until the next one of the same name and kind.';
COMMENT ON COLUMN books.provider_models.provider IS 'Provider, as logged.';
COMMENT ON COLUMN books.provider_models.model IS 'Model, as logged.';
COMMENT ON COLUMN books.provider_models.kind IS 'Which prices were looked up: tokens, or images for calls that logged no tokens.';
COMMENT ON COLUMN books.provider_models.priced_provider IS 'Provider whose prices hold; NULL if none was found.';
COMMENT ON COLUMN books.provider_models.priced_model IS 'Model of that provider; NULL if none was found.';
COMMENT ON COLUMN books.provider_models.price_version IS 'Version of the price list, see books.provider_prices; NULL if none was found.';
COMMENT ON COLUMN books.provider_models.reason IS 'Why there is none: no_model, unknown_provider, unknown_model, no_token_price or no_image_price.';
COMMENT ON COLUMN books.provider_models.posting_id IS 'Posting that looked it up first.';

COMMENT ON TABLE books.provider_prices IS 'Every provider price that ever priced a call, in US dollars; never changed, a new price list gets a new version.';
COMMENT ON COLUMN books.provider_prices.provider IS 'Provider.';
COMMENT ON COLUMN books.provider_prices.model IS 'Model of the price table.';
COMMENT ON COLUMN books.provider_prices.price_version IS 'Version of the whole price list of the model: the same prices have the same version.';
COMMENT ON COLUMN books.provider_prices.unit IS 'What is priced: input_tokens, output_tokens, subsets such as cache_read_tokens, requests, images; units that no log counts are kept for completeness.';
COMMENT ON COLUMN books.provider_prices.per IS 'How many units the price is for.';
COMMENT ON COLUMN books.provider_prices.price_usd IS 'Price in US dollars, exact.';
COMMENT ON COLUMN books.provider_prices.tier_start IS 'Input tokens that a request must exceed for this price; the whole request is then charged at it. 0: the first tier.';
COMMENT ON COLUMN books.provider_prices.image_size IS 'Size of the image; * whatever it is, NULL when the call names none.';
COMMENT ON COLUMN books.provider_prices.image_quality IS 'Quality of the image; * whatever it is, NULL when the call names none.';
COMMENT ON COLUMN books.provider_prices.variant IS 'Kind of request: standard, batch, flex, priority ...; calls are priced as standard.';
COMMENT ON COLUMN books.provider_prices.effective_from IS 'UTC instant from which the price holds; NULL: always.';
COMMENT ON COLUMN books.provider_prices.effective_to IS 'UTC instant until which it holds, exclusive; NULL: open.';
COMMENT ON COLUMN books.provider_prices.day_second_from IS 'Second of the UTC day from which it holds.';
COMMENT ON COLUMN books.provider_prices.day_second_to IS 'Second of the UTC day until which it holds, exclusive.';
COMMENT ON COLUMN books.provider_prices.source IS 'Who published the price: a library, a file or an address.';
COMMENT ON COLUMN books.provider_prices.source_version IS 'Version of that source; empty if it has none.';
COMMENT ON COLUMN books.provider_prices.posting_id IS 'Posting that used the price list first.';
