-- Deploy idscope:tenancy to pg
-- requires: roles
-- Who uses the service: tenants, their subscriptions, service principals with their roles, and resource groups; and the keys that sign access tokens.
--
-- Row-level security is the second wall behind the tenant argument of every statement. A policy's USING also judges rows that are
-- written (PostgreSQL takes it as WITH CHECK when none is given). Text keys are COLLATE "C" and lower-cased by it: byte order and
-- ASCII lower case, as the programs do it, the same in every locale and after every upgrade of the C library.

BEGIN;
SET LOCAL ROLE idscope_owner;

-- The tenant that the present transaction works for; NULL outside of one, which no row equals.
CREATE FUNCTION idscope.current_tenant() RETURNS uuid
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN nullif(current_setting('idscope.tenant', true), '')::uuid;
COMMENT ON FUNCTION idscope.current_tenant() IS 'Tenant of the transaction, set with set_config(''idscope.tenant'', …, true)';
REVOKE ALL ON FUNCTION idscope.current_tenant() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION idscope.current_tenant() TO idscope_api, idscope_admin;

-- Scopes of roles (core/role.h), as paths begin: of a resource, or without its type and name of a group.
CREATE FUNCTION idscope.role_scope(subscription uuid, resource_group text, type text DEFAULT NULL, name text DEFAULT NULL) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN '/subscriptions/' || subscription::text || '/resourcegroups/' || resource_group || coalesce('/providers/microsoft.devices/' || type || '/' || name, '');
COMMENT ON FUNCTION idscope.role_scope(uuid, text, text, text) IS 'The scope of a resource group, or of a resource in it; all in lower case';
CREATE FUNCTION idscope.in_scopes(scopes text[], at text) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN EXISTS (SELECT 1 FROM unnest(scopes) AS s (scope) WHERE starts_with(at || '/', s.scope || '/'));
COMMENT ON FUNCTION idscope.in_scopes(text[], text) IS 'Is this one of the scopes, or below one?';
REVOKE ALL ON FUNCTION idscope.role_scope(uuid, text, text, text), idscope.in_scopes(text[], text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION idscope.role_scope(uuid, text, text, text), idscope.in_scopes(text[], text) TO idscope_api;

-- What a program sends while the server stands still is not to be done once it goes on: who asked was told so long ago.
CREATE FUNCTION idscope.in_time(until_us bigint) RETURNS void
    LANGUAGE plpgsql AS $$
BEGIN
    IF extract(epoch FROM clock_timestamp()) * 1000000 > until_us THEN
        RAISE EXCEPTION 'the time of the call is over' USING ERRCODE = '57L01';
    END IF;
END $$;
COMMENT ON FUNCTION idscope.in_time(bigint) IS 'Fails with 57L01 after so many microseconds since 1970; stands before the statements of a call and before its commit';
REVOKE ALL ON FUNCTION idscope.in_time(bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION idscope.in_time(bigint) TO idscope_api, idscope_worker, idscope_admin;

CREATE TABLE idscope.tenant (
    tenant_id    uuid PRIMARY KEY,
    name         text COLLATE "C" NOT NULL UNIQUE CHECK (length(name) BETWEEN 1 AND 200),
    limits       jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(limits) = 'object'),
    created_at   timestamptz NOT NULL DEFAULT now(),
    disabled_at  timestamptz
);
COMMENT ON TABLE idscope.tenant IS 'A customer. Everything a tenant owns leads with its tenant_id';
COMMENT ON COLUMN idscope.tenant.limits IS 'Limits that an operator set for it, by name, in place of the deployment''s';
COMMENT ON COLUMN idscope.tenant.disabled_at IS 'Set: its service principals are refused, sign-in and tokens alike; keys of policies and devices go on, and rows stay';

CREATE TABLE idscope.subscription (
    tenant_id       uuid NOT NULL REFERENCES idscope.tenant,
    subscription_id uuid NOT NULL UNIQUE,
    display_name    text NOT NULL CHECK (length(display_name) BETWEEN 1 AND 200),
    tags            json NOT NULL DEFAULT '{}' CHECK (json_typeof(tags) = 'object'),
    created_at      timestamptz NOT NULL DEFAULT now(),
    disabled_at     timestamptz,
    PRIMARY KEY (tenant_id, subscription_id)
);
COMMENT ON TABLE idscope.subscription IS 'The unit that resource groups belong to';
COMMENT ON COLUMN idscope.subscription.disabled_at IS 'Set: what stands in it is read and no more, on the management plane; service, hubs and devices go on';

CREATE TABLE idscope.service_principal (
    tenant_id      uuid NOT NULL REFERENCES idscope.tenant,
    client_id      uuid NOT NULL UNIQUE,
    display_name   text NOT NULL CHECK (length(display_name) BETWEEN 1 AND 200),
    secret_sha256  bytea NOT NULL CHECK (length(secret_sha256) = 32),
    secret_before_sha256 bytea CHECK (length(secret_before_sha256) = 32),
    created_at     timestamptz NOT NULL DEFAULT now(),
    disabled_at    timestamptz,
    PRIMARY KEY (tenant_id, client_id)
);
COMMENT ON TABLE idscope.service_principal IS 'A client that signs in with an id and a secret (the client id selects the tenant: decisions.md 4)';
COMMENT ON COLUMN idscope.service_principal.disabled_at IS 'Set: it is refused, sign-in and tokens alike; rows stay';
COMMENT ON COLUMN idscope.service_principal.secret_sha256 IS 'SHA-256 of the secret, which is 32 random bytes: nothing to guess, so no slow hash';
COMMENT ON COLUMN idscope.service_principal.secret_before_sha256 IS 'The secret before, good as well until there is a newer one, so that clients change it one by one; NULL: none';

CREATE TABLE idscope.role_assignment (
    tenant_id      uuid NOT NULL,
    assignment_id  uuid NOT NULL,
    client_id      uuid NOT NULL,
    role           text COLLATE "C" NOT NULL CHECK (role IN ('reader', 'contributor', 'owner', 'dataReader', 'dataContributor')),
    scope_key      text COLLATE "C" NOT NULL
                   CHECK (scope_key ~ '^(/subscriptions/[0-9a-f-]{36}(/resourcegroups/[^/]+(/providers/[^/]+/[^/]+/[^/]+)?)?)?$'),
    scope          text NOT NULL CONSTRAINT role_assignment_key_of_scope CHECK (lower(scope COLLATE "C") = scope_key),
    description    text CHECK (length(description) BETWEEN 1 AND 1024),
    created_by     text NOT NULL CHECK (length(created_by) BETWEEN 1 AND 400),
    created_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, assignment_id),
    UNIQUE (tenant_id, client_id, scope_key, role),
    FOREIGN KEY (tenant_id, client_id) REFERENCES idscope.service_principal
);
COMMENT ON TABLE idscope.role_assignment IS 'What a service principal may do, and where: in all that stands below the scope';
COMMENT ON COLUMN idscope.role_assignment.scope_key IS 'The scope in lower case: the path of a subscription, resource group, hub or instance; empty: all of the tenant. What is deleted takes its assignments along';
COMMENT ON COLUMN idscope.role_assignment.scope IS 'The scope as clients see it';
COMMENT ON COLUMN idscope.role_assignment.created_by IS 'Who made it: as actor_id of audit_event';

