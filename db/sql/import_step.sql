-- import_step.sql: the worker's part of an import.

-- name: import_step -> import_step
-- $1 ID scope, $2 import as the job names it, $3 rows of a step, $4 groups that an instance may have, $5 errors that are kept, $6 milliseconds after which
-- a body that does not go on is over, $7 for which an import that has ended is kept, $8 between the last look at a list that is all or nothing and its being written.
SELECT idscope.import_step($1, $2::text::uuid, $3, $4, $5, $6, $7, $8) AS next_ms;

-- name: import_write -> import_bite
-- $1 ID scope, $2 import as the job names it, $3 and $4 the key and the line behind which the rows stand, $5 the digest over those before, $6 how many, $7 groups that an instance may have.
SELECT looked, refused, to_key, to_line, digest AS to_digest FROM idscope.import_write($1, $2::text::uuid, $3, $4, $5, $6, $7);

-- name: import_move -> import_alive
-- $1 ID scope, $2 import as the job names it, $3 fence of its job, $4 state, $5 rows that are written, $6 the digest over them, $7 milliseconds until its job is due.
SELECT idscope.import_move($1, $2::text::uuid, $3, $4, $5, $6, $7) AS alive;
