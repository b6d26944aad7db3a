-- Verify idscope:inventories on pg
-- The columns, and who may list hubs.

BEGIN;
SET LOCAL ROLE idscope_owner;

SELECT id_scope, host, next_at, taken_at, devices FROM idscope.inventory WHERE false;
SELECT id_scope, device_id, host, seen_at FROM idscope.found_identity WHERE false;

DO $$
BEGIN
    IF NOT has_table_privilege('idscope_worker', 'idscope.found_identity', 'INSERT') OR has_table_privilege('idscope_api', 'idscope.found_identity', 'SELECT') THEN
        RAISE EXCEPTION 'the worker lists hubs, and nobody else sees what it found';
    END IF;
END
$$;

ROLLBACK;