CREATE TABLE idscope.token_key (
    kid             text COLLATE "C" PRIMARY KEY CHECK (length(kid) BETWEEN 1 AND 64),
    private_sealed  bytea NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE idscope.token_key IS 'ES256 keys of access tokens; the newest signs, the newest two are published and accepted';
COMMENT ON COLUMN idscope.token_key.private_sealed IS 'PEM of the private key, sealed under the key ring';

CREATE TABLE idscope.resource_group (
    tenant_id       uuid NOT NULL,
    subscription_id uuid NOT NULL,
    name_key        text COLLATE "C" NOT NULL,
    name            text NOT NULL CHECK (length(name) BETWEEN 1 AND 90)
                    CONSTRAINT resource_group_key_of_name CHECK (lower(name COLLATE "C") = name_key),
    location        text NOT NULL,
    tags            json NOT NULL DEFAULT '{}' CHECK (json_typeof(tags) = 'object'),
    created_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, subscription_id, name_key),
    FOREIGN KEY (tenant_id, subscription_id) REFERENCES idscope.subscription
);
COMMENT ON TABLE idscope.resource_group IS 'A folder of instances and hubs within a subscription';
COMMENT ON COLUMN idscope.resource_group.name_key IS 'Name in lower case: names ignore case';

CREATE TABLE idscope.name_rest (
    kind       text COLLATE "C" NOT NULL CHECK (kind IN ('hub', 'instance')),
    name_key   text COLLATE "C" NOT NULL CHECK (length(name_key) BETWEEN 3 AND 50),
    tenant_id  uuid NOT NULL,
    since      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (kind, name_key)
);
COMMENT ON TABLE idscope.name_rest IS 'Names of deleted hubs and instances: only the tenant that had one may take it again, since devices and services out there still know it, until a sweep takes the row';
CREATE INDEX name_rest_since ON idscope.name_rest (since);

