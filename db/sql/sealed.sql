-- sealed.sql: sealed values of all tables, for an operator who changes the key that they are sealed under (idscope-admin reseal). No secret comes by here.

-- name: sealed_columns -> sealed_column
SELECT tab, col FROM idscope.sealed_column ORDER BY tab, col;

-- name: sealed_page -> sealed
-- $1 and $2 table and column, $3 how values under the newest key begin, $4 the place behind which the page begins (NULL: the first), $5 rows to look at
-- and $6 values wanted, at most. A row without a value says how far the page has looked; no row: there is nothing behind it.
SELECT place, kind, owner, name, part, sealed FROM idscope.sealed_page($1, $2, $3, $4, $5, $6);

-- name: sealed_write -> sealed_written
-- $1 and $2 table and column, $3 places, $4 what is to stand there still, $5 what comes there
SELECT idscope.sealed_write($1, $2, $3, $4, $5) AS written;

-- What a transaction read before it was sealed anew it may yet write: who writes has a number from its first write on.
-- name: sealed_mark -> sealed_mark
SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS mark;

-- name: sealed_settled -> sealed_settled
-- $1 a mark: whether every transaction that was under way then has ended
SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint >= $1::bigint AS settled;

-- name: sealed_note as actor
-- $1 the key's id, $2 how many values were sealed anew under it
SELECT idscope.note('keyRing', $1::bigint::text, jsonb_build_object('change', 'resealed', 'count', $2::bigint));
