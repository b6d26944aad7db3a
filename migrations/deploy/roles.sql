-- Deploy idscope:roles to pg
-- The roles of the programs. idscope_owner owns everything and is what migrations run as (or a member of it); the programs
-- log in as idscope_api, idscope_worker and idscope_admin, each with the least grants. Roles are global to a cluster, so an
-- existing one is kept; passwords are set by the DBA. Two deploys at once both end well: a role made meanwhile is no error.

BEGIN;

DO $$
DECLARE
    wanted text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['idscope_owner', 'idscope_api', 'idscope_worker', 'idscope_admin'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted) THEN
            BEGIN
                EXECUTE format('CREATE ROLE %I %s', wanted,
                               CASE wanted WHEN 'idscope_owner' THEN 'NOLOGIN' ELSE 'LOGIN' END);
            EXCEPTION WHEN duplicate_object OR unique_violation THEN
                NULL;
            END;
        END IF;
    END LOOP;
END
$$;

GRANT idscope_owner TO CURRENT_USER;

CREATE SCHEMA idscope AUTHORIZATION idscope_owner;
COMMENT ON SCHEMA idscope IS 'Device provisioning service: tenants, instances, linked hubs, enrollments, registrations, jobs';
GRANT USAGE ON SCHEMA idscope TO idscope_api, idscope_worker, idscope_admin;

COMMIT;