ALTER TABLE idscope.tenant            ENABLE ROW LEVEL SECURITY;
ALTER TABLE idscope.subscription      ENABLE ROW LEVEL SECURITY;
ALTER TABLE idscope.service_principal ENABLE ROW LEVEL SECURITY;
ALTER TABLE idscope.role_assignment   ENABLE ROW LEVEL SECURITY;
ALTER TABLE idscope.resource_group    ENABLE ROW LEVEL SECURITY;
ALTER TABLE idscope.name_rest         ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant_api            ON idscope.tenant            TO idscope_api   USING (tenant_id = idscope.current_tenant());
CREATE POLICY subscription_api      ON idscope.subscription      TO idscope_api   USING (tenant_id = idscope.current_tenant());
CREATE POLICY service_principal_api ON idscope.service_principal TO idscope_api   USING (tenant_id = idscope.current_tenant());
CREATE POLICY role_assignment_api   ON idscope.role_assignment   TO idscope_api   USING (tenant_id = idscope.current_tenant());
CREATE POLICY resource_group_api    ON idscope.resource_group    TO idscope_api   USING (tenant_id = idscope.current_tenant());
CREATE POLICY name_rest_api         ON idscope.name_rest         TO idscope_api   USING (tenant_id = idscope.current_tenant());
CREATE POLICY name_rest_worker      ON idscope.name_rest         TO idscope_worker USING (true);
CREATE POLICY resource_group_admin    ON idscope.resource_group    TO idscope_admin USING (tenant_id = idscope.current_tenant());
CREATE POLICY tenant_admin            ON idscope.tenant            TO idscope_admin USING (true);
CREATE POLICY subscription_admin      ON idscope.subscription      TO idscope_admin USING (true);
CREATE POLICY service_principal_admin ON idscope.service_principal TO idscope_admin USING (true);
CREATE POLICY role_assignment_admin   ON idscope.role_assignment   TO idscope_admin USING (true);

GRANT SELECT ON idscope.tenant, idscope.subscription, idscope.token_key TO idscope_api;
GRANT UPDATE (tags) ON idscope.subscription TO idscope_api;
GRANT SELECT, INSERT, UPDATE, DELETE ON idscope.resource_group TO idscope_api;
GRANT SELECT, INSERT ON idscope.name_rest TO idscope_api;
GRANT SELECT, INSERT, DELETE ON idscope.role_assignment TO idscope_api, idscope_admin;
GRANT SELECT, DELETE ON idscope.name_rest TO idscope_worker;
GRANT SELECT, INSERT ON idscope.tenant, idscope.subscription, idscope.service_principal, idscope.token_key TO idscope_admin;
GRANT SELECT ON idscope.resource_group TO idscope_admin;
GRANT UPDATE (disabled_at) ON idscope.tenant, idscope.subscription TO idscope_admin;
GRANT UPDATE (limits) ON idscope.tenant TO idscope_admin;
GRANT UPDATE (secret_sha256, secret_before_sha256, disabled_at) ON idscope.service_principal TO idscope_admin;
GRANT DELETE ON idscope.token_key TO idscope_admin;

-- Secrets stand in the table of service principals, so the api asks for no more than whether one is there.
CREATE FUNCTION idscope.principal_there(wanted uuid) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        SELECT EXISTS (SELECT 1 FROM idscope.service_principal WHERE client_id = wanted AND tenant_id = idscope.current_tenant())
    $$;
COMMENT ON FUNCTION idscope.principal_there(uuid) IS 'Is this a service principal of the tenant?';
REVOKE ALL ON FUNCTION idscope.principal_there(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION idscope.principal_there(uuid) TO idscope_api, idscope_admin;

-- Sign-in and token checks happen before the tenant is known.
-- In plpgsql, as all of the gate's functions: it keeps its plan, where a function in SQL is planned anew at each call.
CREATE FUNCTION idscope.gate_client(wanted uuid)
    RETURNS TABLE (tenant_id uuid, roles text[], scopes text[], secret_sha256 bytea, secret_before_sha256 bytea, disabled_subscriptions text[])
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
    #variable_conflict use_column
    BEGIN
        RETURN QUERY
            SELECT p.tenant_id, a.roles, a.scopes, p.secret_sha256, p.secret_before_sha256,
                   ARRAY(SELECT s.subscription_id::text FROM idscope.subscription s WHERE s.tenant_id = p.tenant_id AND s.disabled_at IS NOT NULL)
              FROM idscope.service_principal p
              JOIN idscope.tenant t ON t.tenant_id = p.tenant_id
              CROSS JOIN LATERAL (SELECT array_agg(role ORDER BY assignment_id) AS roles, array_agg(scope_key::text ORDER BY assignment_id) AS scopes
                                    FROM idscope.role_assignment r WHERE r.tenant_id = p.tenant_id AND r.client_id = p.client_id) a
             WHERE p.client_id = wanted AND p.disabled_at IS NULL AND t.disabled_at IS NULL;
    END
    $$;
COMMENT ON FUNCTION idscope.gate_client(uuid) IS 'The service principal of a client id with its roles, whatever its tenant; none that is disabled, or its tenant is';
REVOKE ALL ON FUNCTION idscope.gate_client(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION idscope.gate_client(uuid) TO idscope_api;

COMMIT;
