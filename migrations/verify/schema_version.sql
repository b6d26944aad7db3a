-- Verify idscope:schema_version on pg
-- One row, readable by every program.

BEGIN;
SET LOCAL ROLE idscope_owner;

DO $$
DECLARE
    wrong text;
BEGIN
    IF (SELECT count(*) FILTER (WHERE version >= 1) FROM idscope.schema_version) <> 1 THEN
        RAISE EXCEPTION 'idscope.schema_version holds no version';
    END IF;

    SELECT string_agg(who, ', ') INTO wrong
      FROM unnest(ARRAY['idscope_api', 'idscope_worker', 'idscope_admin']) AS who
     WHERE NOT has_table_privilege(who, 'idscope.schema_version', 'SELECT');
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION 'roles that cannot read the schema version: %', wrong;
    END IF;
END
$$;

ROLLBACK;
