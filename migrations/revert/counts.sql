-- Revert idscope:counts from pg

BEGIN;

DROP TABLE idscope.registration_count, idscope.count_round;

COMMIT;
