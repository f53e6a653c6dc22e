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
