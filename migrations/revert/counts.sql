-- Revert idscope:counts from pg

BEGIN;

DROP FUNCTION idscope.counted(text, text);
DROP TABLE idscope.list_count, idscope.count_round;

COMMIT;
