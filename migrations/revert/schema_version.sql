-- Revert idscope:schema_version from pg
-- Programs find no version then and refuse to start.

BEGIN;

DROP TABLE idscope.schema_version;

COMMIT;
