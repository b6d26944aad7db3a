-- Verify idscope:roles on pg
-- The roles exist and hold no right that would go round the grants; the schema belongs to its owner.

BEGIN;

DO $$
DECLARE
    wrong text;
BEGIN
    SELECT string_agg(who, ', ') INTO wrong
      FROM unnest(ARRAY['idscope_owner', 'idscope_api', 'idscope_worker', 'idscope_admin']) AS who
     WHERE NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = who);
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION 'roles missing: %', wrong;
    END IF;

    SELECT string_agg(rolname, ', ') INTO wrong
      FROM pg_roles
     WHERE rolname IN ('idscope_owner', 'idscope_api', 'idscope_worker', 'idscope_admin')
       AND (rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb OR rolreplication);
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION 'roles with more rights than a program may have: %', wrong;
    END IF;

    SELECT string_agg(who, ', ') INTO wrong
      FROM unnest(ARRAY['idscope_api', 'idscope_worker', 'idscope_admin']) AS who
     WHERE pg_has_role(who, 'idscope_owner', 'MEMBER') OR NOT has_schema_privilege(who, 'idscope', 'USAGE')
        OR has_schema_privilege(who, 'idscope', 'CREATE');
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION 'roles that own, cannot use or can change schema idscope: %', wrong;
    END IF;

    IF NOT EXISTS (SELECT 1 FROM pg_namespace
                    WHERE nspname = 'idscope' AND nspowner = 'idscope_owner'::regrole) THEN
        RAISE EXCEPTION 'schema idscope does not belong to idscope_owner';
    END IF;
END
$$;

ROLLBACK;
