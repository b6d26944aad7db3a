-- Deploy idscope:roles to pg
-- The roles of the programs, and the schema.
--
-- idscope_owner owns everything and is who the other changes run as; the programs log in as idscope_api, idscope_worker and
-- idscope_admin, each with the least grants. Roles are global to a cluster, so an existing one is kept as it is; passwords are set
-- by the DBA. A role that another deploy (to another database of the cluster) makes at the same moment is no error.
--
-- Run by a superuser, or by a role with CREATEROLE that may create schemas in the database. Such a role becomes a member of
-- idscope_owner here; a superuser needs no membership and gets none.

BEGIN;

DO $$
DECLARE
    wanted text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['idscope_owner', 'idscope_api', 'idscope_worker', 'idscope_admin'] LOOP
        IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = wanted) THEN
            BEGIN
                EXECUTE format('CREATE ROLE %I %s', wanted,
                               CASE wanted WHEN 'idscope_owner' THEN 'NOLOGIN' ELSE 'LOGIN' END);
            EXCEPTION WHEN duplicate_object OR unique_violation THEN
                NULL;
            END;
        END IF;
    END LOOP;

    BEGIN
        SET LOCAL ROLE idscope_owner;
        RESET ROLE;
    EXCEPTION WHEN insufficient_privilege THEN
        BEGIN
            GRANT idscope_owner TO CURRENT_USER;
        EXCEPTION WHEN unique_violation THEN
            NULL;
        END;
    END;
END
$$;

CREATE SCHEMA idscope AUTHORIZATION idscope_owner;
COMMENT ON SCHEMA idscope IS 'Device provisioning service: tenants, instances, linked hubs, enrollments, registrations, jobs';
GRANT USAGE ON SCHEMA idscope TO idscope_api, idscope_worker, idscope_admin;

COMMIT;
