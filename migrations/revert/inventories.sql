-- Revert idscope:inventories from pg

BEGIN;

DROP TABLE idscope.inventory, idscope.found_identity;

COMMIT;
