-- Revert idscope:roles from pg
-- Drops the schema, and those roles that nothing else in the cluster uses: a role that owns or may do something in another database,
-- or that this user may not drop, stays.

BEGIN;

DROP SCHEMA idscope;

DO $$
DECLARE
    unwanted text;
BEGIN
    FOREACH unwanted IN ARRAY ARRAY['idscope_admin', 'idscope_worker', 'idscope_api', 'idscope_owner'] LOOP
        BEGIN
            EXECUTE format('DROP ROLE IF EXISTS %I', unwanted);
        EXCEPTION WHEN dependent_objects_still_exist OR insufficient_privilege THEN
            RAISE NOTICE 'role % stays: %', unwanted, SQLERRM;
        END;
    END LOOP;
END
$$;

COMMIT;
