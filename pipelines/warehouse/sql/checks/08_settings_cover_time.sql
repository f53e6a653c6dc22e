-- Settings versions in force follow each other without gap or overlap, from the beginning of time to its end.
WITH ordered AS (
    SELECT settings_version, effective_from, effective_to,
        lag(effective_to) OVER (ORDER BY effective_from NULLS FIRST) AS previous_to,
        row_number() OVER (ORDER BY effective_from NULLS FIRST) AS number,
        count(*) OVER () AS versions
    FROM books.system_settings WHERE superseded_by IS NULL
)
SELECT settings_version, effective_from, effective_to FROM ordered
WHERE (number = 1 AND effective_from IS NOT NULL)
   OR (number > 1 AND effective_from IS DISTINCT FROM previous_to)
   OR (number = versions AND effective_to IS NOT NULL)
   OR effective_to <= effective_from
