-- import_step.sql: the worker's part of an import.

-- name: import_step -> import_step
-- $1 ID scope, $2 import as the job names it, $3 rows of a step, $4 of one that is all or nothing, $5 groups that an instance may have, $6 errors that are
-- kept, $7 milliseconds after which a body that does not go on is over, $8 for which an import that has ended is kept.
SELECT idscope.import_step($1, $2::text::uuid, $3, $4, $5, $6, $7, $8) AS next_ms;
