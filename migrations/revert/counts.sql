-- Revert idscope:counts from pg

BEGIN;

DROP TABLE idscope.list_count, idscope.count_round;

COMMIT;
