-- The SQL twin of billing_core.identity: 48 bits of milliseconds, version 8, 74 bits of sha256 over [kind, source id].
CREATE OR REPLACE TEMP MACRO source_digest(kind, source_id) AS
    sha256(to_json([kind, source_id])::VARCHAR);
CREATE OR REPLACE TEMP MACRO id_from_digest(occurred_at, digest) AS
    (printf('%012x', epoch_ms(occurred_at)) || '8' || digest[1:3]
     || translate(digest[4], '0123456789abcdef', '89ab89ab89ab89ab') || digest[5:19])::UUID;
CREATE OR REPLACE TEMP MACRO derived_id(occurred_at, kind, source_id) AS
    id_from_digest(occurred_at, source_digest(kind, source_id));
-- Exact: parts per million to DECIMAL(12, 6) without the division that would go through DOUBLE.
CREATE OR REPLACE TEMP MACRO ppm_decimal(ppm) AS
    (ppm::DECIMAL(24, 6) * 0.000001::DECIMAL(7, 6))::DECIMAL(12, 6);
