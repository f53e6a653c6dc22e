-- The SQL twin of billing_core.identity: 48 bits of milliseconds, version 8, 74 bits of sha256 over [kind, source id].
CREATE OR REPLACE TEMP MACRO source_digest(kind, source_id) AS
    sha256(to_json([kind, source_id])::VARCHAR);
CREATE OR REPLACE TEMP MACRO id_from_digest(occurred_at, digest) AS
    (lpad(to_hex(epoch_us(occurred_at) // 1000), 12, '0') || '8' || substr(digest, 1, 3)
     || CASE WHEN substr(digest, 4, 1) < '4' THEN '8' WHEN substr(digest, 4, 1) < '8' THEN '9'
        WHEN substr(digest, 4, 1) < 'c' THEN 'a' ELSE 'b' END
     || substr(digest, 5, 15))::UUID;
CREATE OR REPLACE TEMP MACRO derived_id(occurred_at, kind, source_id) AS
    id_from_digest(occurred_at, source_digest(kind, source_id));
-- The same for a source id that is hexadecimal and needs no escaping: a third cheaper over millions of events.
CREATE OR REPLACE TEMP MACRO derived_id_of_hex(occurred_at, kind, source_id) AS
    id_from_digest(occurred_at, sha256('["' || kind || '","' || source_id || '"]'));
-- Exact: parts per million to DECIMAL(12, 6) without the division that would go through DOUBLE.
CREATE OR REPLACE TEMP MACRO ppm_decimal(ppm) AS
    (ppm::DECIMAL(24, 6) * 0.000001::DECIMAL(7, 6))::DECIMAL(12, 6);
-- Second of the UTC day of an instant after 1970.
CREATE OR REPLACE TEMP MACRO day_second(occurred_at) AS
    (epoch_us(occurred_at) // 1000000) % 86400;
-- Whether a call is priced by its tokens or, when it logged none, by its images.
CREATE OR REPLACE TEMP MACRO cost_kind(total_tokens, image_count) AS
    CASE WHEN total_tokens = 0 AND image_count > 0 THEN 'images' ELSE 'tokens' END;
-- A figure that is not negative, divided by an even number and rounded half to even, in integers.
CREATE OR REPLACE TEMP MACRO half_even(figure, divisor) AS
    (figure + divisor // 2) // divisor
        - CASE WHEN figure % divisor = divisor // 2 AND (figure // divisor) % 2 = 0 THEN 1 ELSE 0 END;
-- What a money row is to its payment: a bonus with money is a credit too, whatever it is called.
CREATE OR REPLACE TEMP MACRO money_role(transaction_type, amount) AS
    CASE
        WHEN transaction_type IN ('purchase', 'auto_recharge', 'bonus', 'admin_grant') THEN 'credit'
        WHEN transaction_type = 'refund' THEN CASE WHEN amount < 0 THEN 'refund' ELSE 'refund_reversal' END
        WHEN transaction_type IN ('chargeback', 'chargeback_reversal') THEN transaction_type
        ELSE 'adjustment'
    END;
-- Minor units as a person writes them, with the currency; those of a currency whose decimals nobody knows as they are.
CREATE OR REPLACE TEMP MACRO money_text(minor, code) AS
    CASE WHEN getvariable('currency_scales')[code] IS NULL THEN format('{:,} {} minor units', minor::BIGINT, upper(code))
        ELSE CASE WHEN minor < 0 THEN '-' ELSE '' END
            || format('{:,}', (abs(minor) // getvariable('currency_scales')[code])::BIGINT)
            || CASE WHEN getvariable('currency_scales')[code] = 1 THEN ''
                ELSE '.' || lpad((abs(minor) % getvariable('currency_scales')[code])::VARCHAR,
                    length(getvariable('currency_scales')[code]::VARCHAR)::INTEGER - 1, '0') END
            || ' ' || upper(code)
    END;
