-- list_count.sql: how many entries a list has, as a worker counted them last (sweep_count). It must never count them itself.

-- Of list $2 of scope $1, counted in rounds $3: at all (member and value are empty) and with each value of each counted member, and when that was (no row: never).
-- name: list_counts -> list_count
WITH counted AS (
    SELECT round - 1 AS round, counted_at FROM idscope.count_round WHERE name = $3 AND counted_at IS NOT NULL)
SELECT coalesce(k.member, '') AS member, coalesce(k.value, '') AS value, coalesce(k.entries, 0) AS entries, c.counted_at
  FROM counted c
  LEFT JOIN LATERAL (
        SELECT member, value, CASE WHEN c.round % 2 = 0 THEN even_count ELSE odd_count END AS entries
          FROM idscope.list_count
         WHERE id_scope = $1 AND list = $2 AND CASE WHEN c.round % 2 = 0 THEN even_round ELSE odd_round END = c.round) k ON true
 ORDER BY member, value;

-- name: list_totals -> list_totals
SELECT idscope.counted($1::text, 'enrollments') AS enrollments, idscope.counted($1, 'registrations') AS registrations;
