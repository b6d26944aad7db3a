-- Revert idscope:locks from pg

BEGIN;

DROP TABLE idscope.resource_lock;

COMMIT;
